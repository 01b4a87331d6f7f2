"""NumPy files.

A .npy file holds images. A .npz file holds `images` and, where they are known,
`labels`; or, for every split, `x_train` and `y_train`, or `train_images` and
`train_labels`. Images are uint8 `[N, H, W, 3]`, `[N, H, W, 1]` or `[N, H, W]`; labels
ints or words `[N]`, -1 or "" where one is not known.
"""

import os
import re
import zipfile

import numpy as np
import tensorflow as tf

from simclr_tf.data import tree
from simclr_tf.data.listing import numbered
from simclr_tf.data.sources.arrays import ArraySource
from simclr_tf.data.sources.base import Source
from simclr_tf.data.splits import DataSet
from simclr_tf.errors import UserError

EXTENSIONS = (".npz", ".npy")
_IMAGES = ("images", "image", "x", "data", "arr_0")
_LABELS = ("labels", "label", "y", "arr_1")
_ONE_SPLIT = {"images": _IMAGES, "labels": _LABELS}
_NAMED = re.compile(r"(?P<split>\w+)_(images?|labels?)|(?P<part>[xy])_(?P<of>\w+)")

_DAMAGED = (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile)


class MappedSource(Source):
    """Images of one size in a file that is mapped into memory, not read into it.

    Args:
        images: NumPy array as of `ArraySource`.
        name: Str.
    """

    def __init__(self, images, name):
        super().__init__(name, len(images), image_shape=(*images.shape[1:3], 3))
        self._images = images

    def read(self, index):
        images = tf.numpy_function(self._rows, [index], tf.uint8)
        return tf.ensure_shape(images, [*index.shape, *self.image_shape])

    def _rows(self, index):
        rows = self._images[index]
        rows = rows[..., np.newaxis] if self._images.ndim == 3 else rows
        return np.ascontiguousarray(np.broadcast_to(rows, (*rows.shape[:-1], 3)))


def find_arrays(path):
    """A data set in a .npz or .npy file.

    Raises:
        UserError: If it cannot be read, or holds no images.
    """
    if tree.is_remote(path):
        raise UserError(f"--dataset={path}: NumPy files are read of this machine only.")
    try:
        if path.lower().endswith(".npy"):
            images = np.load(path, mmap_mode="r", allow_pickle=False)
            _require_images(path, "its array", images)
            return DataSet(path, None, lambda split: MappedSource(images, path))
        _require_memory(path)
        with np.load(path, allow_pickle=False) as arrays:
            return _of_archive(path, list(arrays.files))
    except (*_DAMAGED, TypeError) as error:
        raise _unreadable(path, error) from error


def _require_memory(path):
    """Refuses an archive whose arrays do not fit into memory, before any is taken."""
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > memory:
        raise UserError(
            f"--dataset={path} holds {size / 1e9:,.1f} GB of arrays, more than the "
            f"{memory / 1e9:,.1f} GB of memory. A .npy file is not read into it."
        )


def _of_archive(path, names):
    splits = {}
    for name in names:
        match = _NAMED.fullmatch(name)
        if match:
            part = match["part"] or match[2][0].replace("i", "x").replace("l", "y")
            splits.setdefault(match["split"] or match["of"], {})[part] = name
    splits = {split: parts for split, parts in splits.items() if "x" in parts}
    if splits:
        chosen = splits
    else:
        images = [name for name in _IMAGES if name in names]
        labels = [name for name in _LABELS if name in names]
        if not images and len(names) != 1:
            raise UserError(
                f"--dataset={path} must hold the array images, and labels if there are "
                f"any; its arrays are {', '.join(names) or 'none'}."
            )
        chosen = {"train": {"x": (images or names)[0], "y": (labels or [None])[0]}}

    def read(split):
        parts = chosen[split]
        try:
            with np.load(path, allow_pickle=False) as arrays:
                images = arrays[parts["x"]]
                labels = arrays[parts["y"]] if parts.get("y") else None
                given = arrays["class_names"] if "class_names" in names else None
        except _DAMAGED as error:
            raise _unreadable(path, error) from error
        _require_images(path, parts["x"], images)
        name = f"{path} {split}" if splits else path
        if labels is None:
            return ArraySource(images, name=name)
        labels, classes = _labels(path, parts["y"], labels, len(images))
        if given is not None and len(given) >= len(classes or ()):
            classes = given.tolist()
        return ArraySource(images, labels, classes, name)

    return DataSet(path, tuple(sorted(splits)) or None, read)


def _require_images(path, name, images):
    """Refuses what `ArraySource` would, with the file and the cure."""
    channels = images.shape[3:] in ((), (1,), (3,))
    if images.dtype == np.uint8 and images.ndim in (3, 4) and channels and images.size:
        return
    raise UserError(
        f"--dataset={path}: {name} must be images, uint8 [N, H, W, 3], [N, H, W, 1] or "
        f"[N, H, W] of 0..255, got {images.dtype.name} {list(images.shape)}."
    )


def _labels(path, name, labels, count):
    """Int labels, and the names of classes, None where the numbers are the names."""
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.shape != (count,) or labels.dtype.kind not in "iuUS":
        raise UserError(
            f"--dataset={path}: {name} must be whole numbers or words, one for each of "
            f"{count} images, got {labels.dtype.name} {list(labels.shape)}."
        )
    if labels.dtype.kind in "US":
        return numbered(np.char.strip(labels.astype(str)).tolist())
    return np.maximum(labels.astype(np.int64), -1), None


def _unreadable(path, error):
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "pickle" in reason:
        reason = "it holds Python objects, or is no NumPy file"
    return UserError(f"--dataset={path} cannot be read as a NumPy file: {reason}.")
