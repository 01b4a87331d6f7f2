"""The trained encoder, and its features, for use elsewhere."""

from simclr_tf.export.features import save_features, save_projector
from simclr_tf.export.saved_model import load_encoder, save

__all__ = ["load_encoder", "save", "save_features", "save_projector"]
