"""Where images come from: one file for each kind of source."""

from simclr_tf.data.sources.arrays import ArraySource, in_memory
from simclr_tf.data.sources.base import Source
from simclr_tf.data.sources.files import FileSource
from simclr_tf.data.sources.sequential import SequentialSource
from simclr_tf.data.sources.subset import Relabelled, Subset

__all__ = [
    "ArraySource",
    "FileSource",
    "Relabelled",
    "SequentialSource",
    "Source",
    "Subset",
    "in_memory",
]
