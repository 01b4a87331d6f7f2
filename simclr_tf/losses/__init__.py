"""NT-Xent, and metrics of the contrastive task."""

from simclr_tf.losses.contrastive import ContrastiveLoss
from simclr_tf.losses.diagnostics import (
    alignment,
    chance_loss,
    embedding_std,
    hardest_negative,
    likely_false_negatives,
    uniformity,
)
from simclr_tf.losses.distillation import distillation_loss
from simclr_tf.losses.metrics import contrastive_accuracy, contrastive_entropy
from simclr_tf.losses.nt_xent import NTXent, nt_xent
from simclr_tf.losses.small_views import nt_xent_small_views
from simclr_tf.losses.spectrum import effective_rank, singular_values

__all__ = [
    "ContrastiveLoss",
    "NTXent",
    "alignment",
    "chance_loss",
    "contrastive_accuracy",
    "contrastive_entropy",
    "distillation_loss",
    "effective_rank",
    "embedding_std",
    "hardest_negative",
    "likely_false_negatives",
    "nt_xent",
    "nt_xent_small_views",
    "singular_values",
    "uniformity",
]
