"""The files of a run's folder."""

import contextlib
import json
import os
import re
import shutil
import tempfile

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


@contextlib.contextmanager
def written_by_chief(path, chief):
    """The folder to write to: the run's for the chief, else one that is thrown away."""
    if chief:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        yield folder


def write_json(path, values):
    """Writes JSON whole or not at all."""
    unfinished = f"{path}.tmp"
    with open(unfinished, "w", encoding="utf-8") as file:
        json.dump(values, file, indent=2, sort_keys=True)
        file.write("\n")
    os.replace(unfinished, path)


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
