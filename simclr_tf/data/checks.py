"""Which files are images, found out when a source is opened."""

import concurrent.futures
import io
import os
import stat

from simclr_tf.data import pillow, tree

# Up to so many files are decoded; of more, only the headers are looked at.
_DECODED = 1000


def find_bad(files, max_pixels):
    """What is wrong with files, without ever waiting for a pipe or a device.

    Args:
        files: List of str.
        max_pixels: Int, pixels of the largest picture that is allowed.

    Returns:
        List of str or None, one a file.
    """
    whole = len(files) <= _DECODED
    if any(map(tree.is_remote, files)):  # each would be read over the network
        return [None] * len(files)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        return list(pool.map(lambda file: problem(file, max_pixels, whole), files))


def problem(file, max_pixels, whole=True):
    """What is wrong with one file, str or None; `whole` decodes it."""
    if tree.is_remote(file):
        try:
            return pillow.examine(io.BytesIO(tree.read(file)), max_pixels, whole)
        except OSError as error:
            return error.strerror
    return _no_regular_file(file) or pillow.examine(file, max_pixels, whole)


def never_waiting(files):
    """The files, with empty names for pipes and devices, which might never answer."""
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        modes = list(pool.map(_mode, files))
    return [
        "" if mode is not None and not stat.S_ISREG(mode) else file
        for file, mode in zip(files, modes, strict=True)
    ]


def _mode(file):
    try:
        return os.stat(file).st_mode
    except OSError:
        return None


def _no_regular_file(file):
    try:
        mode = os.stat(file).st_mode
    except OSError as error:
        return error.strerror
    if not stat.S_ISREG(mode):
        return "it is no regular file"
    return None
