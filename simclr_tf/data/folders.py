"""What a folder of image files means.

| in the folder | means |
|---|---|
| only images, or images in one subfolder | images without labels |
| images in several subfolders, at any depth | a class for each top-level subfolder |
| one subfolder that holds everything | that subfolder, at any depth |
| only subfolders called train, val, test, ... | splits |
| a training and an evaluation folder, one of them with subfolders of images, beside \
others | splits, all of them |
| a folder called train or test beside classes | a class * |
| two splits of one meaning, such as train and Train | the one that is asked for * |
| folders called train and test inside every class folder | the same class * |
| images beside class folders, fewer than in them | unlabelled images (-1) * |
| images beside class folders, at least as many | images without labels * |
| class names that differ only in case, spaces or Unicode form | different classes * |
| hidden folders, `__MACOSX`, `@eaDir`, `$RECYCLE.BIN`, empty ones, ... | ignored |
| hidden files, `._a.jpg` | ignored |
| files with other extensions | not read, counted in the summary |
| files without extension | images if their first bytes say so |
| a link to a folder that is read already | skipped: each file is there once * |
| a link to a file that is there already | a file of its own * |
| a folder that cannot be read | skipped * |

* The user is told.

The words for splits, in any case: train, training; val, valid, validation, dev, eval;
test, testing; unlabeled; also with set, images, data or a year, as in training_set and
val2017. Classes are numbered in alphabetical order over all splits together.
"""

import collections
import os
import posixpath

from simclr_tf.data import tree
from simclr_tf.data.label_subset import listed
from simclr_tf.data.listing import Listing, look_alikes, numbered
from simclr_tf.data.splits import TRAIN, UNLABELED, DataSet, meaning
from simclr_tf.errors import UserError
from simclr_tf.printing import printable


def find_folders(word, roots):
    """A data set in folders, as if the contents of several were in one.

    Args:
        word: Str, what the user asked for.
        roots: List of str.

    Returns:
        `DataSet`.

    Raises:
        UserError: If there is no image.
    """
    found = tree.walk(roots)
    files = [
        (picture, _parts(picture, root))
        for root, part in zip(roots, found, strict=True)
        for picture in part.pictures
    ]
    skipped = [fault for part in found for fault in part.skipped]
    if not files:
        raise UserError(_nothing(word, found, skipped))
    notes = _left_out(found)
    if len(roots) > 1 and all(len(parts) == 1 for _, parts in files):
        notes = [*notes, _TOGETHER]
    return _data_set(word, files, skipped, notes)


def find_pictures(word, pattern, matches):
    """A data set of the matches of a pattern, like a folder with no other files.

    Args:
        word: Str, what the user asked for.
        pattern: Str.
        matches: List of str.

    Returns:
        `DataSet`.

    Raises:
        UserError: If there is no image among them.
    """
    found = tree.of_matches(pattern, matches)
    if not found.pictures:
        raise UserError(_nothing(word, [found], found.skipped))
    root = _common([os.path.dirname(file) for file in found.pictures])
    files = [(file, _parts(file, root)) for file in found.pictures]
    return _data_set(word, files, found.skipped, _left_out([found]))


def _data_set(word, files, skipped, notes):
    files = _unwrapped(files, keep=lambda name: meaning(name) not in (None, UNLABELED))
    tops = {parts[0] for _, parts in files if len(parts) > 1}
    splits = _splits(files, tops)
    in_split = {TRAIN: files}
    if splits:
        in_split = {name: [] for name in splits}
        for file, parts in files:
            if len(parts) > 1:
                in_split[parts[0]].append((file, parts[1:]))
        beside = [file for file, parts in files if len(parts) == 1]
        skipped = skipped + [(file, "it is in no split") for file in beside]
    classes, faults = _classes(in_split)
    below = {meaning(parts[1]) for _, parts in files if len(parts) > 2} - {None}
    if not splits and len(below) > 1:
        notes = [*notes, _SPLITS_BELOW]
    named = sorted(top for top in tops if meaning(top))
    if not splits and named and len(tops) > 1:
        text = "Folders that are classes, not splits, as others are beside them"
        notes = [*notes, f"{text}: {listed(list(map(printable, named)))}."]

    def read(split):
        if split in in_split:
            taken = in_split[split]
        else:
            taken = [(f, parts[1:]) for f, parts in files if parts[0] == split]
        paths = [file for file, _ in taken]
        name = printable(f"{word} {split}" if splits else word)
        if split not in in_split or not any(path in classes for path in paths):
            return Listing(paths, None, None, name, skipped, notes + faults)
        labels = [classes.get(file, -1) for file in paths]
        names = classes[_NAMES]
        return Listing(paths, labels, names, name, skipped, notes + faults)

    return DataSet(word, splits, read, tops.__contains__)


