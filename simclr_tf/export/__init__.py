"""The trained encoder, and its features, for use elsewhere; and weights from there."""

from simclr_tf.export.features import save_features, save_projector
from simclr_tf.export.saved_model import load_encoder, save
from simclr_tf.weights import import_checkpoint

__all__ = [
    "import_checkpoint",
    "load_encoder",
    "save",
    "save_features",
    "save_projector",
]
