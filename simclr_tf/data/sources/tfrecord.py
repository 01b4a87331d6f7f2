"""TFRecord files of `tf.train.Example`s."""

import dataclasses
import glob
import os
import re

import numpy as np
import tensorflow as tf

from simclr_tf.data import tree
from simclr_tf.data.images import decode
from simclr_tf.data.listing import numbered
from simclr_tf.data.sources.sequential import SequentialSource
from simclr_tf.data.splits import DataSet
from simclr_tf.errors import UserError

_GZIP = b"\x1f\x8b"
_SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})(\.\w+)*")
_RECORDS = re.compile(r".*\.(tfrecords?|tfrec)(\.gz)?(-\d{5}-of-\d{5})?", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Keys:
    """What the features of an example are called.

    Attributes:
        image: Str, the encoded picture, bytes.
        label: Str, its class: an int, or the name of the class as bytes.
        name: Str, the name of its file, bytes.
    """

    image: str = "image/encoded"
    label: str = "image/class/label"
    name: str = "image/filename"


DEFAULT_KEYS = Keys()


def is_records(path):
    """Whether a name or pattern is one of TFRecord files."""
    name = os.path.basename(path)
    return bool(_RECORDS.fullmatch(name) or _SHARD.fullmatch(name))


def shards(prefix):
    """The files `prefix-00000-of-00010` and so on, sorted; empty if there are none.

    Raises:
        UserError: If one is missing.
    """
    files = _matches(f"{glob.escape(prefix)}*-?????-of-?????*")
    found = {file: _SHARD.fullmatch(file) for file in files}
    of = {int(m[3]): m for m in found.values() if m}
    numbers = {int(m[2]) for m in found.values() if m}
    for total in of:
        missing = sorted(set(range(total)) - numbers)
        if missing:
            raise UserError(
                f"--dataset={prefix} has {total} shards, and that of number "
                f"{missing[0]} is missing."
            )
    return sorted(file for file, match in found.items() if match)


def find_records(word, files, keys=DEFAULT_KEYS):
    """TFRecord files, gzip-ed or not, read in their own order.

    Labels are ints from 0, or names of classes. Ints that begin at 1 or later, or leave
    most numbers out, are numbered anew in their order. A negative or missing one is an
    unlabelled example.

    Args:
        word: Str, what the user asked for.
        files: List of str.
        keys: `Keys`.

    Returns:
        `DataSet`.

    Raises:
        UserError: If one is cut or no TFRecord file, or an example has no image.
    """
    return DataSet(word, None, lambda split: _open(word, files, keys))


def _open(word, files, keys):
    scanned = [entry for file in files for entry in _scan(word, file, keys)]
    if not scanned:
        raise UserError(f"--dataset={word} holds no example.")
    raw, names = zip(*scanned, strict=True)
    labels, classes, notes = _numbers(word, raw, keys)
    records = _records(files)
    spec = {keys.image: tf.io.FixedLenFeature([], tf.string)}

    def parse(record, label=None):
        image = decode(tf.io.parse_single_example(record, spec)[keys.image])
        return image if label is None else (image, label)

    if labels is not None:
        labels = np.array(labels, np.int64)
        records = tf.data.Dataset.zip(
            (records, tf.data.Dataset.from_tensor_slices(labels))
        )
    source = SequentialSource(
        records,
        len(scanned),
        classes,
        None,
        word,
        parse,
        labels=labels,
        file_names=[n.decode(errors="replace") for n in names] if all(names) else None,
    )
    source.notes = notes
    return source


def _scan(word, file, keys):
    """`(label or None, name)` of every example of a file."""
    try:
        for number, record in enumerate(_records([file])):
            example = tf.train.Example.FromString(record.numpy())
            feature = example.features.feature
            if not feature[keys.image].bytes_list.value:
                known = ", ".join(sorted(set(feature) - {keys.image})) or "none"
                raise UserError(
                    f"--dataset={word}: example {number} of {file} has no "
                    f"{keys.image}; its features are {known}. "
                    "--tfrecord_image_key says another name."
                )
            label = feature[keys.label]
            values = [*label.int64_list.value, *label.bytes_list.value]
            names = feature[keys.name].bytes_list.value
            yield (values[0] if values else None), (names[0] if names else b"")
    except UserError:
        raise
    except Exception as error:  # TensorFlow's and protobuf's, of many kinds
        reason = (getattr(error, "message", "") or str(error)).splitlines()[0]
        # TensorFlow names its operations before and behind what it says.
        reason = re.sub(r"\{\{.*?\}\}|\[Op:.*", "", reason).strip()
        raise UserError(
            f"--dataset={word}: {file} is cut, or no TFRecord file of "
            f"tf.train.Examples ({reason})."
        ) from error


def _records(files):
    """The records of files, each unpacked as its first bytes say."""
    parts = [
        tf.data.TFRecordDataset(
            file, compression_type="GZIP" if tree.read(file, 2) == _GZIP else None
        )
        for file in files
    ]
    records = parts[0]
    for part in parts[1:]:
        records = records.concatenate(part)
    return records


def _numbers(word, raw, keys):
    """Labels as numbers of classes, the names of classes, and what to say of them."""
    known = [label for label in raw if label is not None]
    kinds = {type(label) for label in known}
    if len(kinds) > 1:
        raise UserError(
            f"--dataset={word}: {keys.label} must be numbers or names, got both."
        )
    if kinds == {bytes}:
        names = [(label or b"").decode(errors="replace") for label in raw]
        return *numbered(names), []
    values = sorted({label for label in known if label >= 0})
    if not values:
        return None, None, []
    if values[0] == 0 and values[-1] < 10 * len(values) + 10:
        names = tuple(str(number) for number in range(values[-1] + 1))
        return [-1 if n is None else max(n, -1) for n in raw], names, []
    numbers = {value: number for number, value in enumerate(values)}
    note = (
        f"Labels are {values[0]} to {values[-1]}, {len(values)} of them: numbered anew "
        f"from 0, in order; their names stay."
    )
    labels = [numbers.get(label, -1) for label in raw]
    return labels, tuple(map(str, values)), [note]


def _matches(pattern):
    if tree.is_remote(pattern):
        return tf.io.gfile.glob(pattern)
    return glob.glob(pattern)
