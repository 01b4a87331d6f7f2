"""Which Keras `tf.keras` is, and what is set up once for it."""

import importlib

import tensorflow as tf
from tensorflow import keras
from tensorflow.python.autograph.core import config as autograph_config

IS_KERAS_3 = hasattr(keras, "ops")

# AutoGraph converts whatever a traced function calls, which takes seconds. Our own code
# never branches on tensors. Layers of the user's may, and Keras 2 converts those: they
# may be subclasses of layers of `simclr_tf.augmentation`, which is why it is not here.
_AS_THEY_ARE = (
    "tf_models",
    "simclr_tf.data",
    "simclr_tf.evaluation",
    "simclr_tf.experiment",
    "simclr_tf.export",
    "simclr_tf.losses",
    "simclr_tf.training",
)
autograph_config.CONVERSION_RULES = (
    *map(autograph_config.DoNotConvert, _AS_THEY_ARE),
    *autograph_config.CONVERSION_RULES,
)


def converted(function):
    """A function of the user's, which may branch on tensors, for a call by our code.

    Args:
        function: Callable on tensors. Layers are left to Keras.
    """
    is_layer = isinstance(function, keras.layers.Layer)
    return function if is_layer else tf.function(function)


def version():
    """Str, version of the package behind `tf.keras`: `keras` or `tf_keras`."""
    package = keras.Model.__module__.split(".")[0]
    return importlib.import_module(package).__version__
