"""A packed copy of a data set, as `--mode=prepare` writes it.

A folder with `prepared.json` and, for each split, TFRecord shards of `tf.train.Example`
with `image/encoded` and, if known, `image/class/label` and `image/filename`.
`<split>.index.npz` has the place of every record, so that images can be read by number;
the checksum of a record is TFRecord's own.
"""

import json
import os

import numpy as np
import tensorflow as tf

from simclr_tf.data.images import decode
from simclr_tf.data.sources.base import Source
from simclr_tf.data.splits import DataSet
from simclr_tf.errors import UserError
from simclr_tf.printing import printable

DESCRIPTION = "prepared.json"
FORMAT = 1
_KEYS = ("shards", "sizes", "class_names", "file_names")
_AROUND = 16  # bytes that TFRecord adds to a record


class PreparedSource(Source):
    """Images of a packed copy, by number.

    Args:
        directory: Str, the folder.
        split: Str.
        about: Dict, the description of the split in `prepared.json`.
    """

    encoded = True

    def __init__(self, directory, split, about):
        with np.load(index_path(directory, split), allow_pickle=False) as index:
            columns = {name: index[name] for name in index.files}
        labels = columns.get("labels")
        classes = about["class_names"]
        super().__init__(
            f"{directory} {split}",
            len(columns["offsets"]),
            None if classes is None else tuple(classes),
            labels=labels,
            file_names=about["file_names"],
        )
        self._shards = tf.constant(
            [os.path.join(directory, shard) for shard in about["shards"]]
        )
        self._shard_of = tf.constant(columns["shards"], tf.int64)
        self._offsets = tf.constant(columns["offsets"], tf.int64)
        self._sizes = tf.constant(columns["sizes"], tf.int64)
        self._labels = None if labels is None else tf.constant(labels, tf.int64)

    def read(self, index):
        encoded, *label = tf.nest.flatten(self.read_encoded(index))
        return (decode(encoded), *label) if label else decode(encoded)

    def read_encoded(self, index):
        """The bytes of an image and its label, or the bytes alone; graph mode."""
        records = tf.raw_ops.TFRecordDatasetV2(
            filenames=tf.gather(self._shards, tf.gather(self._shard_of, [index])),
            compression_type="",
            buffer_size=tf.gather(self._sizes, index) + _AROUND,
            byte_offsets=tf.gather(self._offsets, [index]),
        )
        spec = tf.TensorSpec([], tf.string)
        records = tf.data.experimental.from_variant(records, spec)
        features = {"image/encoded": tf.io.FixedLenFeature([], tf.string)}
        record = records.take(1).get_single_element()
        encoded = tf.io.parse_single_example(record, features)["image/encoded"]
        if self._labels is None:
            return encoded
        return encoded, tf.gather(self._labels, index)


def is_prepared(path):
    """Whether a folder is a packed copy."""
    return os.path.isfile(os.path.join(path, DESCRIPTION))


def find_prepared(word, path):
    """The `DataSet` in a packed copy.

    Args:
        word: Str, what the user asked for.
        path: Str, its folder.

    Raises:
        UserError: See `describe`.
    """
    names = tuple(describe(path)["splits"])
    return DataSet(word, names, lambda split: open_prepared(path, split))


def open_prepared(path, split):
    """A split of a packed copy.

    Args:
        path: Str, its folder.
        split: Str.

    Returns:
        `PreparedSource`.

    Raises:
        UserError: If there is no such split, or a file is missing or changed.
    """
    splits = describe(path)["splits"]
    if split not in splits:
        raise UserError(
            f"--dataset={path} has no split {split}; there are: {', '.join(splits)}."
        )
    for shard, size in zip(
        splits[split]["shards"], splits[split]["sizes"], strict=True
    ):
        if os.path.basename(shard) != shard:  # a copy of others may name any file
            raise UserError(
                f"--dataset={path}: {DESCRIPTION} must name files of its folder, got "
                f"{printable(shard)}."
            )
        file = os.path.join(path, shard)
        found = os.path.getsize(file) if os.path.isfile(file) else None
        if found != size:
            raise UserError(
                f"--dataset={path}: {shard} must have {size} bytes, got "
                f"{'no file' if found is None else found}. Prepare it anew with "
                "--mode=prepare."
            )
    try:
        return PreparedSource(path, split, splits[split])
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"--dataset={path}: {os.path.basename(index_path(path, split))} cannot be "
            f"read ({error}). Prepare it anew with --mode=prepare."
        ) from error


def describe(path):
    """The content of `prepared.json` in a folder, a dict.

    Raises:
        UserError: If it cannot be read or is of another format.
    """
    file = os.path.join(path, DESCRIPTION)
    try:
        with open(file, encoding="utf-8") as opened:
            about = json.load(opened)
        if about["format"] != FORMAT:
            raise ValueError(f"its format is {about['format']}, not {FORMAT}")
        for split in about["splits"].values():
            _require_whole(split)
        return about
    except KeyError as error:
        raise UserError(
            f"{file} must be as --mode=prepare wrote it: there is no {error}."
        ) from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{file} must be as --mode=prepare wrote it: {error}."
        ) from error


def _require_whole(split):
    """Raises ValueError if a split's description is not like those of `prepare`."""
    if not all(key in split for key in _KEYS):
        raise ValueError(f"a split needs {', '.join(_KEYS)}")
    shards, sizes, *names = (split[key] for key in _KEYS)
    are_files = _is_list(str, shards) and _is_list(int, sizes)
    if not are_files or len(shards) != len(sizes):
        raise ValueError("shards and sizes must be as many names as numbers")
    if not all(some is None or _is_list(str, some) for some in names):
        raise ValueError("class_names and file_names must be lists of names, or null")


def _is_list(kind, value):
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)


def index_path(directory, split):
    """The file with the place of every record of a split."""
    return os.path.join(directory, f"{split}.index.npz")
