"""The one exception that means "the user can mend this"."""


class UserError(ValueError):
    """A mistake in a flag, a file or an argument that its author can put right.

    The command prints its message as one line on stderr and exits with code 2. The
    message names the flag or file, says what is allowed and what came, and, where it
    is known, the cure. In a user's own code it is an ordinary `ValueError`.
    """


class WorkerLostError(Exception):
    """Another process of a distributed run has stopped; nothing is wrong with this."""
