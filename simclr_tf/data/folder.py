"""Folders of image files, and lists of files."""

import concurrent.futures
import contextlib
import csv
import os
import warnings

import tensorflow as tf
from PIL import Image

from simclr_tf.data.source import FileSource
from simclr_tf.errors import UserError

_EXTENSIONS = (".jpg", ".jpeg", ".png", ".gif", ".bmp")
_SPLITS = ("train", "val", "validation", "test")
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")
# Up to so many files are decoded when the source is opened; of more, only the first
# bytes are looked at.
_DECODED = 1000


def open_folder(path, split):
    """Images under a folder.

    `path/<split>/` is taken; a folder without splits is a training split as a whole. If
    images lie in subfolders of it, each subfolder is a class, with whatever is nested
    below. If images lie directly in it, they have no labels.

    Args:
        path: Str.
        split: Str.

    Returns:
        `FileSource`.

    Raises:
        UserError: If there are no images, or one cannot be read.
    """
    splits = [name for name in _folders(path) if name in {*_SPLITS, split}]
    if split not in (splits or ["train"]):
        raise UserError(
            f"--dataset={path} has no split {split}; there are: "
            f"{', '.join(splits or ['train (the whole folder)'])}. A split is a folder "
            "in it."
        )
    root = os.path.join(path, split) if splits else path
    files = sorted(
        os.path.join(folder, name)
        for folder, _, names in os.walk(root, followlinks=True)
        for name in names
        if name.lower().endswith(_EXTENSIONS) and not name.startswith(".")
    )
    if not files:
        raise UserError(
            f"--dataset={path}: no image under {root}. Allowed: files "
            f"{', '.join(_EXTENSIONS)}, in a folder a class or without classes."
        )
    require_readable(files)
    tops = [os.path.relpath(file, root).split(os.sep)[:-1] for file in files]
    if not all(tops):
        return FileSource(files, name=root)
    # Of all splits, so that a class has one number in each.
    others = [os.path.join(path, name) for name in splits]
    names = {top[0] for top in tops}.union(*map(_folders, others))
    classes = tuple(sorted(names))
    numbers = {name: number for number, name in enumerate(classes)}
    return FileSource(files, [numbers[top[0]] for top in tops], classes, name=root)


def open_csv(path):
    """Images that a CSV file lists.

    The file has a header with the column `path` (relative to the file) and, where
    images have labels, `label` (any words).

    Args:
        path: Str.

    Returns:
        `FileSource`.

    Raises:
        UserError: If the file has no such column or no rows, or an image is broken.
    """
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    if "path" not in (reader.fieldnames or ()):
        raise UserError(
            f"--dataset={path} needs a header with the column path, and label if there "
            f"are labels; its columns are {', '.join(reader.fieldnames or ['none'])}."
        )
    if not rows:
        raise UserError(f"--dataset={path} lists no image.")
    files = [os.path.join(os.path.dirname(path), row["path"]) for row in rows]
    require_readable(files)
    if "label" not in reader.fieldnames:
        return FileSource(files, name=path)
    classes = tuple(sorted({row["label"] for row in rows}))
    numbers = {name: number for number, name in enumerate(classes)}
    return FileSource(
        files, [numbers[row["label"]] for row in rows], classes, name=path
    )


def require_readable(files):
    """Refuses files that are no images: all by their first bytes, few by decoding.

    Raises:
        UserError: Naming the first such file, and how many there are.
    """
    check = _decoding_error if len(files) <= _DECODED else _header_error
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        errors = list(pool.map(check, files))
    broken = [(file, error) for file, error in zip(files, errors, strict=True) if error]
    if broken:
        file, error = broken[0]
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        raise UserError(
            f"Cannot read the image {file}: {error}{more}. Mend or remove it; allowed "
            "are whole JPEG, PNG, GIF and BMP files."
        )


@contextlib.contextmanager
def naming_broken_files(source):
    """Turns a decoder's failure while `source` is read into one that names the file."""
    try:
        yield
    except tf.errors.InvalidArgumentError:
        files = getattr(source, "paths", ())
        for start in range(0, len(files), _DECODED):
            require_readable(files[start : start + _DECODED])
        raise


def _header_error(file):
    try:
        with open(file, "rb") as opened:
            start = opened.read(8)
    except OSError as error:
        return error.strerror
    return None if start.startswith(_MAGIC) else "it does not begin like an image"


def _decoding_error(file):
    error = _header_error(file)
    if error:
        return error
    try:
        with warnings.catch_warnings(), Image.open(file) as image:
            warnings.simplefilter("ignore")
            image.load()
    except Exception as error:  # Pillow's decoders raise many kinds
        return str(error).rstrip(".") or type(error).__name__
    return None


def _folders(path):
    return sorted(entry.name for entry in os.scandir(path) if entry.is_dir())
