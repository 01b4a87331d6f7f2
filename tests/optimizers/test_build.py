import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from simclr_tf import keras_compat
from simclr_tf.optimizers import LARS, WarmupCosine, build_optimizer, decays_weights

NAMES = ["momentum", "adam", "adamw", "lamb", "lars"]


def network():
    layers = [
        keras.Input([4]),
        keras.layers.Dense(4, bias_initializer="ones", name="conv"),
        keras.layers.BatchNormalization(beta_initializer="ones", name="beta_gamma"),
        keras.layers.Dense(1, bias_initializer="ones", name="unbiased"),
    ]
    return keras.Sequential(layers)


@pytest.mark.parametrize("name", NAMES)
def test_learns_with_a_schedule(name):
    keras.utils.set_random_seed(1)
    x = np.random.RandomState(0).randn(16, 4).astype("float32")
    model = network()
    rate = WarmupCosine(0.5 if name == "lars" else 0.05, 2, 100)
    model.compile(build_optimizer(name, rate, weight_decay=1e-4), "mse")
    losses = model.fit(x, x[:, :1], batch_size=16, epochs=25, verbose=0).history["loss"]
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_decays_kernels_alone_and_only_where_it_says_so(name):
    variables = network().trainable_variables
    optimizer = build_optimizer(name, 0.1, weight_decay=0.1)
    keras_compat.build_optimizer_state(optimizer, variables)
    before = [variable.numpy() for variable in variables]
    optimizer.apply_gradients([(tf.zeros(v.shape), v) for v in variables])
    moved = {
        keras_compat.leaf_name(variable)
        for variable, old in zip(variables, before, strict=True)
        if not np.array_equal(old, variable.numpy())
    }
    assert moved == ({"kernel"} if decays_weights(name) else set())


def test_momentum_is_nesterov_with_the_given_momentum():
    variable = tf.Variable(0.0)
    optimizer = build_optimizer("momentum", 1.0, momentum=0.5)
    for _ in range(2):
        optimizer.apply_gradients([(tf.constant(1.0), variable)])
    # Velocity 1, then 1.5; each step looks ahead: 0.5 * velocity + 1.
    np.testing.assert_allclose(variable, -(1.5 + 1.75), rtol=1e-6)


def test_lars_gets_momentum_and_weight_decay():
    optimizer = build_optimizer("lars", 0.3, momentum=0.8, weight_decay=1e-6)
    assert isinstance(optimizer, LARS)
    assert (optimizer.momentum, optimizer.weight_decay) == (0.8, 1e-6)


def test_wrong_arguments_are_named():
    for function in (lambda name: build_optimizer(name, 0.1), decays_weights):
        with pytest.raises(ValueError, match="must be one of momentum.*got 'sgd'"):
            function("sgd")
    with pytest.raises(ValueError, match="`weight_decay` must be >= 0, got -1"):
        build_optimizer("adam", 0.1, weight_decay=-1)
