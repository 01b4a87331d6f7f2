"""Paths for TensorFlow, which reads some of them as patterns."""

import contextlib
import os
import re
import tempfile

_WILDCARDS = re.compile(r"[*?\[\]\\]")


@contextlib.contextmanager
def literal(path):
    r"""A name for `path` that TensorFlow does not read as a pattern.

    When TensorFlow restores variables, it looks for their files by globbing and finds
    none in `runs/lr[0.3]`. Escaping does not help, because the same name is then used
    to open them.

    Args:
        path: Str, a folder, a file, or a prefix of files.

    Yields:
        Str, the path itself if it has none of `*?[]\`; otherwise one that leads there
        through a symbolic link, which is removed afterwards.
    """
    if not _WILDCARDS.search(path) or "://" in path:
        yield path
        return
    folder, name = os.path.split(os.path.abspath(path))
    with tempfile.TemporaryDirectory() as links:
        link = os.path.join(links, "folder")
        if os.path.isdir(path):
            os.symlink(os.path.join(folder, name), link)
            yield link
        else:
            os.symlink(folder, link)
            yield os.path.join(link, name)
