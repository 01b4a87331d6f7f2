"""Lists of files with optional labels, and the numbering of labels."""

import collections
import dataclasses
import re
import unicodedata

from simclr_tf.data.label_subset import listed
from simclr_tf.data.sources.files import FileSource
from simclr_tf.printing import printable

# What tables have where a label is missing: the words that pandas takes for it.
_MISSING = frozenset(
    "#N/A|#NA|<NA>|N/A|NA|NULL|NaN|None|n/a|nan|null|-nan|-NaN".split("|")
)
_WHOLE = re.compile(r"-?[0-9]+(\.0*)?")


@dataclasses.dataclass(frozen=True)
class Listing:
    """Image files that have not been checked yet.

    Attributes:
        paths: List of str.
        labels: List of int, -1 for unknown ones; None if there are none.
        class_names: Tuple of str, or None.
        name: Str.
        skipped: List of `(file or folder, reason)`, what was left out.
        notes: List of str, notes for the user.
    """

    paths: list
    labels: list | None
    class_names: tuple | None
    name: str
    skipped: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)

    def source(self, policy):
        """The files as a `FileSource`, without those that a `BadImagePolicy` skips."""
        source = FileSource(
            self.paths, self.labels, self.class_names, printable(self.name), policy
        )
        source.skipped = [*self.skipped, *source.skipped]
        source.notes = list(self.notes)
        return source


def numbered_ints(values):
    """Class numbers from labels that are ints already.

    Ints that begin at 0 stay. If they begin at 1 or later, or leave most numbers out,
    they are renumbered in their order.

    Args:
        values: List of int, of all splits together; None or negative means no label.

    Returns:
        `(labels, class_names, notes)`: ints, -1 for no label, a tuple of str, and notes
        for the user; `(None, None, [])` if no label is known.

    Example:
        >>> numbered_ints([2, None, 1])[:2]
        ([1, -1, 0], ('1', '2'))
    """
    known = sorted({value for value in values if value is not None and value >= 0})
    if not known:
        return None, None, []
    notes = []
    if known[0] == 0 and known[-1] < 10 * len(known) + 10:
        known = range(known[-1] + 1)
    else:
        notes.append(
            f"Labels are {known[0]} to {known[-1]}, {len(known)} of them: numbered "
            "anew from 0, in order; their names stay."
        )
    numbers = {value: number for number, value in enumerate(known)}
    return [numbers.get(value, -1) for value in values], tuple(map(str, known)), notes


def numbered(names, by_value=True):
    """Class numbers from names, and the order of the names.

    Args:
        names: List of str; None or "" means no label.
        by_value: Bool, whether names that are all numbers are in numerical order;
            others are in alphabetical order.

    Returns:
        `(labels, class_names)`: ints, -1 for no label, and a tuple of str;
        `(None, None)` if no label is known.

    Example:
        >>> numbered(["10", "", "9"])
        ([1, -1, 0], ('9', '10'))
    """
    known = {name for name in names if name}
    if not known:
        return None, None
    is_number = by_value and all(name.isdecimal() and name.isascii() for name in known)
    classes = tuple(sorted(known, key=(lambda n: (int(n), n)) if is_number else None))
    numbers = {name: number for number, name in enumerate(classes)}
    return [numbers.get(name, -1) for name in names], classes


def cleaned(labels):
    """Class names from the labels of a table.

    Spaces around them are removed. `nan`, `NA`, `None` and the like are missing labels.
    If all are whole numbers, negative ones are missing too, and 3.0 is 3, which is how
    tables with missing labels are often written.

    Args:
        labels: List of str.

    Returns:
        `(names, notes)`: list of str, "" for no label; and notes for the user.

    Example:
        >>> cleaned(["3.0", "-1", "nan"])[0]
        ['3', '', '']
    """
    names = [" ".join(label.split()) for label in labels]
    missing = sorted(_MISSING.intersection(names))
    names = ["" if name in _MISSING else name for name in names]
    if all(_WHOLE.fullmatch(name) for name in set(names) - {""}):
        names = ["" if n.startswith("-") else n.split(".")[0] for n in names]
    text = f"Labels that are taken for missing ones: {', '.join(missing)}."
    return names, [text] if missing else []


def look_alikes(class_names):
    """Notes about classes whose names differ only in case, spaces or Unicode form.

    Example:
        >>> look_alikes(["Cat", "cat", "dog"])
        ['Classes that differ by case, spaces or Unicode form alone: Cat and cat.']
    """
    groups = collections.defaultdict(list)
    for name in sorted(class_names):
        form = unicodedata.normalize("NFKC", name)
        groups["".join(form.split()).casefold()].append(printable(name))
    pairs = [" and ".join(group) for group in groups.values() if len(group) > 1]
    text = "Classes that differ by case, spaces or Unicode form alone"
    return [f"{text}: {listed(pairs)}."] if pairs else []
