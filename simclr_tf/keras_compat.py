"""The one place that knows there are two Kerases.

`tf.keras` is Keras 2 on TensorFlow 2.15 and Keras 3 on TensorFlow 2.21, where
`TF_USE_LEGACY_KERAS=1` makes it Keras 2 again.
"""

import contextlib
import importlib
import inspect
import warnings

import tensorflow as tf
from tensorflow import keras

IS_KERAS_3 = hasattr(keras, "ops")
# Of `add_weight`, the `aggregation` of what replicas assign.
MEAN = "mean" if IS_KERAS_3 else tf.VariableAggregation.MEAN

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


@contextlib.contextmanager
def full_precision(networks):
    """Makes networks of mixed precision compute in the dtype of their variables.

    Args:
        networks: List of Keras layers; the layers inside them are included.
    """
    mixed = {
        layer: layer.dtype_policy
        for network in networks
        for layer in network._flatten_layers()
        if layer.compute_dtype != layer.variable_dtype
    }
    try:
        for layer in mixed:
            _set_policy(layer, keras.mixed_precision.Policy(layer.variable_dtype))
        yield
    finally:
        for layer, policy in mixed.items():
            _set_policy(layer, policy)


def _set_policy(layer, policy):
    if IS_KERAS_3:
        layer.dtype_policy = policy
    else:
        layer._set_dtype_policy(policy)


def strategy_of(model):
    """The `tf.distribute.Strategy` under which a model's variables were created."""
    variables = []
    with contextlib.suppress(ValueError):  # of a Sequential of Keras 2 without shapes
        variables = model.variables
    variable = variables[0] if variables else None
    variable = variable.value if IS_KERAS_3 and variable is not None else variable
    made_under = getattr(variable, "distribute_strategy", None)
    return made_under or tf.distribute.get_strategy()


def call_in_mode(layer, inputs, training):
    """Calls a layer in training or inference mode, if it has an argument for that."""
    if IS_KERAS_3 or "training" in inspect.signature(layer.call).parameters:
        return layer(inputs, training=training)
    return layer(inputs)


def unpack(data):
    """`(x, y)` of the data that Keras passes to a step; y is None without labels.

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


class DistributedModel(keras.Model):
    """A model whose `fit` and `evaluate` work under any strategy on both Kerases.

    Keras 3 reduces metrics over workers a second time, and averages the batches of
    replicas to find their shapes, which fails if these differ. Keras 2 sums metrics
    over workers a second time.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not IS_KERAS_3:
            self.distribute_reduction_method = "first"

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        strategy = self.distribute_strategy
        if strategy.num_replicas_in_sync == 1:
            return super()._maybe_symbolic_build(iterator, data_batch)
        if iterator is not None:
            for _, _, batches in iterator:
                data_batch = _of_first_replica(next(batches), strategy)
                break
        with strategy.scope():
            self._symbolic_build(data_batch=data_batch)

    def make_train_function(self, force=False):
        """Makes the function that `fit` calls for each step."""
        several = self.distribute_strategy.num_replicas_in_sync > 1
        if not IS_KERAS_3 or not several:
            return super().make_train_function(force)
        if self.train_function is None or force:
            self.train_function = self._on_every_replica(self.train_step)
        return self.train_function

    def make_test_function(self, force=False):
        """Makes the function that `evaluate` calls for each step."""
        several = self.distribute_strategy.num_replicas_in_sync > 1
        if not IS_KERAS_3 or not several:
            return super().make_test_function(force)
        if self.test_function is None or force:
            self.test_function = self._on_every_replica(self.test_step)
        return self.test_function

    def _on_every_replica(self, step):
        strategy = self.distribute_strategy

        def one_step(iterator):
            outputs = strategy.run(step, args=(iterator.get_next(),))
            return _of_first_replica(outputs, strategy)

        if not self.run_eagerly:
            one_step = tf.function(one_step, reduce_retracing=True, autograph=False)

        def steps(iterator):
            for _ in range(self.steps_per_execution):
                outputs = one_step(iterator)
            return outputs

        return steps


def means_over_replicas(trackers):
    """Results of `keras.metrics.Mean`s, from inside a step, over all replicas.

    Args:
        trackers: Dict from name to `keras.metrics.Mean`.

    Returns:
        Dict from name to float32 scalar.
    """
    if not IS_KERAS_3:  # where a result is over all replicas already
        return {name: tracker.result() for name, tracker in trackers.items()}
    context = tf.distribute.get_replica_context()
    sums = [[tracker.total, tracker.count] for tracker in trackers.values()]
    sums = tf.stack([tf.stack([tf.convert_to_tensor(v) for v in two]) for two in sums])
    if context is not None and context.num_replicas_in_sync > 1:
        sums = context.all_reduce(tf.distribute.ReduceOp.SUM, sums)
    means = tf.math.divide_no_nan(sums[:, 0], sums[:, 1])
    return dict(zip(trackers, tf.unstack(means), strict=True))


def _of_first_replica(values, strategy):
    return tf.nest.map_structure(
        lambda value: strategy.experimental_local_results(value)[0], values
    )


