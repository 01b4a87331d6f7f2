"""The command: parse flags, build a config, start the mode. Nothing else."""

import sys

import flags
from simclr_tf import _startup
from simclr_tf.errors import UserError, WorkerLostError


def main(argv=None):
    """Runs the command; returns its exit code.

    0: done. 1: another worker stopped. 2: a mistake of the user. 130: Ctrl-C.
    """
    argv = sys.argv if argv is None else argv
    if {"-h", "--help", "--helpshort", "--helpfull"} & set(argv):
        print(flags.help_text())
        return 0
    try:
        config, values = flags.parse(argv)
        _startup.import_tensorflow()  # after the flags: it takes seconds
        from simclr_tf.experiment import command

        command.run(config, values)
    except UserError as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 2
    except WorkerLostError as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. The same command resumes from the last checkpoint.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
