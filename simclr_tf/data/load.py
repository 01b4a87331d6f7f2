"""Opens any data set by one word."""

import dataclasses
import glob
import os

import numpy as np
import tensorflow as tf

from simclr_tf.data import tree
from simclr_tf.data.bad_image_policy import SKIP_FEW
from simclr_tf.data.folders import find_folders, find_pictures
from simclr_tf.data.sources import ArraySource, manifest, numpy_files, prepared
from simclr_tf.data.sources.shards import complete, is_records, shards
from simclr_tf.data.sources.tfds import find_tfds, is_prepared
from simclr_tf.data.sources.tfrecord import DEFAULT_KEYS, find_records
from simclr_tf.data.splits import DataSet
from simclr_tf.errors import UserError

_ALLOWED = (
    "bundled, a folder, folders with commas between, a quoted pattern, an image, a "
    ".csv, .tsv, .parquet, .npz, .npy or .tfrecord file, a name of TensorFlow Datasets"
)
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
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
    """Facts about a data set.

    Attributes:
        num_examples: Int.
        num_classes: Int, or None if images have no labels.
        class_names: Tuple of str, or None.
        image_shape: `(H, W, 3)`, or None if images differ in size.
    """

    num_examples: int
    num_classes: int | None
    class_names: tuple[str, ...] | None
    image_shape: tuple[int, int, int] | None


def load(
    name, split="train", data_dir=None, with_info=False, allow_outside_paths=False
):
    """Loads a data set for `model.fit`.

    Args:
        name: "bundled" (10 000 train and 2 000 test images of Fashion-MNIST that come
            with the toolkit); a folder of images, several separated by commas, a
            pattern, an image file; a .csv, .tsv or .parquet file that lists images; a
            .npz, .npy or .tfrecord file; or a name in TensorFlow Datasets. These are
            the values of `--dataset`, see docs/data.md.
        split: Str, such as "train" or "test".
        data_dir: Str or None, where TensorFlow Datasets keeps its data.
        with_info: Bool, whether to return an `Info` too.
        allow_outside_paths: Bool, whether relative paths in a file that lists images
            may lead out of its folder.

    Returns:
        Unbatched `tf.data.Dataset` of `(image, label)`, or of `image` if there are no
        labels: uint8 `[H, W, 3]` and int64. With `with_info`, a pair of that and the
        `Info`.

    Raises:
        UserError: If there is no such data set or split, or it cannot be read.

    Example:
        >>> dataset, info = load("bundled", split="test", with_info=True)
        >>> info.num_examples, info.num_classes, info.image_shape
        (2000, 10, (28, 28, 3))
    """
    source = open_source(name, split, data_dir, allow_outside_paths=allow_outside_paths)
    dataset = source.as_dataset()
    dataset = dataset.apply(
        tf.data.experimental.assert_cardinality(source.num_examples)
    )
    info = Info(
        source.num_examples, source.num_classes, source.class_names, source.image_shape
    )
    return (dataset, info) if with_info else dataset


def open_source(
    name,
    split="train",
    data_dir=None,
    keys=DEFAULT_KEYS,
    policy=SKIP_FEW,
    allow_outside_paths=False,
):
    """Opens a data set as a `Source`.

    Args:
        name: Str, as of `load`.
        split: Str, as of `load`.
        data_dir: Str or None, as of `load`.
        keys: `Keys`, the names of features in TFRecord files.
        policy: `BadImagePolicy`, what to do about files that cannot be read.
        allow_outside_paths: Bool, as of `load`.

    Raises:
        UserError: As of `load`.
    """
    return find(name, data_dir, keys, allow_outside_paths).open(split, policy)


def find(name, data_dir=None, keys=DEFAULT_KEYS, allow_outside_paths=False):
    """Finds a data set without opening its splits; arguments as for `open_source`."""
    if name == "bundled":
        understood = {"validation"}.__contains__  # as the published code calls it
        return DataSet(name, ("test", "train"), _open_bundled, understood)
    try:
        return _find(
            name, os.path.expanduser(name), data_dir, keys, allow_outside_paths
        )
    except tf.errors.OpError as error:  # of another file system
        reason = error.message.splitlines()[0]
        raise UserError(f"--dataset={name} cannot be reached: {reason}.") from error


