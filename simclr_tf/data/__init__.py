"""Images from anywhere, as sources and as batches."""

from simclr_tf.data.arrivals import Arrivals
from simclr_tf.data.bad_image_policy import BadImagePolicy
from simclr_tf.data.bad_images import BadImages, stand_ins
from simclr_tf.data.check import check
from simclr_tf.data.held_out import HeldOut
from simclr_tf.data.label_subset import balanced_subset, named_subset
from simclr_tf.data.load import Info, find, load, open_source
from simclr_tf.data.pipeline import (
    batched_views,
    eval_batches,
    eval_examples,
    shuffled_index,
    takes_late_views,
    train_batches,
)
from simclr_tf.data.share import Share
from simclr_tf.data.sources import (
    ArraySource,
    FileSource,
    Relabelled,
    SequentialSource,
    Source,
    Subset,
)
from simclr_tf.data.sources.tfrecord import Keys
from simclr_tf.data.splits import DataSet, meaning
from simclr_tf.data.views import LateViews

__all__ = [
    "Arrivals",
    "ArraySource",
    "BadImagePolicy",
    "BadImages",
    "DataSet",
    "FileSource",
    "HeldOut",
    "Info",
    "Keys",
    "LateViews",
    "Relabelled",
    "SequentialSource",
    "Share",
    "Source",
    "Subset",
    "balanced_subset",
    "batched_views",
    "check",
    "eval_batches",
    "eval_examples",
    "find",
    "load",
    "meaning",
    "named_subset",
    "open_source",
    "shuffled_index",
    "stand_ins",
    "takes_late_views",
    "train_batches",
]
