"""Checkpoint files: written completely, checked when read, found by number.

`ckpt-<step>.data-*` and `ckpt-<step>.index` are written to a temporary folder and moved
into place, the index last, so a checkpoint with an index is complete. File times do not
matter, nor does the file `checkpoint`, which is only written for TensorFlow's own
tools.
"""

import contextlib
import os
import re
import shutil

import tensorflow as tf

from simclr_tf import atomic
from simclr_tf.errors import UserError
from simclr_tf.literal_paths import literal

# What TensorFlow raises for a checkpoint that is damaged, or deleted while it is read.
UNREADABLE = (tf.errors.OpError, IndexError, ValueError, RuntimeError)
_FILE = re.compile(r"ckpt-(\d+)\.(index|data-\d{5}-of-\d{5})")
_STATE = "checkpoint"


def steps(folder):
    """Steps of the checkpoints that are complete, in order."""
    return sorted(
        step for step, kinds in _kinds_by_step(folder).items() if "index" in kinds
    )


def path_of(folder, step):
    """The prefix of a checkpoint, as TensorFlow calls it: `folder/ckpt-<step>`."""
    return os.path.join(folder, f"ckpt-{step}")


def is_there(prefix):
    """Whether there is a checkpoint."""
    return os.path.exists(f"{prefix}.index")


def damage(prefix):
    """Why a checkpoint cannot be read; None if every byte is as written.

    TensorFlow keeps the place, size and checksum of each variable in the index, and
    checksums of the index in itself; all are compared here.
    """
    if not is_there(prefix):
        return "its .index is missing"
    try:
        with literal(prefix) as path:
            reader = tf.train.load_checkpoint(path)
            for key in reader.get_variable_to_shape_map():
                reader.get_tensor(key)
    except UNREADABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return reason.replace(os.path.dirname(path) + os.sep, "")
    return None


def newest(folder, flag, say=print):
    """The newest checkpoint in a folder that is not damaged.

    Args:
        folder: Str.
        flag: Str, the flag that brought it, for the error.
        say: Callable that prints a line for the user; it is told of damaged ones.

    Returns:
        Str, its prefix; None if the folder never had one.

    Raises:
        UserError: If it has some, but none can be read.
    """
    files = found = _kinds_by_step(folder)
    # Where the process was killed as it moved the files, nothing is damaged.
    found = [s for s in found if "index" in found[s] or not _was_unfinished(folder, s)]
    damaged = {}
    for step in sorted(found, reverse=True):
        prefix = path_of(folder, step)
        reason = damage(prefix)
        if reason is None:
            for later, why in damaged.items():
                say(f"ckpt-{later} is damaged and left out ({why}).")
            if damaged:
                say(f"The newest that is whole is {prefix}.")
            return prefix
        damaged[step] = reason
    if _kinds_by_step(folder) != files:  # those of a training that goes on
        return newest(folder, flag, say)
    if damaged:
        step, reason = next(iter(damaged.items()))
        raise UserError(
            f"--{flag}={folder}: of {len(damaged)} checkpoints there none can be read "
            f"(ckpt-{step}: {reason}). Bring them back from a copy; to begin at step "
            "0, give another folder."
        )
    if os.path.exists(os.path.join(folder, _STATE)):
        raise UserError(
            f"--{flag}={folder}: its file {_STATE!r} names checkpoints, and none is "
            "there. Bring them back from a copy; to begin at step 0, delete that file "
            "or give another folder."
        )
    return None


def write(checkpoint, folder, step):
    """Writes `ckpt-<step>` completely or not at all.

    Args:
        checkpoint: `tf.train.Checkpoint`.
        folder: Str.
        step: Int.

    Raises:
        OSError: If it cannot be written; what was there before stays.
    """
    unfinished = _unfinished(folder, step)
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        os.mkdir(unfinished)
        with literal(unfinished) as path, _as_os_errors():
            checkpoint.write(path_of(path, step))
        names = sorted(os.listdir(unfinished))  # the index is the last
        for name in names:
            _sync(os.path.join(unfinished, name))
        delete(folder, step)  # a damaged one, it may be
        for name in names:
            os.replace(os.path.join(unfinished, name), os.path.join(folder, name))
        _sync(folder)
        os.rmdir(unfinished)
    except OSError:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def delete(folder, step):
    """Deletes the files of a checkpoint, the index first."""
    for kind in sorted(_kinds_by_step(folder).get(step, ()), reverse=True):
        os.remove(f"{path_of(folder, step)}.{kind}")


def clear_unfinished(folder):
    """Deletes what a process left behind that was killed while saving."""
    for step, kinds in _kinds_by_step(folder).items():
        if "index" not in kinds and _was_unfinished(folder, step):
            delete(folder, step)
    for name in os.listdir(folder):
        if re.fullmatch(r"\.ckpt-\d+\.unfinished", name):
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


def write_state(folder):
    """Writes the file `checkpoint`, which `tf.train.latest_checkpoint` reads."""
    names = [f"ckpt-{step}" for step in steps(folder)]
    lines = [f'model_checkpoint_path: "{names[-1]}"']
    lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
    atomic.write(os.path.join(folder, _STATE), "\n".join(lines) + "\n")


def _kinds_by_step(folder):
    """`{step: {"index", "data-00000-of-00001", ...}}` of the files in a folder."""
    found = {}
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        if match := _FILE.fullmatch(name):
            found.setdefault(int(match[1]), set()).add(match[2])
    return found


def _unfinished(folder, step):
    return os.path.join(folder, f".ckpt-{step}.unfinished")


def _was_unfinished(folder, step):
    return os.path.isdir(_unfinished(folder, step))


def _sync(path):
    """Flushes a file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some file systems cannot for folders
            os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _as_os_errors():
    """Turns TensorFlow's errors about a full or read-only disk into OSError."""
    lost = (
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.UnavailableError,
    )
    try:
        yield
    except tf.errors.OpError as error:
        if isinstance(error, lost) or "ollective" in str(error):
            raise  # another worker has stopped
        raise OSError(error.message.splitlines()[0]) from error
