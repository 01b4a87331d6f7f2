"""TensorFlow Datasets."""

import difflib
import os

import tensorflow as tf

from simclr_tf.data.sources.arrays import in_memory
from simclr_tf.data.sources.sequential import SequentialSource
from simclr_tf.errors import UserError

_IN_MEMORY_BYTES = 2**30


def open_tfds(name, split, data_dir=None):
    """A data set of TensorFlow Datasets, downloaded first if it is not there.

    Small ones whose images have one size are kept in memory, which gives them random
    access; others are read in their own order.

    Args:
        name: Str, such as "cifar10" or "imagenet2012_subset/1pct".
        split: Str.
        data_dir: Str or None, where data sets are kept.

    Returns:
        `Source`.

    Raises:
        UserError: If there is no such data set, split or image feature, or if it cannot
            be downloaded.
    """
    import tensorflow_datasets as tfds  # takes seconds

    builder = _builder(tfds, name, data_dir)
    if split not in builder.info.splits and builder.info.splits:
        _require_split(tfds, builder, name, split)
    features = builder.info.features
    if "image" not in features:
        raise UserError(
            f"--dataset={name} has no feature image; it has {', '.join(features)}."
        )
    label = features["label"] if "label" in features else None
    labelled = isinstance(label, tfds.features.ClassLabel)
    # Labels and names are read, and images left out, without decoding any.
    dataset = builder.as_dataset(
        split=split,
        shuffle_files=False,
        decoders={"image": tfds.decode.SkipDecoding()},
    )

    def parse(example):
        image = _rgb(features["image"].decode_example(example["image"]))
        return (image, tf.cast(example["label"], tf.int64)) if labelled else image

    def column(name):
        return list(dataset.map(lambda example: example[name]).as_numpy_iterator())

    def file_names():
        return [file_name.decode() for file_name in column("file_name")]

    shape = features["image"].shape
    shape = (shape[0], shape[1], 3) if shape[0] and shape[1] else None
    source = SequentialSource(
        dataset,
        builder.info.splits[split].num_examples,
        tuple(label.names) if labelled else None,
        shape,
        name,
        parse,
        labels=(lambda: column("label")) if labelled else None,
        file_names=file_names if "file_name" in features else None,
    )
    if shape and source.num_examples * shape[0] * shape[1] * 3 <= _IN_MEMORY_BYTES:
        return in_memory(source)
    return source


def _builder(tfds, name, data_dir):
    """The prepared builder of a name."""
    base = name.split("/")[0].split(":")[0]
    known = tfds.list_builders()
    on_disk = data_dir and os.path.isdir(os.path.join(data_dir, base))
    if base not in known and not on_disk:
        close = difflib.get_close_matches(base, ["bundled", *known], n=3)
        hint = f" Close: {', '.join(close)}." if close else ""
        raise UserError(
            f"--dataset={name} is unknown: neither bundled, nor a folder, a .csv or "
            f".tfrecord file here, nor a name of TensorFlow Datasets.{hint}"
        )
    try:
        builder = tfds.builder(name, data_dir=data_dir)
        builder.download_and_prepare()
    except Exception as error:  # each data set raises its own
        raise UserError(
            f"--dataset={name} is not in {data_dir or 'the default --data_dir'} and "
            f"could not be prepared ({_first_line(error)}). Prepare it where there is "
            "a network and give its folder as --data_dir, or put its source files into "
            "<data_dir>/downloads/manual."
        ) from error
    return builder


def _require_split(tfds, builder, name, split):
    """Lets slices such as train[:10%] pass, and refuses unknown splits."""
    try:
        builder.info.splits[split]
    except Exception as error:
        splits = ", ".join(builder.info.splits)
        raise UserError(
            f"--dataset={name} has no split {split}; there are: {splits}."
        ) from error


def _rgb(image):
    return tf.image.grayscale_to_rgb(image) if image.shape[-1] == 1 else image


def _first_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
