"""Shards and splits of TFRecord files, recognised by their names."""

import collections
import glob
import os
import re

from simclr_tf.data import tree
from simclr_tf.data.splits import meaning
from simclr_tf.errors import UserError

_SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})(\.\w+)*")
_RECORDS = re.compile(r".*\.(tfrecords?|tfrec)(\.gz)?(-\d{5}-of-\d{5})?", re.IGNORECASE)


def is_records(path):
    """Whether a name or pattern is that of TFRecord files."""
    name = os.path.basename(path)
    return bool(_RECORDS.fullmatch(name) or _SHARD.fullmatch(name))


def shards(prefix):
    """The sorted files `prefix-00000-of-00010` and so on; empty if there are none.

    Shards of several splits are taken together: `prefix-train.tfrecord-00000-of-00010`.

    Raises:
        UserError: If one is missing.
    """
    rests = {}
    for file in tree.matches(f"{glob.escape(prefix)}*-?????-of-?????*"):
        match = _SHARD.fullmatch(file)
        if match:
            rests[file] = match[1][len(prefix) :]
    exact = [file for file, rest in rests.items() if rest[:1] in ("", ".")]
    of_splits = [file for file in rests if split_of(file[len(prefix) :])]
    return complete(prefix, exact or of_splits)


def complete(word, files):
    """The files, sorted.

    Raises:
        UserError: If a shard is missing, or there are two sets of shards.
    """
    numbers = collections.defaultdict(lambda: collections.defaultdict(set))
    for match in filter(None, map(_SHARD.fullmatch, files)):
        numbers[match[1]][int(match[3])].add(int(match[2]))
    for name, totals in numbers.items():
        if len(totals) > 1:
            counts = " and ".join(map(str, sorted(totals)))
            raise UserError(
                f"--dataset={word}: {name} is there twice, in {counts} shards. Remove "
                "one, or give a quoted pattern."
            )
        ((total, found),) = totals.items()
        missing = sorted(set(range(total)) - found)
        if missing:
            raise UserError(
                f"--dataset={word} has {total} shards, and that of number "
                f"{missing[0]} is missing."
            )
    return sorted(files)


def split_of(name):
    """The split that a part of a file's name stands for, if any."""
    words = re.split(r"[-_.]", _SHARD.sub(r"\1", name))
    meanings = {meaning(word) for word in words} - {None}
    return meanings.pop() if len(meanings) == 1 else None
