"""SIGTERM and SIGINT: a process that trains finishes its step and saves first."""

import contextlib
import os
import signal
import threading

from simclr_tf.errors import Stopped

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def raised():
    """Makes SIGTERM raise `Stopped`, as Ctrl-C raises `KeyboardInterrupt`."""

    def stop(number, frame):
        raise Stopped(number)

    with _handled_by(stop, (signal.SIGTERM,)):
        yield


@contextlib.contextmanager
def deferred():
    """Holds the first signal until it is asked for; a second one ends the process.

    Yields:
        `Signal`.
    """
    received = Signal()

    def note(number, frame):
        if received.number:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        received.number = number
        name = signal.Signals(number).name
        # Not `print`, which this may have come between.
        with contextlib.suppress(OSError):
            os.write(
                2, f"{name}: saving after this step. A second ends now.\n".encode()
            )

    with _handled_by(note, _SIGNALS):
        yield received


class Signal:
    """The signal that came.

    Attributes:
        number: Int, of the first signal; 0 while none has come.
    """

    def __init__(self):
        self.number = 0


@contextlib.contextmanager
def _handled_by(handler, numbers):
    """Handles signals, if this thread can; ignored signals stay ignored."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in numbers}
        before = {n: old for n, old in before.items() if old is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
