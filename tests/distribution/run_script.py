"""Run as a program: the command, with shallow and smooth networks."""

import sys

import run
from tests import networks

if __name__ == "__main__":
    networks.make_shallow()
    networks.remove_kinks()
    sys.exit(run.main())
