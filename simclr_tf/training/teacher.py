"""A SavedModel as the teacher of a distillation."""

import os

import tensorflow as tf
from tensorflow import keras

from simclr_tf.errors import UserError
from simclr_tf.literal_paths import literal


@keras.utils.register_keras_serializable(package="simclr_tf")
class SavedModelTeacher(keras.layers.Layer):
    """Logits of a SavedModel with a linear head, ours or the published code's.

    Args:
        folder: Str, a folder that `simclr_tf.export.save` wrote; or a SavedModel that
            is called as `model(images, trainable=False)` and returns `logits_sup`, like
            those of https://github.com/google-research/simclr.
        **kwargs: Those of `keras.layers.Layer`.

    Call arguments:
        images: Float tensor `[B, H, W, 3]`, values in [0, 1], without preprocessing.

    Returns:
        Float32 logits `[B, K]`.

    Raises:
        UserError: If there is no SavedModel, or it returns no logits.
    """

    def __init__(self, folder, **kwargs):
        super().__init__(**kwargs)
        self.folder = os.fspath(folder)
        try:
            with literal(self.folder) as folder:
                loaded = tf.saved_model.load(folder)
        except (OSError, ValueError, tf.errors.OpError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"--teacher={self.folder} is no SavedModel that can be read ({reason})."
            ) from error
        # In a function, so that Keras does not take its variables for the layer's.
        self._logits_of = _logits_function(loaded, self.folder)
        self.built = True

    def call(self, images, training=False):
        return tf.cast(self._logits_of(tf.cast(images, tf.float32)), tf.float32)

    def num_classes(self, image_size):
        """Int `K`, determined with one empty image.

        Raises:
            UserError: If the SavedModel does not take images of this size.
        """
        image = tf.zeros([1, image_size, image_size, 3])
        strategy = tf.distribute.get_strategy()
        try:
            # Not by way of Keras, which wraps errors into many lines.
            logits = strategy.run(self._logits_of, args=(image,))
            return strategy.experimental_local_results(logits)[0].shape[-1]
        except UserError:
            raise
        except (TypeError, ValueError, tf.errors.OpError) as error:
            raise UserError(
                f"--teacher={self.folder} does not take images of {image_size} pixels: "
                f"{str(error).splitlines()[0]}"
            ) from error

    def get_config(self):
        return {**super().get_config(), "folder": self.folder}


def _logits_function(loaded, path):
    """A function from float images to logits, from a loaded SavedModel."""
    signature = getattr(loaded, "signatures", {}).get("preprocessed")
    if signature is not None:
        if "logits" not in signature.structured_outputs:
            raise _without_logits(path)
        # By way of `loaded`, which keeps the variables alive.
        return lambda images: loaded.signatures["preprocessed"](images=images)["logits"]
    if not callable(loaded):
        raise UserError(
            f"--teacher={path} takes no images in [0, 1]: it has neither the signature "
            "preprocessed, as --mode=export writes it now, nor is it one of the "
            "published SavedModels."
        )

    def logits(images):
        outputs = loaded(images, trainable=False)
        if "logits_sup" not in outputs:
            raise _without_logits(path)
        return outputs["logits_sup"]

    return logits


def _without_logits(path):
    return UserError(
        f"--teacher={path} gives no logits: it was exported without a linear head."
    )
