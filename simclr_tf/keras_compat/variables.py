"""Names and `tf.Variable`s of Keras variables."""

import tensorflow as tf
from tensorflow import keras

from simclr_tf.keras_compat.kerases import IS_KERAS_3

# Of `add_weight`, the `aggregation` of what replicas assign.
MEAN = "mean" if IS_KERAS_3 else tf.VariableAggregation.MEAN


def variable_path(variable):
    """A variable's name including its layers, such as `encoder/conv/kernel`."""
    return getattr(variable, "path", None) or variable.name.split(":")[0]


def leaf_name(variable):
    """A variable's name in its layer, such as `kernel`."""
    return variable_path(variable).rsplit("/", 1)[-1]


def tf_variable(variable):
    """The `tf.Variable` inside a Keras variable, which Keras 3 wraps."""
    return variable.value if IS_KERAS_3 else variable


def tf_variables(network):
    """The `tf.Variable`s of a built Keras network."""
    return [tf_variable(variable) for variable in network.variables]


def dtype_of(variable):
    """`tf.DType` of a variable."""
    return tf.as_dtype(variable.dtype)


def is_moved_by_replicas(variable):
    """Whether each replica keeps its own value, as with batch statistics."""
    variable = tf_variable(variable)
    return variable.synchronization == tf.VariableSynchronization.ON_READ


def track_kernels(network):
    """Makes checkpoints of one Keras readable for networks of the other.

    Keras 3 tracks the kernel of a dense or convolution layer as `_kernel`. This adds
    the name that Keras 2 uses.
    """
    for layer in network._flatten_layers() if IS_KERAS_3 else ():
        if isinstance(getattr(layer, "_kernel", None), keras.Variable):
            layer._track_trackable(layer._kernel, "kernel", overwrite=True)
