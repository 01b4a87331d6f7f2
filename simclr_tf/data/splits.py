"""Data sets as collections of splits, and the meaning of split names."""

import dataclasses
import re
import typing

from simclr_tf.data.bad_image_policy import SKIP_FEW
from simclr_tf.data.label_subset import listed
from simclr_tf.data.sources.base import Source
from simclr_tf.errors import UserError
from simclr_tf.printing import printable

TRAIN, VALIDATION, TEST, UNLABELED = "train", "validation", "test", "unlabeled"
_WORDS = {
    TRAIN: (TRAIN, "training"),
    VALIDATION: (VALIDATION, "valid", "val", "dev", "eval", "evaluation"),
    TEST: (TEST, "testing"),
    UNLABELED: (UNLABELED, "unlabelled"),
}
_MEANINGS = {word: meaning for meaning, words in _WORDS.items() for word in words}
_FILLING = {"", "set", "split", "data", "image", "images", "imgs"}


def meaning(name):
    """The purpose of a split from its name, in upper or lower case.

    Example:
        >>> meaning("Training_set"), meaning("VAL"), meaning("cats")
        ('train', 'validation', None)
    """
    words = set(re.split(r"[-_ .\d]+|(?<=.)(?=set$)", name.lower())) - _FILLING
    return _MEANINGS.get(*words) if len(words) == 1 else None


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A data set as a collection of splits.

    Attributes:
        word: Str, the word by which it was requested.
        splits: Tuple of str, their names in the data set; None if there are none, and
            everything is `train`.
        read: Callable from one of them to a `Source`, or to an object whose method
            `source` makes one from a `BadImagePolicy`, such as a `Listing`.
        understood: Callable from a name that is not in `splits` to whether `read`
            accepts it anyway, such as a slice.
    """

    word: str
    splits: tuple[str, ...] | None
    read: typing.Callable
    understood: typing.Callable = lambda split: False

    def find(self, split):
        """The name of a split in the data set, or None.

        Args:
            split: Str, that name, or another word for it, such as val for validation.
        """
        splits = (TRAIN,) if self.splits is None else self.splits
        if split in splits or self.understood(split):
            return split
        same = [name for name in splits if meaning(name) == meaning(split)]
        same = [n for n in same if n.lower() == split.lower()] or same
        return same[0] if meaning(split) and len(same) == 1 else None

    def open(self, split, policy=SKIP_FEW):
        """The `Source` of a split.

        Args:
            split: Str, see `find`.
            policy: `BadImagePolicy`, what to do about files that cannot be read.

        Raises:
            UserError: If there is no such split, or too many of its files are bad.
        """
        found = self.find(split)
        if found is None:
            splits = sorted(self.splits or ["train (the whole data set)"])
            raise UserError(
                f"--dataset={self.word} has no split {split}; there are: "
                f"{', '.join(splits)}."
            )
        opened = self.read(found)
        source = opened if isinstance(opened, Source) else opened.source(policy)
        if found in (self.splits or ()):
            source.notes = [*source.notes, *self._left_alone(found)]
        return source

    def _left_alone(self, split):
        """Notes about splits that mean the same as this one, or nothing known."""
        alike = (None, UNLABELED, meaning(split))
        others = [n for n in self.splits if n != split and meaning(n) in alike]
        text = f"Other splits, whose images are not taken: {listed(others)}."
        return [printable(text)] if others else []

    @property
    def holds_out_nothing(self):
        """Whether there is no split to evaluate on."""
        return not {VALIDATION, TEST} & set(map(meaning, self.splits or ()))
