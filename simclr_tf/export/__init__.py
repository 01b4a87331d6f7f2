"""The trained encoder for use elsewhere."""

from simclr_tf.export.saved_model import load_encoder, save

__all__ = ["load_encoder", "save"]
