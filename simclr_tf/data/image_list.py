"""The list of a run's files, so that a resumed run keeps their order."""

import gzip
import json

from simclr_tf import atomic
from simclr_tf.data.sources import FileSource
from simclr_tf.errors import UserError


def save(path, source, words):
    """Writes the list of a source's files, if its examples are separate files.

    Args:
        path: Str, a `.json.gz` file, which is written completely or not at all.
        source: `Source`; for a part of another source, the list of the whole is
            written.
        words: Dict of str, how the source was opened.
    """
    origin = source.origin
    if not hasattr(origin, "paths"):
        return
    labels = origin.labels()
    table = {
        "opened": words,
        "name": origin.name,
        "class_names": origin.class_names,
        "labels": None if labels is None else labels.tolist(),
        "paths": origin.paths,  # bytes that are not UTF-8 become escapes of JSON
    }
    atomic.write(path, gzip.compress(json.dumps(table).encode("ascii")))


def load(path, words):
    """The files of a list, without checking them again.

    Args:
        path: Str, a file that `save` wrote.
        words: Dict of str, how the source would be opened now.

    Returns:
        `FileSource`; None if the list is of a data set that was opened differently.

    Raises:
        UserError: If it cannot be read.
    """
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            table = json.load(file)
        if table["opened"] != words:
            return None
        classes = table["class_names"]
        return FileSource(
            table["paths"],
            table["labels"],
            None if classes is None else tuple(classes),
            table["name"],
            policy=None,
        )
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise UserError(
            f"{path} must be as a run wrote it, got what cannot be read ({error}). "
            "Remove it to read the data set anew; the order of its images may change."
        ) from error
