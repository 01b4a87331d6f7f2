"""The encoder as a SavedModel that turns raw images into features."""

import os
import shutil
import tempfile

import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.export import _keras_file
from simclr_tf.export._serving import ServedNetworks

_ENCODER_FILE = os.path.join("assets.extra", "encoder.keras")


def save(
    encoder,
    path,
    image_size=224,
    projection_head=None,
    linear_head=None,
    ft_proj_selector=0,
    overwrite=False,
):
    """Writes an encoder as a SavedModel that needs none of our code.

    Whatever loads graphs serves it: `tf.saved_model.load`, TensorFlow Serving,
    `saved_model_cli`, the C, Java and Go interfaces; and LiteRT's converter takes the
    signature `preprocessed`.

    Signatures: `serving_default` takes `images`, uint8 `[B, H, W, 3]` of any height and
    width; `serve_image_bytes` takes `image_bytes`, strings `[B]` (JPEG, turned as its
    Exif block says, PNG, GIF's first frame, BMP), each of its own size. Both give
    `features` `[B, C]`, and `logits` and `probabilities` where there is a linear head.
    `endpoints` takes `images` and gives the outputs of every block group and of the
    heads. The evaluation preprocessing is inside of these three. `preprocessed` takes
    `images` that have it behind them, or are views: float32 `[B, H, W, 3]` in [0, 1],
    of any size with `tf_models.ResNet`, else of `image_size`; it gives what
    `serving_default` does, computed in float32 under any policy of mixed precision. The
    other signatures compute as the encoder does.

    Args:
        encoder: Keras model from float images in [0, 1] to `[B, C]` or `[B, h, w, C]`.
        path: Str, folder to write; it appears whole or not at all.
        image_size: Int, what images are cropped and resized to.
        projection_head: `tf_models.ProjectionHead` or None.
        linear_head: `tf_models.LinearHead` or None.
        ft_proj_selector: Int, the hidden layer that feeds the linear head.
        overwrite: Bool, whether a SavedModel that is there may be replaced.

    Raises:
        UserError: If `path` exists and is neither an empty folder nor, with
            `overwrite`, a SavedModel; or if the encoder has no `get_config` and needs
            one.
    """
    path = os.path.abspath(os.fspath(path))
    empty = os.path.isdir(path) and not os.listdir(path)
    replaceable = overwrite and os.path.exists(os.path.join(path, "saved_model.pb"))
    if os.path.exists(path) and not (empty or replaceable):
        raise UserError(
            f"SavedModel path {path} exists: give a new or an empty folder, or "
            "overwrite=True to replace a SavedModel."
        )
    networks = ServedNetworks(
        encoder, image_size, projection_head, linear_head, ft_proj_selector
    )
    os.makedirs(os.path.dirname(path), exist_ok=True)
    unfinished = tempfile.mkdtemp(dir=os.path.dirname(path), prefix=".saved_model-")
    try:
        _write_graph(networks, unfinished)
        os.makedirs(os.path.join(unfinished, os.path.dirname(_ENCODER_FILE)))
        _keras_file.write(encoder, os.path.join(unfinished, _ENCODER_FILE))
        os.chmod(unfinished, 0o755)
        if replaceable:
            shutil.rmtree(path)
        os.replace(unfinished, path)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _write_graph(networks, folder):
    try:
        tf.saved_model.save(
            networks.as_module(), folder, signatures=networks.signatures()
        )
    except AssertionError as error:
        if "untracked" not in str(error):
            raise
        raise UserError(
            f"Encoder {type(networks.encoder).__name__} reads a variable or table that "
            "is no weight of it, nor would it be trained: make it with add_weight."
        ) from error


def load_encoder(path, custom_objects=None):
    """The trainable Keras encoder inside a folder that `save` wrote.

    Code in the folder is not run: what Keras does not know, such as a layer of your
    own, must be registered in the loading process or passed.

    Args:
        path: Str, the SavedModel's folder.
        custom_objects: Dict from the names of classes and functions that the encoder
            is made of to these, as `keras.models.load_model` takes it, or None.

    Returns:
        Keras model from float images in [0, 1] to features.

    Raises:
        UserError: If there is no encoder there, or it has a class that is not known or
            a Lambda layer.
    """
    file = os.path.join(os.fspath(path), _ENCODER_FILE)
    if not os.path.exists(file):
        raise UserError(
            f"No encoder in {path}: expected a folder written by `--mode=export` or "
            f"`simclr_tf.export.save`, which holds {_ENCODER_FILE}."
        )
    return _keras_file.read(file, custom_objects)
