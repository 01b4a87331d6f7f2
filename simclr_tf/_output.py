"""Keeps a run going when nobody reads its output any more."""

import contextlib
import errno
import os
import sys

_GONE = (errno.EPIPE, errno.EIO, errno.EBADF)


@contextlib.contextmanager
def optional():
    """Drops output that cannot be written: closed pipe, lost terminal, full disk."""
    streams = _Optional(sys.stdout), _Optional(sys.stderr)
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        try:
            yield
        finally:
            for stream in streams:
                stream.flush()


class _Optional:
    """A text stream that ignores errors."""

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, text):
        with self._errors_ignored():
            self._stream.write(text)
        return len(text)

    def flush(self):
        with self._errors_ignored():
            self._stream.flush()

    @contextlib.contextmanager
    def _errors_ignored(self):
        try:
            yield
        except OSError as error:
            if error.errno in _GONE:
                # Python would fail again at its end, with what it has not written yet.
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, self._stream.fileno())
                os.close(null)
