"""Errors that users, not developers, can do something about."""


class UserError(ValueError):
    """A mistake in a flag, a file or an argument that the user can correct.

    The command prints its message as one line on stderr and exits with code 2. The
    message names the flag or file, says what is allowed and what was given, and, if it
    is known, what to do. In a user's own code it is an ordinary `ValueError`.
    """


class WorkerLostError(Exception):
    """Another process of a distributed run has stopped; this one is fine."""


class Stopped(KeyboardInterrupt):
    """A signal asked the process to end.

    Attributes:
        number: Int, the signal's.
        checkpoint: Str, the prefix of the checkpoint that was saved before; or None.
    """

    def __init__(self, number, checkpoint=None):
        super().__init__(number, checkpoint)
        self.number = number
        self.checkpoint = checkpoint
