"""Backbones of KerasHub as encoders: `--encoder=FOLDER`, a preset that is there."""

import os

from tensorflow import keras

from simclr_tf import keras_compat
from simclr_tf.errors import UserError
from simclr_tf.experiment import applications
from tf_models import input_normalization

ORIGIN = "KerasHub"
_WEIGHTS = ("model.weights.h5", "model.weights.json")  # whole, or in several files


def is_one(encoder):
    """Whether an `--encoder` is a folder, and no name of a network."""
    return os.sep in encoder or os.path.isdir(encoder)


def build(folder, image_size, normalization="none", any_size=False):
    """A network from images in [0, 1] to features, with random weights.

    Args:
        folder: Str, what `save_to_preset` of a backbone wrote.
        image_size: Int, height and width of images.
        normalization: Str, see `tf_models.input_normalization`; what images become
            before the network.
        any_size: Bool, whether images may be of other sizes too.

    Returns:
        Keras model, whose features are means over height and width.

    Raises:
        UserError: If KerasHub is not installed, or the folder has no backbone that
            maps images `[B, H, W, 3]` to `[B, h, w, C]`.
    """
    side = None if any_size else image_size
    models = _keras_hub(folder).models
    try:
        backbone = models.Backbone.from_preset(
            folder, load_weights=False, image_shape=(side, side, 3)
        )
        images = keras.Input([side, side, 3])
        features = backbone(
            input_normalization.InputNormalization(normalization)(images)
        )
    except Exception as error:  # a preset says what Keras is to make, of any kind
        raise UserError(
            f"--encoder={folder} is no backbone of KerasHub for images of "
            f"--image_size={image_size}: {applications.first_line(error)}"
        ) from error
    if len(getattr(features, "shape", ())) != 4:
        raise UserError(
            f"--encoder={folder} must map images to [B, h, w, C]: "
            f"{type(backbone).__name__} gives {_shapes(features)}."
        )
    features = keras.layers.GlobalAveragePooling2D()(features)
    return keras.Model(images, features)


def own_normalization(folder):
    """What the preset's weights are trained with: its image converter.

    Args:
        folder: Str.

    Returns:
        Str, see `tf_models.input_normalization.constants`; "none" where the preset
        says nothing.
    """
    if not os.path.isfile(os.path.join(folder, "image_converter.json")):
        return "none"
    converter = _keras_hub(folder).layers.ImageConverter.from_preset(folder)
    converter.image_size = None  # images have their size already
    return applications.normalization_of(converter)


def load_weights(encoder, source):
    """Fills what `build` made.

    Args:
        encoder: Keras model.
        source: Str, the preset's folder, or its file of weights.

    Raises:
        UserError: If they are not there, not of this network, or not finite.
    """
    files = [os.path.join(source, name) for name in _WEIGHTS]
    files = [file for file in files if os.path.isfile(file)]
    if os.path.isdir(source) and not files:
        raise UserError(f"a folder without {' or '.join(_WEIGHTS)}.")
    applications.load_weights(encoder, files[0] if files else source)


def _keras_hub(folder):
    if not keras_compat.IS_KERAS_3:
        raise UserError(
            f"--encoder={folder} needs Keras 3, as backbones of KerasHub do, and this "
            f"is Keras {keras_compat.version()}: Python 3.12 or later has the other."
        )
    if not os.path.isfile(os.path.join(folder, "config.json")):
        raise UserError(
            f"--encoder={folder} must be a folder that save_to_preset of a KerasHub "
            "backbone wrote; it has no config.json."
        )
    try:
        import keras_hub
    except ImportError as error:
        raise UserError(
            f"--encoder={folder} needs the package keras-hub, which cannot be imported "
            f"({error}): pip install keras-hub."
        ) from error
    return keras_hub


def _shapes(outputs):
    if isinstance(outputs, dict):
        return f"several outputs, {', '.join(map(str, outputs))}"
    return str(list(outputs.shape))