def _find(name, path, data_dir, keys, allow_outside_paths):
    if tree.is_folder(path):
        if prepared.is_prepared(path):
            return prepared.find_prepared(name, path)
        if is_prepared(path):
            return find_tfds(path)
        records = _records_alone(path)
        if records:
            return find_records(name, complete(name, records), keys)
        return find_folders(name, [path])
    if tree.is_file(path):
        return _find_file(name, path, keys, allow_outside_paths)
    if "," in path:
        return find_folders(name, _folders(name))
    if set(path) & tree.WILDCARDS:
        return _find_pattern(name, path, keys)
    return _find_absent(name, path, data_dir, keys)


def _records_alone(folder):
    """The TFRecord files in a folder without images and folders, if any."""
    files = tree.matches(os.path.join(glob.escape(folder), "*"))
    records = [file for file in files if is_records(file)]
    if any(tree.is_folder(file) or tree.is_picture(file) for file in files if records):
        return []
    return records


def _find_file(name, path, keys, allow_outside_paths):
    extension = os.path.splitext(path)[1].lower()
    if extension in manifest.EXTENSIONS:
        return manifest.find_manifest(path, allow_outside_paths)
    if extension in numpy_files.EXTENSIONS:
        return numpy_files.find_arrays(path)
    if is_records(path):
        return find_records(name, [path], keys)
    if tree.is_picture(path):
        return find_pictures(name, path, [path])
    if extension in _ARCHIVES:
        raise UserError(
            f"--dataset={name} is an archive. Unpack it and give the folder."
        )
    raise UserError(
        f"--dataset={name} is a file of a kind that is not read. Allowed: {_ALLOWED}."
    )


def _folders(name):
    """The folders of a comma-separated list."""
    folders = [os.path.expanduser(part.strip()) for part in name.split(",")]
    missing = [folder for folder in folders if not tree.is_folder(folder)]
    if missing:
        raise UserError(
            f"--dataset={name} is taken for a list of folders, and there is no folder "
            f"{missing[0] or '(an empty name)'}."
        )
    return folders


def _find_pattern(name, pattern, keys):
    """Folders, TFRecord files or images that a pattern matches."""
    matches = tree.matches(pattern)
    folders = [match for match in matches if tree.is_folder(match)]
    if matches and len(folders) == len(matches):
        return find_folders(name, matches)
    records = [match for match in matches if is_records(match)]
    if records:
        return find_records(name, records, keys)
    if matches:
        return find_pictures(name, pattern, matches)
    if is_records(pattern):
        raise UserError(f"--dataset={name}: no such TFRecord file.")
    raise UserError(f"--dataset={name} is taken for a pattern, and matches no files.")


def _find_absent(name, path, data_dir, keys):
    """Shards by their common name, or a name in TensorFlow Datasets."""
    files = shards(path)
    if files:
        return find_records(name, files, keys)
    if is_records(path):
        raise UserError(f"--dataset={name}: no such TFRecord file.")
    if os.path.exists(path):
        raise UserError(f"--dataset={name} is no regular file: a pipe or a device.")
    extension = os.path.splitext(path)[1].lower()
    known = {*manifest.EXTENSIONS, *numpy_files.EXTENSIONS, *_ARCHIVES}
    if extension in known | tree.EXTENSIONS:
        raise UserError(f"--dataset={name}: no such file.")
    if name.startswith((os.sep, ".", "~")) or tree.is_remote(name):
        raise UserError(
            f"--dataset={name} is taken for a path: no such folder or file. Allowed: "
            f"{_ALLOWED}."
        )
    return find_tfds(name, data_dir)


def _open_bundled(split):
    split = {"validation": "test"}.get(split, split)
    with np.load(os.path.join(_BUNDLED, f"{split}.npz"), allow_pickle=False) as arrays:
        return ArraySource(
            arrays["images"],
            arrays["labels"],
            _FASHION,
            f"bundled Fashion-MNIST {split}",
        )
