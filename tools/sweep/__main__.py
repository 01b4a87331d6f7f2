"""Runs the command once for each of many choices of its flags.

    python -m tools.sweep --preset=temperature_x_batch --model_dir=runs/sweeps/t
    python -m tools.sweep --preset=demo --model_dir=runs/sweeps/rate \
        --range learning_rate 0.1 10 log --trials=20

The same command continues a sweep that was stopped or killed.
"""

import os
import sys

from simclr_tf import stopping
from simclr_tf.errors import Stopped, UserError
from simclr_tf.experiment import locking
from simclr_tf.printing import printable_lines
from tools.sweep import plan, process, study


def main(argv=None):
    """Returns the exit code: 0; 2 for a user's mistake; 1 if a trial broke off."""
    try:
        return _main(sys.argv[1:] if argv is None else argv)
    except UserError as error:
        _complain(error)
        return 2
    except process.Interrupted as error:
        _complain(error)
        return 1
    except Stopped as stop:
        print("Stopped. The same command continues.")
        return 128 + stop.number


def _main(argv):
    sweep = plan.read(argv)
    study.require()
    os.makedirs(sweep.folder, exist_ok=True)
    with locking.locked(sweep.folder), stopping.deferred() as signal:
        study.run(sweep, signal, lambda line: print(printable_lines(line), flush=True))
    path = os.path.join(sweep.folder, "table.md")
    with open(path, encoding="utf-8") as file:
        print(file.read(), end="")
    print(f"All results are in {sweep.folder}.")
    return 0


def _complain(error):
    print(f"tools.sweep: {printable_lines(str(error))}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
