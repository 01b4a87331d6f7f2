"""Exports the trained encoder and its features, and imports weights."""

from simclr_tf.export.features import save_features, save_projector
from simclr_tf.export.formats import FORMATS, load_encoder, require, save
from simclr_tf.weights import import_checkpoint

__all__ = [
    "FORMATS",
    "import_checkpoint",
    "load_encoder",
    "require",
    "save",
    "save_features",
    "save_projector",
]
