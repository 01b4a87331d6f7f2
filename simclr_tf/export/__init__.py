"""The trained encoder, and its features, for use elsewhere."""

from simclr_tf.export.features import save_features, save_projector
from simclr_tf.export.formats import FORMATS, load_encoder, require, save

__all__ = [
    "FORMATS",
    "load_encoder",
    "require",
    "save",
    "save_features",
    "save_projector",
]
