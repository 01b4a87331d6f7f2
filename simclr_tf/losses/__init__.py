"""Contrastive losses, and metrics of the contrastive task."""

from simclr_tf.losses.build import LOSSES, build
from simclr_tf.losses.contrastive import ContrastiveLoss
from simclr_tf.losses.dcl import DCL, DCLW
from simclr_tf.losses.debiased import Debiased
from simclr_tf.losses.diagnostics import (
    alignment,
    chance_loss,
    embedding_std,
    hardest_negative,
    likely_false_negatives,
    uniformity,
)
from simclr_tf.losses.distillation import distillation_loss
from simclr_tf.losses.false_negatives import FalseNegatives
from simclr_tf.losses.generalized import GeneralizedContrastive
from simclr_tf.losses.hard_negatives import HardNegatives
from simclr_tf.losses.margin_triplet import MarginTriplet
from simclr_tf.losses.metrics import contrastive_accuracy, contrastive_entropy
from simclr_tf.losses.nt_logistic import NTLogistic
from simclr_tf.losses.nt_xent import NTXent, nt_xent
from simclr_tf.losses.sliced_wasserstein import sliced_wasserstein
from simclr_tf.losses.small_views import nt_xent_small_views
from simclr_tf.losses.spectrum import effective_rank, singular_values
from simclr_tf.losses.supcon import SupCon

__all__ = [
    "DCL",
    "DCLW",
    "LOSSES",
    "ContrastiveLoss",
    "Debiased",
    "FalseNegatives",
    "GeneralizedContrastive",
    "HardNegatives",
    "MarginTriplet",
    "NTLogistic",
    "NTXent",
    "SupCon",
    "alignment",
    "build",
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
    "sliced_wasserstein",
    "uniformity",
]
