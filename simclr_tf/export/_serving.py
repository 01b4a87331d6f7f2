"""The computation of a SavedModel: from raw images to features, in a graph."""

import tensorflow as tf

from simclr_tf import keras_compat
from simclr_tf.augmentation import EvaluationCrop
from simclr_tf.data.images import decode_for_serving
from simclr_tf.training import _common


class ServedNetworks:
    """An encoder and its heads as the functions of a SavedModel.

    Args:
        encoder: Keras model from images in [0, 1] to features; built here if it is not.
        image_size: Int, size to which images are cropped and resized.
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
        if not encoder.built:
            encoder(tf.zeros([1, image_size, image_size, 3]))
        self.encoder = encoder
        self.projection_head = projection_head
        self.linear_head = linear_head
        self._networks = [
            network
            for network in (encoder, projection_head, linear_head)
            if network is not None
        ]
        self._ft_proj_selector = ft_proj_selector
        self.preprocess = EvaluationCrop(image_size)

    @property
    def head_of_features(self):
        """The linear head if it reads the encoder's features themselves, or None."""
        reads_them = self.projection_head is None or self._ft_proj_selector == 0
        return self.linear_head if reads_them else None

    def as_module(self):
        """A `tf.Module` of the networks' variables, for `tf.saved_model.save`.

        It only has the variables. Given Keras 3's objects, TensorFlow would write
        copies of the variables, and a session would restore the copies while the
        signatures read the originals. Given Keras 2's, it would trace every layer once
        more, in ways that not every `call` supports.
        """
        module = tf.Module(name="simclr_encoder")
        module.served_variables = [
            variable
            for network in self._networks
            for variable in keras_compat.tf_variables(network)
        ]
        return module

    def signatures(self):
        """The functions of the SavedModel, by name."""
        images = tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")
        # Our networks take any size; other networks may not.
        ours = hasattr(self.encoder, "endpoints")
        size = None if ours else self.preprocess.image_size
        floats = tf.TensorSpec([None, size, size, 3], tf.float32, name="images")
        image_bytes = tf.TensorSpec([None], tf.string, name="image_bytes")
        return {
            "serving_default": tf.function(self.serve, [images]),
            "serve_image_bytes": tf.function(self.serve_image_bytes, [image_bytes]),
            "endpoints": tf.function(self.endpoints, [images]),
            "preprocessed": tf.function(self.serve_preprocessed, [floats]),
        }

    def converted(self, raw):
        """`serve_in_float32` as a `tf.function` for batches of any size.

        Args:
            raw: Bool, whether for uint8 images of any size, or for float32 images of
                one size.
        """
        size = None if raw else self.preprocess.image_size
        dtype = tf.uint8 if raw else tf.float32
        images = tf.TensorSpec([None, size, size, 3], dtype, name="images")
        return tf.function(self.serve_in_float32, [images])

    def serve(self, images):
        """Gives `features` and the linear head's outputs for uint8 `[B, H, W, 3]`."""
        return self._outputs(self.preprocess(images))

    def serve_image_bytes(self, image_bytes):
        """The same for encoded images `[B]`, each of its own size."""
        return self._outputs(
            tf.map_fn(
                self._preprocess_bytes, image_bytes, fn_output_signature=tf.float32
            )
        )

    def serve_in_float32(self, images):
        """The same for uint8 images, or for preprocessed float images."""
        raw = images.dtype == tf.uint8
        return self.serve_preprocessed(self.preprocess(images) if raw else images)

    def serve_preprocessed(self, images):
        """The same for float images `[B, H, W, 3]` in [0, 1], computed in float32.

        LiteRT has no convolution in half precision.
        """
        with keras_compat.full_precision(self._networks):
            return self._outputs(images)

    def endpoints(self, images):
        """Gives the outputs `[B, h, w, c]` of block groups, and those of the heads."""
        images = self.preprocess(images)
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
        return self.preprocess(decode_for_serving(encoded))

    def _outputs(self, images):
        """The served outputs for float images `[B, H, W, 3]` in [0, 1]."""
        features = _common.pooled(self.encoder(images, training=False))
        outputs = {"features": features}
        if self.linear_head is not None:
            logits = self.linear_head(self._hidden(features)[self._ft_proj_selector])
            outputs |= {"logits": logits, "probabilities": tf.nn.softmax(logits)}
        return outputs

    def _hidden(self, features):
        if self.projection_head is None:
            return [features]
        return _common.hidden_layers(self.projection_head, features, training=False)
