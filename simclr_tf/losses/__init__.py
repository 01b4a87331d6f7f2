"""NT-Xent, and metrics of the contrastive task."""

from simclr_tf.losses.metrics import contrastive_accuracy, contrastive_entropy
from simclr_tf.losses.nt_xent import NTXent, nt_xent

__all__ = [
    "NTXent",
    "contrastive_accuracy",
    "contrastive_entropy",
    "nt_xent",
]
