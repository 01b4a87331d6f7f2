"""Files that are there whole or not at all."""

import contextlib
import os


@contextlib.contextmanager
def replacing(path):
    """Where to write a file that is to take the place of `path`.

    Args:
        path: Str.

    Yields:
        Str, the path of an unfinished file beside it. Once the block ends, it is on the
        disk and is renamed; if the block raises, it is removed, and what was at `path`
        is there still.
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
