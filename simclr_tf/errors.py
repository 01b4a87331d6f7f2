"""The one exception that means "the user can mend this"."""


class UserError(ValueError):
    """A mistake in a flag, a file or an argument that its author can put right.

    The command prints its message as one line on stderr and exits with code 2. The
    message names the flag or file, says what is allowed and what came, and, where it
    is known, the cure. In a user's own code it is an ordinary `ValueError`.
    """


class WorkerLostError(Exception):
    """Another process of a distributed run has stopped; nothing is wrong with this."""


class Stopped(KeyboardInterrupt):
    """A signal asked the process to end.

    Attributes:
        number: Int, the signal's.
        checkpoint: Str, the prefix that training was saved to before; or None.
    """

    def __init__(self, number, checkpoint=None):
        super().__init__(number, checkpoint)
        self.number = number
        self.checkpoint = checkpoint
