"""The command: parse flags, build a config, start the mode. Nothing else."""

import os
import signal
import sys

import flags
from simclr_tf import _output, _startup, stopping
from simclr_tf.errors import UserError, WorkerLostError
from simclr_tf.printing import printable_lines


def main(argv=None):
    """Runs the command; returns its exit code.

    0: done. 1: another worker stopped. 2: a mistake of the user. 130, 143: ended by
    SIGINT (Ctrl-C) or SIGTERM; a training has saved, and the same command goes on.
    """
    with _output.optional(), stopping.raised():
        return _main(sys.argv if argv is None else argv)


def _main(argv):
    os.umask(os.umask(0o022) | 0o002)  # whatever the user's: nothing for all to write
    if {"-h", "--help", "--helpshort", "--helpfull"} & set(argv):
        print(flags.help_text())
        return 0
    try:
        config, values = flags.parse(argv, _say)
        _startup.import_tensorflow()  # after the flags: it takes seconds
        from simclr_tf.experiment import command

        command.run(config, values, _say)
    except UserError as error:
        print(f"run.py: {printable_lines(str(error))}", file=sys.stderr)
        return 2
    except WorkerLostError as error:
        print(f"run.py: {printable_lines(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        saved = getattr(stop, "checkpoint", None)
        print(
            f"Stopped, and saved to {saved}: the same command goes on from there."
            if saved
            else "Stopped. The same command resumes from the last checkpoint."
        )
        return 128 + getattr(stop, "number", signal.SIGINT)
    return 0


def _say(line):
    print(printable_lines(line))


if __name__ == "__main__":
    sys.exit(main())
