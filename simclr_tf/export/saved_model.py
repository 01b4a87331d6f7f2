"""The encoder as a SavedModel that turns raw images into features."""

import os
import shutil
import tempfile

import tensorflow as tf
from tensorflow import keras

from simclr_tf.augmentation import EvaluationCrop
from simclr_tf.errors import UserError
from simclr_tf.training import _common

_ENCODER_FILE = os.path.join("assets.extra", "encoder.keras")


class ServingModule(tf.Module):
    """Encoder with its evaluation preprocessing; what `save` writes.

    Args:
        encoder: Built Keras model from images in [0, 1] to features.
        image_size: Int, what images are cropped and resized to.
        projection_head: `tf_models.ProjectionHead` or None.
        linear_head: `tf_models.LinearHead` or None, adds logits and probabilities.
        ft_proj_selector: Int, which of the projection head's hidden layers feeds the
            linear head.
    """

    def __init__(
        self,
        encoder,
        image_size,
        projection_head=None,
        linear_head=None,
        ft_proj_selector=0,
    ):
        super().__init__(name="simclr_encoder")
        self.encoder = encoder
        self.projection_head = projection_head
        self.linear_head = linear_head
        self._ft_proj_selector = ft_proj_selector
        self._preprocess = EvaluationCrop(image_size)

    def make_signatures(self):
        """The functions of the SavedModel, by name."""
        images = tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")
        # Ours takes any size; of others nothing is known.
        ours = hasattr(self.encoder, "endpoints")
        size = None if ours else self._preprocess.image_size
        floats = tf.TensorSpec([None, size, size, 3], tf.float32, name="images")
        image_bytes = tf.TensorSpec([None], tf.string, name="image_bytes")
        return {
            "serving_default": tf.function(self.serve, [images]),
            "serve_image_bytes": tf.function(self.serve_image_bytes, [image_bytes]),
            "endpoints": tf.function(self.endpoints, [images]),
            "preprocessed": tf.function(self._outputs, [floats]),
        }

    def serve(self, images):
        """`features`, and what the linear head says, of uint8 images `[B, H, W, 3]`."""
        return self._outputs(self._preprocess(images))

    def serve_image_bytes(self, image_bytes):
        """The same of encoded images `[B]`, each of its own size."""
        return self._outputs(
            tf.map_fn(
                self._preprocess_bytes, image_bytes, fn_output_signature=tf.float32
            )
        )

    def endpoints(self, images):
        """Every block group's output `[B, h, w, c]`, and the heads' in and outputs."""
        images = self._preprocess(images)
        if hasattr(self.encoder, "endpoints"):
            outputs = dict(self.encoder.endpoints(images, training=False))
            features = outputs["final_avg_pool"]
        else:
            features = _common.pooled(self.encoder(images, training=False))
            outputs = {"final_avg_pool": features}
        hidden = self._hidden(features)
        outputs["proj_head_input"] = hidden[0]
        if self.projection_head is not None:
            outputs["proj_head_output"] = hidden[-1]
        if self.linear_head is not None:
            outputs["logits_sup"] = self.linear_head(hidden[self._ft_proj_selector])
        return {name: tf.identity(value) for name, value in outputs.items()}

    def _preprocess_bytes(self, encoded):
        image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        return self._preprocess(tf.ensure_shape(image, [None, None, 3]))

    def _outputs(self, images):
        """What is served of float images `[B, H, W, 3]` in [0, 1]."""
        features = _common.pooled(self.encoder(images, training=False))
        outputs = {"features": features}
        if self.linear_head is not None:
            logits = self.linear_head(self._hidden(features)[self._ft_proj_selector])
            outputs |= {"logits": logits, "probabilities": tf.nn.softmax(logits)}
        return outputs

    def _hidden(self, features):
        if self.projection_head is None:
            return [features]
        return self.projection_head.hidden_layers(features, training=False)


def save(
    encoder,
    path,
    image_size=224,
    projection_head=None,
    linear_head=None,
    ft_proj_selector=0,
    overwrite=False,
):
    """Writes an encoder as a SavedModel; it loads where none of our code is installed.

    Signatures: `serving_default` takes `images`, uint8 `[B, H, W, 3]` of any height and
    width; `serve_image_bytes` takes `image_bytes`, strings `[B]` (JPEG, PNG, GIF's
    first frame, BMP), each of its own size. Both give `features` `[B, C]`, and
    `logits` and `probabilities` where there is a linear head. `endpoints` takes
    `images` and gives the outputs of every block group and of the heads. The
    evaluation preprocessing is inside of these three. `preprocessed` takes `images`
    that have it behind them, or are views: float32 `[B, H, W, 3]` in [0, 1], of any
    size with `tf_models.ResNet`, else of `image_size`; it gives what `serving_default`
    does.

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
            `overwrite`, a SavedModel.
    """
    path = os.path.abspath(os.fspath(path))
    empty = os.path.isdir(path) and not os.listdir(path)
    replaceable = overwrite and os.path.exists(os.path.join(path, "saved_model.pb"))
    if os.path.exists(path) and not (empty or replaceable):
        raise UserError(
            f"SavedModel path {path} exists: give a new or an empty folder, or "
            "overwrite=True to replace a SavedModel."
        )
    module = ServingModule(
        encoder, image_size, projection_head, linear_head, ft_proj_selector
    )
    os.makedirs(os.path.dirname(path), exist_ok=True)
    unfinished = tempfile.mkdtemp(dir=os.path.dirname(path), prefix=".saved_model-")
    try:
        tf.saved_model.save(module, unfinished, signatures=module.make_signatures())
        os.makedirs(os.path.join(unfinished, os.path.dirname(_ENCODER_FILE)))
        encoder.save(os.path.join(unfinished, _ENCODER_FILE))
        os.chmod(unfinished, 0o755)
        if replaceable:
            shutil.rmtree(path)
        os.replace(unfinished, path)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def load_encoder(path):
    """The trainable Keras encoder inside a folder that `save` wrote.

    Args:
        path: Str, the SavedModel's folder.

    Returns:
        Keras model from float images in [0, 1] to features.

    Raises:
        UserError: If there is no encoder there.
    """
    file = os.path.join(os.fspath(path), _ENCODER_FILE)
    if not os.path.exists(file):
        raise UserError(
            f"No encoder in {path}: expected a folder written by `--mode=export` or "
            f"`simclr_tf.export.save`, which holds {_ENCODER_FILE}."
        )
    return keras.models.load_model(file, compile=False)
