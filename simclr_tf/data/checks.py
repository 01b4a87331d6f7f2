"""Finds out which files are images when a source is opened."""

import concurrent.futures
import io
import os
import stat

import tensorflow as tf

from simclr_tf.data import pillow, tree
from simclr_tf.data.images import try_to_decode

# Up to so many files are decoded; of more, only the headers are looked at.
_DECODED = 1000


def find_bad(files, max_pixels):
    """Finds out what is wrong with files, without ever waiting for a pipe or a device.

    Args:
        files: List of str. Files on remote file systems are not read, because each
            would go over the network.
        max_pixels: Int, pixels of the largest picture that is allowed.

    Returns:
        List of str or None, one per file.
    """
    whole = len(files) <= _DECODED
    out_of_reach = _schemes_out_of_reach(files)

    def found(file):
        if tree.is_remote(file):
            return out_of_reach.get(_scheme(file))
        if whole:
            return decoding_problem(file, max_pixels)
        return problem(file, max_pixels, whole=False)

    threads = 4 if whole else 16  # each has a whole picture in memory
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(found, files))


def problem(file, max_pixels, whole=True):
    """What is wrong with one file, str or None; `whole` has Pillow decode it."""
    if not tree.is_remote(file):
        return _no_regular_file(file) or pillow.examine(file, max_pixels, whole)
    try:
        return pillow.examine(io.BytesIO(tree.read(file)), max_pixels, whole)
    except OSError as error:
        return error.strerror


def decoding_problem(file, max_pixels):
    """What is wrong with one file, str or None, according to training's decoders.

    Not for functions that TensorFlow calls: both would wait for the same thread.
    """
    wrong = problem(file, max_pixels, whole=False)
    try:
        if not wrong:
            try_to_decode(tree.read(file))
    except (tf.errors.OpError, ValueError, OSError):
        wrong = problem(file, max_pixels) or "TensorFlow cannot decode it"
    return wrong


def never_waiting(files):
    """The files, with empty names for pipes and devices, which might never answer."""
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        modes = list(pool.map(_mode, files))
    return [
        "" if mode is not None and not stat.S_ISREG(mode) else file
        for file, mode in zip(files, modes, strict=True)
    ]


def _scheme(file):
    return file.partition("://")[0]


def _schemes_out_of_reach(files):
    """What is wrong with schemes of paths, such as gs, that TensorFlow lacks."""
    problems = {}
    for scheme, file in {_scheme(f): f for f in files if tree.is_remote(f)}.items():
        try:
            tf.io.gfile.exists(file)
        except tf.errors.UnimplementedError:
            problems[scheme] = f"TensorFlow reaches no {scheme}:// here"
        except tf.errors.OpError:
            pass  # met and skipped where it is read
    return problems


def _mode(file):
    try:
        return os.stat(file).st_mode
    except (OSError, ValueError):
        return None


def _no_regular_file(file):
    try:
        mode = os.stat(file).st_mode
    except (OSError, ValueError) as error:  # ValueError: of a zero in its name
        return getattr(error, "strerror", None) or str(error)
    if not stat.S_ISREG(mode):
        return "it is no regular file"
    return None
