"""The one place that knows there are two Kerases.

`tf.keras` is Keras 2 on TensorFlow 2.15, Keras 3 on TensorFlow 2.21, and Keras 2 there
again under `TF_USE_LEGACY_KERAS=1`.
"""

import warnings

import tensorflow as tf
from tensorflow import keras

IS_KERAS_3 = getattr(keras, "__version__", "2") >= "3"


def variable_path(variable):
    """A variable's name with its layers: `encoder/conv/kernel` on both."""
    return variable.path if IS_KERAS_3 else variable.name.split(":")[0]


class Optimizer(keras.optimizers.Optimizer):
    """Base of our optimizers: one set of methods on both Kerases.

    A subclass makes its state in `make_slots(variables)`, with `slot(variable, name)`,
    finds it again by `index(variable)`, and writes its rule in
    `update(gradient, variable, learning_rate)`. Its own `weight_decay`, if any, is part
    of the rule: Keras' decoupled weight decay is off.

    Args:
        learning_rate: Float or `LearningRateSchedule`.
        **kwargs: Those of `keras.optimizers.Optimizer`, such as `clipnorm`.
    """

    def __init__(self, learning_rate, **kwargs):
        if IS_KERAS_3:
            super().__init__(learning_rate=learning_rate, **kwargs)
        else:
            super().__init__(**kwargs)
            self._learning_rate = self._build_learning_rate(learning_rate)

    def build(self, variables):
        """Makes the state of every variable."""
        if getattr(self, "built", False) or getattr(self, "_built", False):
            return
        super().build(variables)
        self.make_slots(variables)
        if not IS_KERAS_3:
            self._built = True

    def slot(self, variable, name):
        """A zero state variable of the same shape."""
        return self.add_variable_from_reference(variable, name)

    def index(self, variable):
        """Position of a variable among those of `make_slots`."""
        if IS_KERAS_3:
            return self._get_variable_index(variable)
        return self._index_dict[self._var_key(variable)]

    def update_step(self, gradient, variable, learning_rate=None):
        if learning_rate is None:
            learning_rate = self.learning_rate
        if isinstance(gradient, tf.IndexedSlices):
            gradient = tf.convert_to_tensor(gradient)
        rate = tf.cast(learning_rate, variable.dtype)
        self.update(tf.cast(gradient, variable.dtype), variable, rate)

    def apply_weight_decay(self, variables):  # Keras 2
        pass

    def _apply_weight_decay(self, variables):  # Keras 3
        pass

    def get_config(self):
        config = super().get_config()
        if not IS_KERAS_3:
            config["learning_rate"] = self._serialize_hyperparameter(
                self._learning_rate
            )
        return config


def inner_optimizer(optimizer):
    """The optimizer itself, from inside the loss scaling of mixed precision."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def build_optimizer_state(optimizer, variables):
    """Makes the state variables of any optimizer, the legacy ones of addons included."""
    if hasattr(optimizer, "build"):
        optimizer.build(variables)
    else:
        optimizer._create_all_weights(variables)


def compute_gradients(tape, loss, variables, optimizer):
    """Gradients of `loss`, scaled inside as mixed_float16 needs it.

    Args:
        tape: `tf.GradientTape` that saw the loss.
        loss: Float scalar.
        variables: List of trainable variables.
        optimizer: The compiled optimizer, which is to apply the gradients.

    Returns:
        List of tensors for `optimizer.apply_gradients`.
    """
    one = tf.ones_like(loss)
    if IS_KERAS_3:  # which scales back when it applies them
        return tape.gradient(loss, variables, optimizer.scale_loss(one))
    if hasattr(optimizer, "get_scaled_loss"):
        scaled = tape.gradient(loss, variables, optimizer.get_scaled_loss(one))
        return optimizer.get_unscaled_gradients(scaled)
    return tape.gradient(loss, variables)


def lamb(learning_rate, weight_decay, not_decayed):
    """LAMB: from tensorflow-addons on Keras 2, from Keras on Keras 3.

    Args:
        learning_rate: Float or schedule.
        weight_decay: Float, decoupled.
        not_decayed: List of regular expressions on names: no weight decay for these.

    Raises:
        ImportError: If neither library has it, as under `TF_USE_LEGACY_KERAS`.
    """
    if IS_KERAS_3:
        optimizer = keras.optimizers.Lamb(learning_rate, weight_decay=weight_decay)
        optimizer.exclude_from_weight_decay(var_names=not_decayed)
        return optimizer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its end of life is announced at each import
        import tensorflow_addons as tfa

    return tfa.optimizers.LAMB(
        learning_rate, weight_decay=weight_decay, exclude_from_weight_decay=not_decayed
    )
