"""TFRecord files of `tf.train.Example`s."""

import collections
import dataclasses
import functools
import io
import itertools
import math
import os
import re
import typing

import numpy as np
import tensorflow as tf

from simclr_tf.data import pillow, tree
from simclr_tf.data.attempts import attempt
from simclr_tf.data.images import decode
from simclr_tf.data.listing import cleaned, look_alikes, numbered, numbered_ints
from simclr_tf.data.sources.sequential import SequentialSource
from simclr_tf.data.sources.shards import split_of
from simclr_tf.data.sources.subset import Subset
from simclr_tf.data.splits import DataSet
from simclr_tf.errors import UserError

_GZIP = b"\x1f\x8b"


@dataclasses.dataclass(frozen=True)
class Keys:
    """Names of the features of an example.

    Attributes:
        image: Str, the encoded picture, bytes.
        label: Str, its class: an int, or the name of the class as bytes.
        name: Str, the name of its file, bytes.
    """

    image: str = "image/encoded"
    label: str = "image/class/label"
    name: str = "image/filename"


DEFAULT_KEYS = Keys()


def find_records(word, files, keys=DEFAULT_KEYS):
    """TFRecord files, gzip-ed or not, read in their own order.

    Files with train, test or the like in their names, of at least two kinds, are
    splits. Labels are ints from 0 or class names, numbered over all splits together.
    Ints that begin at 1 or later, or leave most numbers out, are renumbered in their
    order. A negative or missing label means an unlabelled example.

    Args:
        word: Str, what the user asked for.
        files: List of str.
        keys: `Keys`.

    Returns:
        `DataSet`.

    Raises:
        UserError: If a file is truncated or not TFRecord, or an example has no image.
    """
    of_split = collections.defaultdict(list)
    for file in files:
        of_split[split_of(os.path.basename(file))].append(file)
    if None in of_split or len(of_split) < 2:
        of_split = {None: files}

    @functools.cache
    def scanned(policy):
        """`(label, name, problem)` of every example of each split."""
        return {
            split: [
                entry
                for file in its_files
                for entry in _scan(word, file, keys, policy.max_image_pixels)
            ]
            for split, its_files in of_split.items()
        }

    def read(split):
        split = split if split in of_split else None
        return _Records(word, split, of_split[split], keys, scanned)

    splits = None if None in of_split else tuple(sorted(of_split))
    return DataSet(word, splits, read)


@dataclasses.dataclass(frozen=True)
class _Records:
    """A split that has not been read yet."""

    word: str
    split: str | None
    files: list
    keys: Keys
    scanned: typing.Callable

    def source(self, policy):
        """The examples as a `SequentialSource`, without those that have no header."""
        scanned = self.scanned(policy)
        if not scanned[self.split]:
            raise UserError(f"--dataset={self.word} holds no example.")
        together = [label for part in scanned.values() for label, _, _ in part]
        numbers, classes, notes = _numbers(self.word, together, self.keys)
        _, names, problems = zip(*scanned[self.split], strict=True)
        labels = None
        if numbers is not None:
            before = itertools.takewhile(lambda split: split != self.split, scanned)
            first = sum(len(scanned[split]) for split in before)
            labels = np.array(numbers[first : first + len(names)], np.int64)
        names = [n.decode(errors="replace") for n in names] if all(names) else None
        title = f"{self.word} {self.split}" if self.split else self.word
        source = SequentialSource(
            self._examples(labels),
            len(problems),
            classes,
            None,
            title,
            lambda record, label=None: self._parsed(record, label, policy),
            labels=labels,
            file_names=names,
        )
        source.files, source.notes = self.files, notes
        return _without_bad(source, problems, policy)

    def _examples(self, labels):
        records = _records(self.files)
        if labels is None:
            return records
        return tf.data.Dataset.zip(
            (records, tf.data.Dataset.from_tensor_slices(labels))
        )

    def _parsed(self, record, label, policy):
        """The image, empty if it cannot be decoded, and its label."""
        spec = {self.keys.image: tf.io.FixedLenFeature([], tf.string)}

        def decoded(record):
            encoded = tf.io.parse_single_example(record, spec)[self.keys.image]
            return decode(encoded, max_pixels=policy.max_image_pixels)

        _, image = attempt(decoded, record)
        return image if label is None else (image, label)


def _without_bad(source, problems, policy):
    """The source without bad examples, which are reported."""
    names = source.file_names()
    bad = [
        (names[number] if names else f"image {number} of {source.name}", problem)
        for number, problem in enumerate(problems)
        if problem
    ]
    policy.require_few(bad, len(problems))
    if bad:
        source.skipped = source.bad = bad
        source = Subset(
            source, [n for n, problem in enumerate(problems) if not problem]
        )
    return source


def _scan(word, file, keys, max_pixels):
    """`(label or None, name, problem or None)` of every example of a file."""
    try:
        for number, record in enumerate(_records([file])):
            example = tf.train.Example.FromString(record.numpy())
            feature = example.features.feature
            images = feature[keys.image].bytes_list.value
            if not images:
                known = ", ".join(sorted(set(feature) - {keys.image})) or "none"
                raise UserError(
                    f"--dataset={word}: example {number} of {file} has no "
                    f"{keys.image}; its features are {known}. "
                    "--tfrecord_image_key says another name."
                )
            problem = pillow.examine(io.BytesIO(images[0]), max_pixels, whole=False)
            if len(images) > 1:
                problem = f"{keys.image} holds {len(images)} pictures"
            label = feature[keys.label]
            values = [*label.int64_list.value, *label.bytes_list.value]
            values += [_whole(word, file, keys, f) for f in label.float_list.value]
            if len(values) > 1:
                raise UserError(
                    f"--dataset={word}: example {number} of {file} has {len(values)} "
                    f"values of {keys.label}, and one is allowed."
                )
            names = feature[keys.name].bytes_list.value
            name = names[0] if names else b""
            yield (values[0] if values else None), name, problem
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


def _whole(word, file, keys, label):
    if math.isnan(label):
        return None
    if math.isinf(label) or label != round(label):
        raise UserError(
            f"--dataset={word}: {keys.label} must be whole numbers or names, got "
            f"{label:g} in {file}."
        )
    return int(label)


def _records(files):
    """The records of files, unpacked as each file's first bytes require."""
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
    """Labels as class numbers, the class names, and notes for the user."""
    known = [label for label in raw if label is not None]
    kinds = {type(label) for label in known}
    if len(kinds) > 1:
        raise UserError(
            f"--dataset={word}: {keys.label} must be numbers or names, got both."
        )
    if kinds == {bytes}:
        names = [(label or b"").decode(errors="replace") for label in raw]
        names, notes = cleaned(names)
        numbers, classes = numbered(names)
        return numbers, classes, notes + look_alikes(classes or ())
    return numbered_ints(raw)
