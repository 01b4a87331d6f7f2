"""Any data set by one word."""

import dataclasses
import os

import numpy as np
import tensorflow as tf

from simclr_tf.data.bad_images import SKIP_FEW
from simclr_tf.data.folders import open_folder
from simclr_tf.data.sources import ArraySource
from simclr_tf.data.sources.manifest import open_csv
from simclr_tf.data.sources.prepared import is_prepared, open_prepared
from simclr_tf.data.sources.tfds import open_tfds
from simclr_tf.data.sources.tfrecord import open_tfrecords
from simclr_tf.errors import UserError

_BUNDLED = os.path.join(os.path.dirname(__file__), "bundled")
_FASHION = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


@dataclasses.dataclass(frozen=True)
class Info:
    """What is known of a data set.

    Attributes:
        num_examples: Int.
        num_classes: Int, or None where images have no labels.
        class_names: Tuple of str, or None.
        image_shape: `(H, W, 3)`, or None where images differ in size.
    """

    num_examples: int
    num_classes: int | None
    class_names: tuple[str, ...] | None
    image_shape: tuple[int, int, int] | None


def load(name, split="train", data_dir=None, with_info=False):
    """A data set as `model.fit` takes it.

    Args:
        name: "bundled" (10 000 train and 2 000 test images of Fashion-MNIST that come
            with the toolkit), a folder of images, a .csv or .tfrecord file, or a name
            of TensorFlow Datasets. The same words as of `--dataset`.
        split: Str, such as "train" or "test".
        data_dir: Str or None, where TensorFlow Datasets keeps its data.
        with_info: Bool, whether to return an `Info` too.

    Returns:
        Unbatched `tf.data.Dataset` of `(image, label)`, or of `image` where there are
        no labels: uint8 `[H, W, 3]` and int64. With `with_info`, a pair.

    Raises:
        UserError: If there is no such data set or split, or it cannot be read.

    Example:
        >>> dataset, info = load("bundled", split="test", with_info=True)
        >>> info.num_examples, info.num_classes, info.image_shape
        (2000, 10, (28, 28, 3))
    """
    source = open_source(name, split, data_dir)
    dataset = source.as_dataset()
    dataset = dataset.apply(
        tf.data.experimental.assert_cardinality(source.num_examples)
    )
    info = Info(
        source.num_examples, source.num_classes, source.class_names, source.image_shape
    )
    return (dataset, info) if with_info else dataset


def open_source(name, split="train", data_dir=None, policy=SKIP_FEW):
    """A data set as a `Source`; arguments and errors as of `load`.

    Args:
        name: Str.
        split: Str.
        data_dir: Str or None.
        policy: `BadImagePolicy`, what is done about files that cannot be read.
    """
    if name == "bundled":
        return _open_bundled(split)
    if is_prepared(name):
        return open_prepared(name, split)
    if os.path.isdir(name):
        return open_folder(name, split, policy)
    if name.endswith(".csv"):
        if not os.path.isfile(name):
            raise UserError(f"--dataset={name}: no such file.")
        return open_csv(name, policy)
    if name.endswith(".tfrecord"):
        return open_tfrecords(name)
    if os.sep in name and name.startswith((os.sep, ".", "~")):
        raise UserError(f"--dataset={name}: no such folder.")
    return open_tfds(name, split, data_dir)


def _open_bundled(split):
    split = {"validation": "test"}.get(split, split)
    if split not in ("train", "test"):
        raise UserError(
            f"--dataset=bundled has no split {split}; there are: train, test."
        )
    with np.load(os.path.join(_BUNDLED, f"{split}.npz")) as arrays:
        return ArraySource(
            arrays["images"],
            arrays["labels"],
            _FASHION,
            f"bundled Fashion-MNIST {split}",
        )
