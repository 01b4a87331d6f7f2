"""Files that list images in the columns path, label and split."""

import collections
import os
import urllib.parse

from simclr_tf.data import tree
from simclr_tf.data.label_subset import listed
from simclr_tf.data.listing import Listing, cleaned, look_alikes, numbered
from simclr_tf.data.sources import tables
from simclr_tf.data.splits import DataSet
from simclr_tf.errors import UserError
from simclr_tf.printing import printable

EXTENSIONS = (".csv", ".tsv", ".parquet")
_FILE_URL = "file://"  # and a path from the root


def find_manifest(path, allow_outside_paths=False):
    """Finds the images that a file lists.

    It has the column `path` (absolute, with ~, or relative to the file), and may have
    `label` (any text; empty: not known) and `split`. The case of column names does not
    matter; other columns are ignored.

    Args:
        path: Str, a .csv, .tsv or .parquet file.
        allow_outside_paths: Bool, whether relative paths may lead out of its folder.

    Returns:
        `DataSet`.

    Raises:
        UserError: If it cannot be read, has no column path, lists no image, or leads
            out of its folder.
    """
    rows, columns = tables.read(path)
    named = [(place, row) for place, row in rows if row["path"]]
    skipped = [
        (f"{path} row {place}", "it has no path")
        for place, row in rows
        if not row["path"]
    ]
    if not named:
        raise UserError(f"--dataset={path} lists no image.")
    if "split" in columns:
        skipped += [
            (f"{path} row {p}", "it has no split") for p, r in named if not r["split"]
        ]
        named = [(place, row) for place, row in named if row["split"]]
    if not allow_outside_paths:
        _require_inside(path, named)
    return _data_set(path, [row for _, row in named], columns, skipped)


def _require_inside(path, rows):
    """Refuses relative paths that lead out: somebody else's list may name any file."""
    for place, row in rows:
        if os.path.normpath(_slashed(row["path"])).split(os.sep)[0] == os.pardir:
            raise UserError(
                f"--dataset={path} row {place}: {printable(row['path'])} leads out of "
                "the folder of the list. Write such paths from the root, or allow them "
                "with --allow_outside_paths."
            )


def _data_set(path, rows, columns, skipped):
    splits = None
    if "split" in columns:
        splits = tuple(sorted({row["split"] for row in rows}))
        if not splits:
            raise UserError(f"--dataset={path}: its column split is empty.")
    names, notes = cleaned([row["label"] for row in rows])
    labels, classes = numbered(names)
    classes = classes and tuple(map(printable, classes))
    files = [_resolved(row["path"], os.path.dirname(path)) for row in rows]
    notes += _repeated(files, names, [row["split"] for row in rows])
    notes += look_alikes(classes or ())

    def read(split):
        taken = [
            place
            for place, row in enumerate(rows)
            if splits is None or row["split"] == split
        ]
        return Listing(
            [files[place] for place in taken],
            None if labels is None else [labels[place] for place in taken],
            classes,
            f"{path} {split}" if splits else path,
            skipped,
            notes,
        )

    return DataSet(path, splits, read)


def _repeated(files, names, splits):
    """Notes about files that several rows name."""
    met = collections.defaultdict(set)
    for file, name, split in zip(map(_normal, files), names, splits, strict=True):
        met[file].add((name, split))
    more = len(files) - len(met)
    if not more:
        return []
    at_odds = {
        "with different labels": [
            file for file, rows in met.items() if len({name for name, _ in rows}) > 1
        ],
        "in different splits": [
            file for file, rows in met.items() if len({split for _, split in rows}) > 1
        ],
    }
    counted = [
        f"Files listed {how}: {listed(list(map(printable, which)))}."
        for how, which in at_odds.items()
        if which
    ]
    return [f"{more:,} rows name a file again, which then counts again.", *counted]


def _normal(file):
    return file if tree.is_remote(file) else os.path.normpath(file)


def _resolved(file, folder):
    """A path of the manifest, resolved."""
    if file.startswith(_FILE_URL + "/"):
        return urllib.parse.unquote(file.removeprefix(_FILE_URL))
    if tree.is_remote(file):
        return file
    return os.path.join(folder, os.path.expanduser(_slashed(file)))


def _slashed(file):
    """A path with slashes, also from Windows, unless that names another file."""
    if os.sep == "/" and "\\" in file and "/" not in file:
        return file.replace("\\", "/")
    return file
