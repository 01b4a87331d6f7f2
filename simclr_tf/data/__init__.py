"""Images from anywhere, as sources and as batches."""

from simclr_tf.data.folder import naming_broken_files
from simclr_tf.data.load import Info, load, open_source
from simclr_tf.data.pipeline import (
    Share,
    batched_views,
    eval_batches,
    eval_examples,
    shuffled_index,
    train_batches,
)
from simclr_tf.data.source import ArraySource, FileSource, SequentialSource, Source

__all__ = [
    "ArraySource",
    "FileSource",
    "Info",
    "SequentialSource",
    "Share",
    "Source",
    "batched_views",
    "eval_batches",
    "eval_examples",
    "load",
    "naming_broken_files",
    "open_source",
    "shuffled_index",
    "train_batches",
]
