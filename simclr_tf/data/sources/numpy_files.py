"""NumPy files.

A .npy file holds images. A .npz file holds `images` and, if they are known, `labels`;
or, for every split, `x_train` and `y_train`, or `train_images` and `train_labels`, in
upper or lower case. Images are uint8 `[N, H, W, 3]`, `[N, H, W, 1]` or `[N, H, W]`;
labels are whole numbers or text `[N]`, negative or "" if unknown. Classes are numbered
over all splits together.
"""

import contextlib
import functools
import os
import re
import zipfile
import zlib

import numpy as np
import tensorflow as tf

from simclr_tf.data import tree
from simclr_tf.data.label_subset import listed
from simclr_tf.data.listing import cleaned, look_alikes, numbered, numbered_ints
from simclr_tf.data.sources.arrays import ArraySource
from simclr_tf.data.sources.base import Source
from simclr_tf.data.splits import DataSet
from simclr_tf.errors import UserError
from simclr_tf.printing import printable

EXTENSIONS = (".npz", ".npy")
_IMAGES = ("images", "image", "x", "data", "arr_0")
_LABELS = ("labels", "label", "y", "arr_1")
_BROKEN = (
    *(OSError, ValueError, EOFError, TypeError, AttributeError, NotImplementedError),
    *(MemoryError, zipfile.BadZipFile, zlib.error),
)
_NAMED = re.compile(
    r"(?P<split>\w+)_(images?|labels?)|(?P<part>[xy])_(?P<of>\w+)", re.IGNORECASE
)


class MappedSource(Source):
    """Images of one size in a memory-mapped file.

    Args:
        images: NumPy array, see `ArraySource`.
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
    with _reading(path):
        if path.lower().endswith(".npy"):
            images = np.load(path, mmap_mode="r", allow_pickle=False)
            _require_images(path, "its array", images)
            return DataSet(path, None, lambda split: MappedSource(images, path))
        _require_memory(path)
        with np.load(path, allow_pickle=False) as arrays:
            files = arrays.zip.namelist()
        return _of_archive(path, [n[:-4] for n in files if n.endswith(".npy")])


def _require_memory(path):
    """Refuses an archive whose arrays do not fit into memory, before reading any."""
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
            part = (match["part"] or match[2][0]).lower()
            part = {"i": "x", "l": "y"}.get(part, part)
            splits.setdefault(match["split"] or match["of"], {})[part] = name
    splits = {split: parts for split, parts in splits.items() if "x" in parts}
    if splits:
        chosen = splits
    else:
        in_any_case = {name.lower(): name for name in names}
        images = [in_any_case[name] for name in _IMAGES if name in in_any_case]
        labels = [in_any_case[name] for name in _LABELS if name in in_any_case]
        if not images and len(names) != 1:
            raise UserError(
                f"--dataset={path} must hold the array images, and labels if there are "
                f"any; its arrays are {', '.join(names) or 'none'}."
            )
        chosen = {"train": {"x": (images or names)[0]}}
        if labels:
            chosen["train"]["y"] = labels[0]
    others = set(names) - {"class_names"}
    others -= {name for parts in chosen.values() for name in parts.values()}
    not_read = f"Arrays that are not read: {listed(sorted(map(printable, others)))}."

    @functools.cache
    def labels():
        """The numbers of each split, and the classes of all splits together."""
        raw, given = {}, None
        with _reading(path), np.load(path, allow_pickle=False) as arrays:
            if "class_names" in names:
                given = arrays["class_names"].astype(str).tolist()
            for split, parts in chosen.items():
                if "y" in parts:
                    raw[split] = _flat(path, parts["y"], arrays[parts["y"]])
        return _numbered(path, raw, given)

    def read(split):
        parts = chosen[split]
        with _reading(path), np.load(path, allow_pickle=False) as arrays:
            images = arrays[parts["x"]]
        _require_images(path, parts["x"], images)
        name = f"{path} {split}" if splits else path
        numbers, classes, notes = labels()
        given = numbers.get(split)
        if given is not None and len(given) != len(images):
            raise UserError(
                f"--dataset={path}: {parts['y']} must be one for each of {len(images)} "
                f"images, got {len(given)}."
            )
        source = ArraySource(images, classes and given, classes, name)
        source.notes = [*notes, not_read] if others else notes
        return source

    return DataSet(path, tuple(sorted(splits)) or None, read)


@contextlib.contextmanager
def _reading(path):
    """Turns NumPy's errors about a file into one line."""
    try:
        yield
    except UserError:
        raise
    except _BROKEN as error:
        raise _unreadable(path, error) from error


def _require_images(path, name, images):
    """Refuses what `ArraySource` would refuse, with the file and what to do."""
    channels = images.shape[3:] in ((), (1,), (3,))
    if images.dtype == np.uint8 and images.ndim in (3, 4) and channels and images.size:
        if images.ndim == 4 or images.shape[2] not in (1, 3):
            return
        raise UserError(
            f"--dataset={path}: {name} looks like one picture, got "
            f"{list(images.shape)}. "
            "One is [1, H, W, 3] or [1, H, W, 1], and grey ones of this width are "
            "[N, H, W, 1]."
        )
    raise UserError(
        f"--dataset={path}: {name} must be images, uint8 [N, H, W, 3], [N, H, W, 1] or "
        f"[N, H, W] of 0..255, got {images.dtype.name} {list(images.shape)}."
    )


def _flat(path, name, labels):
    """Labels `[N]`, whole numbers or text, as a list, with None for unknown ones."""
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.dtype.kind == "f":
        labels = np.where(np.isnan(labels), -1.0, labels)  # as pandas has missing ones
    is_whole = labels.dtype.kind == "f" and bool((labels % 1 == 0).all())
    if labels.ndim != 1 or not (is_whole or labels.dtype.kind in "biuUS"):
        raise UserError(
            f"--dataset={path}: {name} must be whole numbers or words, [N], got "
            f"{labels.dtype.name} {list(labels.shape)}."
        )
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind == "U":
        return labels.tolist()
    return list(map(int, labels.tolist()))


def _numbered(path, raw, given):
    """Labels of every split as numbers of the classes of all splits together.

    Returns:
        `(numbers, classes, notes)`: a dict from split to ints; the class names, None if
        no label is known; a list of str.
    """
    together = [label for labels in raw.values() for label in labels]
    kinds = {type(label) for label in together}
    if len(kinds) > 1:
        raise UserError(f"--dataset={path}: labels must be numbers or names, got both.")
    if kinds == {str}:
        names, notes = cleaned(together)
        numbers, classes = numbered(names)
        notes += look_alikes(classes or ())
    elif given and max(together, default=-1) < len(given):
        numbers, classes, notes = [max(label, -1) for label in together], given, []
    elif given:
        raise UserError(
            f"--dataset={path}: class_names must name every label, got {len(given)} "
            f"names and the label {max(together)}."
        )
    else:
        numbers, classes, notes = numbered_ints(together)
    rest = iter(together if numbers is None else numbers)
    found = {split: [next(rest) for _ in labels] for split, labels in raw.items()}
    return found, classes, notes


def _unreadable(path, error):
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "pickle" in reason or "Python objects" in reason:
        reason = "it holds Python objects, or is no NumPy file"
    return UserError(
        f"--dataset={path} cannot be read as a NumPy file: {reason.rstrip('.')}."
    )
