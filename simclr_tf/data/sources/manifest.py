"""Files that list images."""

import csv
import os

from simclr_tf.data.bad_images import SKIP_FEW
from simclr_tf.data.sources.files import FileSource
from simclr_tf.errors import UserError


def open_csv(path, policy=SKIP_FEW):
    """Images that a CSV file lists.

    The file has a header with the column `path` (relative to the file) and, where
    images have labels, `label` (any words).

    Args:
        path: Str.
        policy: `BadImagePolicy`.

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
    if "label" not in reader.fieldnames:
        return FileSource(files, name=path, policy=policy)
    classes = tuple(sorted({row["label"] for row in rows}))
    numbers = {name: number for number, name in enumerate(classes)}
    labels = [numbers[row["label"]] for row in rows]
    return FileSource(files, labels, classes, path, policy)
