"""Writes files so that they are complete or absent."""

import contextlib
import os


@contextlib.contextmanager
def replacing(path):
    """Gives a place to write a file that will replace `path`.

    Args:
        path: Str.

    Yields:
        Str, the path of a temporary file beside it. When the block ends, the file is
        flushed to the disk and renamed. If the block raises, it is removed, and what
        was at `path` stays.
    """
    unfinished = f"{path}.tmp"
    try:
        yield unfinished
        with open(unfinished, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(unfinished)
        raise


def write(path, content):
    """Writes bytes, or text as UTF-8."""
    content = content.encode() if isinstance(content, str) else content
    with replacing(path) as unfinished, open(unfinished, "wb") as file:
        file.write(content)
