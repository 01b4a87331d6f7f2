"""Images from anywhere, as sources and as batches."""

from simclr_tf.data.bad_images import BadImagePolicy, BadImages, stand_ins
from simclr_tf.data.label_subset import balanced_subset, named_subset
from simclr_tf.data.load import Info, load, open_source
from simclr_tf.data.pipeline import (
    Share,
    batched_views,
    eval_batches,
    eval_examples,
    shuffled_index,
    train_batches,
)
from simclr_tf.data.sources import (
    ArraySource,
    FileSource,
    Relabelled,
    SequentialSource,
    Source,
    Subset,
)

__all__ = [
    "ArraySource",
    "BadImagePolicy",
    "BadImages",
    "FileSource",
    "Info",
    "Relabelled",
    "SequentialSource",
    "Share",
    "Source",
    "Subset",
    "balanced_subset",
    "batched_views",
    "eval_batches",
    "eval_examples",
    "load",
    "named_subset",
    "open_source",
    "shuffled_index",
    "stand_ins",
    "train_batches",
]
