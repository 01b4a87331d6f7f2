"""TFRecord files."""

import glob

import tensorflow as tf

from simclr_tf.data.images import decode
from simclr_tf.data.sources.sequential import SequentialSource
from simclr_tf.errors import UserError


def open_tfrecords(pattern):
    """TFRecord files of `tf.train.Example`s.

    Each has `image/encoded`, and where they are known `image/class/label` (an int from
    0) and `image/filename`.

    Args:
        pattern: Str, a file or a pattern such as `data/train-*.tfrecord`.

    Returns:
        `Source`, read in its own order.

    Raises:
        UserError: If there is no file, or the first example has no image.
    """
    files = sorted(glob.glob(pattern))
    if not files:
        raise UserError(f"--dataset={pattern}: no such TFRecord file.")
    records = tf.data.TFRecordDataset(files)
    labels, names, missing = [], [], 0
    for record in records:
        features = tf.train.Example.FromString(record.numpy()).features.feature
        if not features["image/encoded"].bytes_list.value:
            raise UserError(f"--dataset={pattern}: an example has no image/encoded.")
        label = features["image/class/label"].int64_list.value
        labels.extend(label[:1])
        names.extend(features["image/filename"].bytes_list.value[:1])
        missing += not label
    if not labels and not missing:
        raise UserError(f"--dataset={pattern} holds no example.")
    count, classes = len(labels) + missing, None
    if not missing:
        classes = tuple(str(number) for number in range(max(labels) + 1))

    def parse(record):
        spec = {"image/encoded": tf.io.FixedLenFeature([], tf.string)}
        if classes:
            spec["image/class/label"] = tf.io.FixedLenFeature([], tf.int64)
        example = tf.io.parse_single_example(record, spec)
        image = decode(example["image/encoded"])
        return (image, example["image/class/label"]) if classes else image

    return SequentialSource(
        records,
        count,
        classes,
        None,
        pattern,
        parse,
        labels=labels if classes else None,
        file_names=[n.decode() for n in names] if len(names) == count else None,
    )
