"""The encoder as a SavedModel that turns raw images into features."""

import os

import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.export import _keras_file
from simclr_tf.export._format import Format
from simclr_tf.literal_paths import literal

_ENCODER_FILE = os.path.join("assets.extra", "encoder.keras")


def write(networks, folder, images):
    """Writes the graph, and the Keras encoder, to a new folder.

    Args:
        networks: `ServedNetworks`.
        folder: Str.
        images: Not used.

    Raises:
        UserError: If the encoder has no `get_config` and needs one, or reads tensors
            that are not its weights.
    """
    del images
    try:
        tf.saved_model.save(
            networks.as_module(), folder, signatures=networks.signatures()
        )
    except AssertionError as error:
        if "untracked" not in str(error):
            raise
        raise UserError(
            f"Encoder {type(networks.encoder).__name__} reads a variable or table that "
            "is not one of its weights, so it would not be trained either: create it "
            "with add_weight."
        ) from error
    file = os.path.join(folder, _ENCODER_FILE)
    os.makedirs(os.path.dirname(file))
    _keras_file.save_with_policy(networks.encoder, file)


def read(folder):
    """The features that the signature `preprocessed` computes."""
    with literal(folder) as path:
        serve = tf.saved_model.load(path).signatures["preprocessed"]
    return lambda images: serve(images=tf.constant(images))["features"]


FORMAT = Format("", write, read)


def load(folder, custom_objects=None):
    """The Keras encoder; see `simclr_tf.export.load_encoder`."""
    file = os.path.join(folder, _ENCODER_FILE)
    if not os.path.exists(file):
        raise UserError(
            f"No encoder in {folder}: expected a folder written by `--mode=export` or "
            f"`simclr_tf.export.save`, which holds {_ENCODER_FILE}."
        )
    return _keras_file.load(file, custom_objects)
