"""Which Keras `tf.keras` is, and what is set up once for it."""

import importlib

from tensorflow import keras

IS_KERAS_3 = hasattr(keras, "ops")

if not IS_KERAS_3:
    # In `fit` of Keras 2 AutoGraph converts whatever a step calls, which takes seconds.
    # Like Keras itself, these never branch on tensors; layers of the user's may, and
    # they may be made from those of `simclr_tf.augmentation`.
    from tensorflow.python.autograph.core import config

    _AS_THEY_ARE = ("tf_models", "simclr_tf.losses", "simclr_tf.training")
    config.CONVERSION_RULES = (
        *map(config.DoNotConvert, _AS_THEY_ARE),
        *config.CONVERSION_RULES,
    )


def version():
    """Str, version of the package behind `tf.keras`: `keras` or `tf_keras`."""
    package = keras.Model.__module__.split(".")[0]
    return importlib.import_module(package).__version__
