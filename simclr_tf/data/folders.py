"""What a folder of image files means."""

import os

from simclr_tf.data.bad_images import SKIP_FEW
from simclr_tf.data.sources.files import FileSource
from simclr_tf.errors import UserError

_EXTENSIONS = (".jpg", ".jpeg", ".png", ".gif", ".bmp")
_SPLITS = ("train", "val", "validation", "test")


def open_folder(path, split, policy=SKIP_FEW):
    """Images under a folder.

    `path/<split>/` is taken; a folder without splits is a training split as a whole. If
    images lie in subfolders of it, each subfolder is a class, with whatever is nested
    below. If images lie directly in it, they have no labels.

    Args:
        path: Str.
        split: Str.
        policy: `BadImagePolicy`.

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
    tops = [os.path.relpath(file, root).split(os.sep)[:-1] for file in files]
    if not all(tops):
        return FileSource(files, name=root, policy=policy)
    # Of all splits, so that a class has one number in each.
    others = [os.path.join(path, name) for name in splits]
    names = {top[0] for top in tops}.union(*map(_folders, others))
    classes = tuple(sorted(names))
    numbers = {name: number for number, name in enumerate(classes)}
    labels = [numbers[top[0]] for top in tops]
    return FileSource(files, labels, classes, root, policy)


def _folders(path):
    return sorted(entry.name for entry in os.scandir(path) if entry.is_dir())
