"""The files of a run's folder."""

import json
import os
import re
import shutil

import tensorflow as tf

from simclr_tf.errors import UserError


def make_directory(path):
    """Makes a run's folder, and finds out now whether it can be written.

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
        raise UserError(
            f"--model_dir={path} cannot be written: {error.strerror}. Give a folder "
            "that you may write to."
        ) from error


def write_json(path, values):
    """Writes JSON whole or not at all.

    Raises:
        UserError: If it cannot be written.
    """
    unfinished = f"{path}.tmp"
    try:
        with open(unfinished, "w", encoding="utf-8") as file:
            json.dump(values, file, indent=2, sort_keys=True)
            file.write("\n")
        os.replace(unfinished, path)
    except OSError as error:
        raise UserError(
            f"--model_dir: {path} cannot be written: {error.strerror}."
        ) from error


def write_scalars(directory, step, values):
    """Writes one point of every curve `eval/...` for TensorBoard."""
    writer = tf.summary.create_file_writer(directory)
    with writer.as_default(step=step):
        for name, value in values.items():
            if name.startswith("eval/"):
                tf.summary.scalar(name, value)
    writer.close()


def keep_newest(directory, keep):
    """Deletes all but the `keep` numbered folders of highest number; 0 keeps all."""
    numbered = [name for name in os.listdir(directory) if re.fullmatch(r"\d+", name)]
    newest_first = sorted(numbered, key=int, reverse=True)
    for name in newest_first[keep:] if keep else []:
        shutil.rmtree(os.path.join(directory, name))
