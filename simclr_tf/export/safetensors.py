"""A ResNet's weights as `.safetensors`, for torchvision's ResNet and similar ones."""

import json

import tf_models
from simclr_tf import keras_compat
from simclr_tf.errors import UserError
from simclr_tf.export import _keras_file, torchvision_names
from simclr_tf.export._format import Format
from simclr_tf.weights import comparison, safetensors_file

_CONFIG = "tf_models.ResNet"


def write(networks, file, images):
    """Writes the weights under torchvision's names, and their network as metadata.

    Metadata: `tf_models.ResNet`, the arguments of its constructor as JSON; `input` and
    `normalization`, the images it expects; `differs_from_torchvision`, the lines of
    `torchvision_names.differences`.
    A linear head on the features becomes `fc`.

    Raises:
        UserError: If the encoder is not a `tf_models.ResNet`: torchvision has no names
            for other networks.
    """
    del images
    encoder = networks.encoder
    if not isinstance(encoder, tf_models.ResNet):
        raise UserError(
            "Export format safetensors is for tf_models.ResNet, whose layers have "
            f"names in torchvision; got {type(encoder).__name__}. Use saved_model, "
            "onnx, litert or keras."
        )
    with keras_compat.full_precision([encoder]):
        config = json.dumps(encoder.get_config())
    metadata = {
        "format": "pt",
        "input": "RGB images [B, 3, H, W] in [0, 1]",
        "normalization": encoder.normalization,
        "differs_from_torchvision": "; ".join(torchvision_names.differences(encoder)),
        _CONFIG: config,
    }
    tensors = torchvision_names.tensors(encoder, networks.head_of_features)
    safetensors_file.write(file, tensors, metadata)


def load(file):
    """Loads the encoder from a file that `write` wrote.

    Raises:
        UserError: If it is another kind of file, or damaged.
    """
    try:
        named, metadata = safetensors_file.read(file)
        config = json.loads(metadata[_CONFIG])
        with _keras_file.under_policy("float32"):
            encoder = tf_models.ResNet.from_config(config)
        torchvision_names.assign(encoder, named)
    except (UserError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{file} must be a complete file that `simclr_tf.export.save` wrote: "
            f"{type(error).__name__}: {error}"
        ) from error
    return encoder


def _read(file):
    """Computes features in PyTorch if it is installed, else with the loaded encoder."""
    encoder, run = load(file), comparison.of_own_file(file)

    def features(images):
        try:
            return run(images, encoder)
        except comparison.CannotRun:
            return encoder(images, training=False)

    return features


FORMAT = Format("encoder.safetensors", write, _read)
