"""Work that the chief does for all processes, with the same errors in all."""

import contextlib

import tensorflow as tf

from simclr_tf import distribution
from simclr_tf.errors import UserError

_LENGTH = 1024  # bytes of what is said


def by_chief(strategy, action):
    """Lets the chief carry out `action()`; all processes must call this.

    Raises:
        UserError: In all of them, if the action raises one.
    """
    refusal = None
    if distribution.is_chief(strategy):
        try:
            action()
        except UserError as error:
            refusal = error
    text = str(refusal or "").encode()[:_LENGTH].ljust(_LENGTH, b"\0")
    text = bytes(distribution.from_all(strategy, list(text))[0]).rstrip(b"\0")
    if not text:
        return
    with contextlib.suppress(tf.errors.OpError):
        distribution.from_all(strategy, 0)  # nobody leaves before all have heard
    raise refusal or UserError(text.decode(errors="ignore"))
