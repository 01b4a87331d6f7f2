"""The one place that knows there are two Kerases.

`tf.keras` is Keras 2 on TensorFlow 2.15, Keras 3 on TensorFlow 2.21, and Keras 2 there
again under `TF_USE_LEGACY_KERAS=1`.
"""

import warnings

import tensorflow as tf
from tensorflow import keras

IS_KERAS_3 = hasattr(keras, "ops")


def variable_path(variable):
    """A variable's name with its layers, such as `encoder/conv/kernel`."""
    return getattr(variable, "path", None) or variable.name.split(":")[0]


def leaf_name(variable):
    """A variable's name in its layer, such as `kernel`."""
    return variable_path(variable).rsplit("/", 1)[-1]


def unpack(data):
    """`(x, y)` of what Keras hands to a step; y is None where there are no labels.

    Args:
        data: `x`, `(x,)` or `(x, y)`, each a tensor or a structure of tensors.

    Raises:
        ValueError: If there are sample weights as well.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    if sample_weight is not None:
        raise ValueError(
            "The data must be images or (images, labels), got sample weights as well."
        )
    return x, y


class Optimizer(keras.optimizers.Optimizer):
    """Base of our optimizers: one set of methods on both Kerases.

    A subclass makes its state in `make_slots(variables)`, with `slot(variable, name)`,
    finds it again by `index(variable)`, and writes its rule in
    `update(gradient, variable, learning_rate)`. Its own `weight_decay`, if any, is part
    of the rule: Keras' decoupled weight decay is off.

    Args:
        learning_rate: Float or `keras.optimizers.schedules.LearningRateSchedule`.
        **kwargs: Those of `keras.optimizers.Optimizer`, such as `clipnorm`.
    """

    def __init__(self, learning_rate, **kwargs):
        if IS_KERAS_3:
            super().__init__(learning_rate=learning_rate, **kwargs)
        else:
            super().__init__(**kwargs)
            self._learning_rate = self._build_learning_rate(learning_rate)

    def build(self, variables):
        """Makes the state of every variable; the first call decides which there are."""
        if getattr(self, "built", False):
            return
        super().build(variables)
        self.make_slots(variables)
        self.built = True

    def make_slots(self, variables):
        """Makes the state of `variables`, all that the optimizer will ever update."""
        raise NotImplementedError

    def update(self, gradient, variable, learning_rate):
        """Updates one variable, and its state, in place.

        Args:
            gradient: Dense tensor of the variable's shape and dtype.
            variable: `tf.Variable`, without the attributes of a Keras variable.
            learning_rate: Scalar tensor of the variable's dtype.
        """
        raise NotImplementedError

    def slot(self, variable, name):
        """A zero state variable of the shape of `variable`."""
        return self.add_variable_from_reference(variable, name)

    def index(self, variable):
        """Position of a variable among those of `make_slots`."""
        if IS_KERAS_3:
            return self._get_variable_index(variable)
        return self._index_dict[self._var_key(variable)]

    def update_step(self, gradient, variable, learning_rate=None):
        """What Keras calls: with a learning rate on Keras 3, without on Keras 2."""
        if learning_rate is None:
            learning_rate = self.learning_rate
        gradient = tf.cast(tf.convert_to_tensor(gradient), variable.dtype)
        self.update(gradient, variable, tf.cast(learning_rate, variable.dtype))

    def apply_weight_decay(self, variables):  # Keras 2
        """Does nothing: decay is part of `update`."""

    def _apply_weight_decay(self, variables):  # Keras 3
        pass

    def get_config(self):
        """Arguments of the constructor."""
        config = super().get_config()
        if not IS_KERAS_3:
            rate = self._serialize_hyperparameter(self._learning_rate)
            config["learning_rate"] = rate
        return config


def inner_optimizer(optimizer):
    """The optimizer itself, from inside the loss scaling of mixed precision."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def optimizer_state(optimizer):
    """What a checkpoint holds of a built optimizer: its own variables.

    The optimizers of Keras 3 also track the model's, which would then stand in the
    checkpoint under the optimizer's name.
    """
    if not IS_KERAS_3:
        return optimizer
    return tf.train.Checkpoint(variables=[v.value for v in optimizer.variables])


def build_optimizer_state(optimizer, variables):
    """Makes the state of any optimizer, the legacy ones of addons included."""
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
    # Scaling what flows back from the loss is the same as scaling the loss.
    one = tf.ones_like(loss)
    if IS_KERAS_3:  # which scales back when it applies them
        return tape.gradient(loss, variables, optimizer.scale_loss(one))
    if hasattr(optimizer, "get_scaled_loss"):
        scaled = tape.gradient(loss, variables, optimizer.get_scaled_loss(one))
        return optimizer.get_unscaled_gradients(scaled)
    return tape.gradient(loss, variables)


def lamb(learning_rate, weight_decay, not_decayed):
    """LAMB: from tensorflow-addons on Keras 2, from Keras on Keras 3.

    The two place weight decay differently: addons inside the layer-wise scaling, as the
    paper (https://arxiv.org/abs/1904.00962) does, Keras beside it.

    Args:
        learning_rate: Float or schedule.
        weight_decay: Float, decoupled from the moments.
        not_decayed: List of regular expressions on names: no weight decay for these.

    Returns:
        Keras optimizer.

    Raises:
        ImportError: If neither library has it, as under `TF_USE_LEGACY_KERAS`.
    """
    if IS_KERAS_3:
        optimizer = keras.optimizers.Lamb(learning_rate, weight_decay=weight_decay)
        optimizer.exclude_from_weight_decay(var_names=not_decayed)
        return optimizer
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # addons announces its end of life
            import tensorflow_addons as addons
    except ImportError as error:
        raise ImportError(
            "LAMB needs Keras 3, or Keras 2 with tensorflow-addons; here is Keras 2 "
            f"without it ({error}). LARS is there on both."
        ) from error
    return addons.optimizers.LAMB(
        learning_rate, weight_decay=weight_decay, exclude_from_weight_decay=not_decayed
    )
