"""The list of a run's files, kept so that a resumed run has the order of the first."""

import gzip
import json

from simclr_tf import atomic
from simclr_tf.data.sources import FileSource
from simclr_tf.errors import UserError


def save(path, source, words):
    """Writes the files of a source; nothing where examples are no files of their own.

    Args:
        path: Str, a `.json.gz` file; it is written whole or not at all.
        source: `Source`; of a part of another, the list of the whole is written.
        words: Dict of str, what the source was opened by.
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
    """The files of a list, not looked at again.

    Args:
        path: Str, what `save` wrote.
        words: Dict of str, what the source would be opened by now.

    Returns:
        `FileSource`; None where the list is of a data set opened otherwise.

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