class Optimizer(keras.optimizers.Optimizer):
    """Base class of our optimizers, with the same methods on both Kerases.

    A subclass creates its state in `make_slots(variables)` with `slot(variable, name)`,
    finds it again with `index(variable)`, and implements its rule in
    `update(gradient, variable, learning_rate)`. If it has a `weight_decay`, that is
    part of the rule: Keras' decoupled weight decay is off.

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
        """Creates the state of every variable; the first call decides which."""
        if getattr(self, "built", False):
            return
        super().build(variables)
        self.make_slots(variables)
        self.built = True

    def make_slots(self, variables):
        """Creates the state of `variables`, all that the optimizer will ever update."""
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
        """A state variable of zeros in the shape of `variable`."""
        return self.add_variable_from_reference(variable, name)

    def index(self, variable):
        """Position of a variable among those of `make_slots`."""
        if IS_KERAS_3:
            return self._get_variable_index(variable)
        return self._index_dict[self._var_key(variable)]

    def update_step(self, gradient, variable, learning_rate=None):
        """Called by Keras: with a learning rate on Keras 3, without one on Keras 2."""
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
    """The optimizer itself, without the loss scaling of mixed precision."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def optimizer_state(optimizer):
    """The part of a built optimizer that is saved in checkpoints: its own variables.

    Optimizers of Keras 3 also track the model's variables, which would then be saved
    under the optimizer's name.
    """
    if not IS_KERAS_3:
        return optimizer
    return tf.train.Checkpoint(variables=[v.value for v in optimizer.variables])


def track_kernels(network):
    """Makes checkpoints of one Keras readable for networks of the other.

    Keras 3 tracks the kernel of a dense or convolution layer as `_kernel`. This adds
    the name that Keras 2 uses.
    """
    for layer in network._flatten_layers() if IS_KERAS_3 else ():
        if isinstance(getattr(layer, "_kernel", None), keras.Variable):
            layer._track_trackable(layer._kernel, "kernel", overwrite=True)


def learning_rate(optimizer):
    """The learning rate of the next step, a float."""
    rate = inner_optimizer(optimizer).learning_rate
    return float(rate(optimizer.iterations) if callable(rate) else rate)


def state_variables(optimizer):
    """A built optimizer's variables except `iterations`, which counts the steps."""
    variables = optimizer.variables
    variables = variables() if callable(variables) else variables
    return [v for v in variables if v is not optimizer.iterations]


def build_optimizer_state(optimizer, variables):
    """Creates the state of any optimizer, including the legacy ones of addons."""
    if hasattr(optimizer, "build"):
        optimizer.build(variables)
    else:
        optimizer._create_all_weights(variables)


def scaled_gradients(tape, loss, sources, optimizer):
    """Gradients of `loss`, scaled up if mixed_float16 would round them to 0.

    Args:
        tape: `tf.GradientTape` that saw the loss.
        loss: Float scalar.
        sources: List of tensors or variables.
        optimizer: The compiled optimizer.

    Returns:
        List of tensors for `unscaled`, with None for sources that are not connected.
    """
    # Scaling what flows back from the loss is the same as scaling the loss.
    scale = tf.ones_like(loss)
    if IS_KERAS_3:
        scale = optimizer.scale_loss(scale)
    elif hasattr(optimizer, "get_scaled_loss"):
        scale = optimizer.get_scaled_loss(scale)
    return tape.gradient(loss, sources, scale)


def unscaled(gradients, optimizer):
    """Gradients for `optimizer.apply_gradients` from those of `scaled_gradients`."""
    if not IS_KERAS_3 and hasattr(optimizer, "get_unscaled_gradients"):
        return optimizer.get_unscaled_gradients(gradients)
    return gradients  # Keras 3 scales back when it applies them


def scales_loss(optimizer):
    """Whether an optimizer scales the loss for mixed_float16, and may skip a step."""
    return inner_optimizer(optimizer) is not optimizer


def watch_gradients(optimizer, watch):
    """Makes an optimizer report the gradients that it applies.

    Args:
        optimizer: Keras optimizer, also a legacy one, or one that scales the loss.
        watch: Callable that gets a list of `(gradient, tf.Variable)` at each step, in
            each replica, after the gradients have been summed over the replicas. On
            Keras 3 they are already clipped, if the optimizer clips.
    """
    optimizer = inner_optimizer(optimizer)
    names = "_all_reduce_sum_gradients", "aggregate_gradients", "_aggregate_gradients"
    name = next(name for name in names if hasattr(optimizer, name))
    vars(optimizer).pop(name, None)  # an earlier watch
    add_up = getattr(optimizer, name)

    def watched(gradients_and_variables):
        added_up = list(add_up(list(gradients_and_variables)))
        watch(added_up)
        return added_up

    setattr(optimizer, name, watched)


def is_moved_by_replicas(variable):
    """Whether each replica keeps its own value, as with batch statistics."""
    variable = tf_variable(variable)
    return variable.synchronization == tf.VariableSynchronization.ON_READ


def dtype_of(variable):
    """`tf.DType` of a variable."""
    return tf.as_dtype(variable.dtype)


def lamb(learning_rate, weight_decay, not_decayed):
    """LAMB: from tensorflow-addons on Keras 2, from Keras on Keras 3.

    They apply weight decay differently: addons inside the layer-wise scaling, like the
    paper (https://arxiv.org/abs/1904.00962), Keras outside of it.

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
