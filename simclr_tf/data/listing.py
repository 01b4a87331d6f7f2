"""Files by name, with labels where there are any, and how labels are numbered."""

import dataclasses

from simclr_tf.data.sources.files import FileSource
from simclr_tf.printing import printable


@dataclasses.dataclass(frozen=True)
class Listing:
    """Image files, not yet looked at.

    Attributes:
        paths: List of str.
        labels: List of int, -1 where one is not known; None where there are none.
        class_names: Tuple of str, or None.
        name: Str.
        skipped: List of `(file or folder, reason)`, what was left out.
        notes: List of str, what a user should know.
    """

    paths: list
    labels: list | None
    class_names: tuple | None
    name: str
    skipped: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)

    def source(self, policy):
        """The files as a `FileSource`, those left out that a `BadImagePolicy` skips."""
        source = FileSource(
            self.paths, self.labels, self.class_names, printable(self.name), policy
        )
        source.skipped = [*self.skipped, *source.skipped]
        source.notes = list(self.notes)
        return source


def numbered_ints(values):
    """Numbers of classes that are ints already.

    Ints that begin at 0 stay; those that begin at 1 or later, or leave most numbers
    out, are numbered anew in their order.

    Args:
        values: List of int, of all splits together; None or negative where there is no
            label.

    Returns:
        `(labels, class_names, notes)`: ints, -1 where there is no label, a tuple of
        str, and what to say of them; `(None, None, [])` where no label is known.

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
    """Numbers of class names, and their order.

    Args:
        names: List of str; None or "" where there is no label.
        by_value: Bool, whether names that are all numbers are in order of number; all
            others are in that of the alphabet.

    Returns:
        `(labels, class_names)`: ints, -1 where there is no label, and a tuple of str;
        `(None, None)` where no label is known.

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
