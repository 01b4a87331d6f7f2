"""The files of a run's folder."""

import json
import os
import re
import shutil
import stat

from simclr_tf import atomic
from simclr_tf.errors import UserError


def make_directory(path):
    """Creates a run's folder, and checks that it can be written.

    Raises:
        UserError: If it cannot.
    """
    try:
        os.makedirs(path, exist_ok=True)
        probe = os.path.join(path, ".writable")
        with open(probe, "w", encoding="utf-8"):
            pass
        os.remove(probe)
    except OSError as error:
        raise _unwritable(path, error) from error


def require_possible(path):
    """Refuses a run's folder that could not be created, without creating it.

    Raises:
        UserError: If a part of the path is not a folder, or must not be written to.
    """
    place = os.path.abspath(path)
    while True:
        try:
            is_folder = stat.S_ISDIR(os.stat(place).st_mode)
        except FileNotFoundError:
            place = os.path.dirname(place)
            continue
        except OSError as error:
            raise _unwritable(path, error) from error
        break
    if not is_folder:
        raise _unwritable(path, NotADirectoryError(0, f"{place} is no folder"))
    if not os.access(place, os.W_OK | os.X_OK):
        raise _unwritable(path, PermissionError(0, f"{place} may not be written to"))


def _unwritable(path, error):
    return UserError(
        f"--model_dir={path} cannot be written: {error.strerror}. Give a folder that "
        "you may write to."
    )


def write_json(path, values):
    """Writes JSON completely or not at all.

    Raises:
        UserError: If it cannot be written.
    """
    try:
        atomic.write(path, json.dumps(values, indent=2, sort_keys=True) + "\n")
    except OSError as error:
        raise UserError(
            f"--model_dir: {path} cannot be written: {error.strerror}."
        ) from error


def keep_newest(directory, keep):
    """Deletes all numbered folders except the `keep` highest; 0 keeps all."""
    numbered = [name for name in os.listdir(directory) if re.fullmatch(r"\d+", name)]
    newest_first = sorted(numbered, key=int, reverse=True)
    for name in newest_first[keep:] if keep else []:
        shutil.rmtree(os.path.join(directory, name))