_TOGETHER = (
    "No labels: the folders are taken together. To make a class of each, give the "
    "folder that they are in."
)
_SPLITS_BELOW = (
    "Folders called train, test and the like inside the class folders are not taken "
    "for splits: all their images are."
)
_NAMES = None  # the key of the names of classes, which no file has


def _splits(files, tops):
    """Which of the top-level folders are splits: a tuple of names, or None."""
    named = {top for top in tops if meaning(top)}
    if named and named == tops:
        return tuple(sorted(tops))
    deep = {parts[0] for _, parts in files if len(parts) > 2}
    kinds = {meaning(top) == TRAIN for top in named}
    return tuple(sorted(tops)) if len(kinds) == 2 and named & deep else None


def _classes(in_split):
    """The class of each file, over all splits, and notes for the user.

    Returns:
        `(classes, notes)`: a dict from file to number, which has the class names at
        `_NAMES` and is empty if there are no classes; and a list of str.
    """
    together = _unwrapped([entry for split in in_split.values() for entry in split])
    tops = {file: parts[0] if len(parts) > 1 else None for file, parts in together}
    notes, labelled = [], {}
    for split in in_split.values():
        of_split = {file: tops[file] for file, _ in split}
        stray = [file for file, top in of_split.items() if top is None]
        where = f"{listed(list(map(printable, stray)))}."
        if 2 * len(stray) < len(split):
            labelled |= of_split
            notes += [f"Unlabelled, beside the class folders: {where}"] if stray else []
        elif len({*of_split.values()}) > 2:
            notes.append(
                f"No labels: {len(stray)} images are in no class folder: {where}"
            )
    names = {top for top in labelled.values() if top is not None}
    if len(names) < 2:
        return {}, [note for note in notes if note.startswith("No labels")]
    numbers, class_names = numbered(list(labelled.values()), by_value=False)
    classes = dict(zip(labelled, numbers, strict=True))
    classes[_NAMES] = tuple(map(printable, class_names))
    return classes, notes + look_alikes(names)


def _unwrapped(files, keep=lambda name: False):
    """The files without the folders that all of them have in common.

    Args:
        files: List of `(file, parts)`, the names of folders and file below the root.
        keep: Callable from a folder's name to whether it is kept.
    """
    while True:
        tops = {parts[0] for _, parts in files}
        is_wrapped = len(tops) == 1 and all(len(parts) > 1 for _, parts in files)
        if not is_wrapped or keep(*tops):
            return files
        files = [(file, parts[1:]) for file, parts in files]


def _left_out(found):
    """Lines about files that are not read and folders that are not data."""
    others = collections.Counter()
    for part in found:
        others.update(part.others)
    folders = [printable(folder) for part in found for folder in part.left_out]
    links = [printable(file) for part in found for file in part.links]
    lines = []
    if others:
        counts = ", ".join(
            f"{count} {printable(extension) or 'without extension'}"
            for extension, count in sorted(others.items())
        )
        lines.append(f"Not read, by extension: {counts}.")
    if folders:
        lines.append(f"Hidden and system folders: {listed(sorted(folders))}.")
    if links:
        text = f"{len(links):,} links to files that are there too, which count again"
        lines.append(f"{text}: {listed(links)}.")
    return lines


def _nothing(word, found, skipped):
    reasons = [f"{printable(folder)} ({why})" for folder, why in skipped]
    why = " ".join([*_left_out(found), *(f"Skipped {r}." for r in reasons[:3])])
    return (
        f"--dataset={printable(word)}: no image there. Allowed: files .jpg, .png, "
        f".gif, .bmp, .webp, .tif and others, in a folder a class or without classes. "
        f"{why}"
    ).strip()


def _parts(file, root):
    if tree.is_remote(file):
        return posixpath.relpath(file, root).split("/")
    return os.path.relpath(file, root).split(os.sep)


def _common(folders):
    """The common folder of all files."""
    if not tree.is_remote(folders[0]):
        return os.path.commonpath(folders)
    parts = os.path.commonprefix([folder.split("/") for folder in folders])
    return "/".join(parts)
