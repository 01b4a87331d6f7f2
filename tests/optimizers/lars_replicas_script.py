"""Run as a program: LARS on two logical CPUs is LARS on one device."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

from simclr_tf.optimizers import LARS, WarmupCosine


def weights(scope, **rule):
    """Weights after three steps of `fit` on a global batch of 8, and the optimizer."""
    x = np.random.RandomState(0).randn(8, 4).astype("float32")
    with scope:
        keras.utils.set_random_seed(1)
        layers = [keras.Input([4]), keras.layers.Dense(8), keras.layers.Dense(1)]
        model = keras.Sequential(layers)
        optimizer = LARS(trust_coefficient=0.1, weight_decay=1e-3, **rule)
        model.compile(optimizer, "mse")
    model.fit(x, x[:, :1], batch_size=8, epochs=3, verbose=0)
    return model.get_weights(), optimizer


def check(strategy, **rule):
    """Compares the weights, and saves the optimizer's config."""
    expected, _ = weights(tf.distribute.get_strategy().scope(), **rule)
    got, optimizer = weights(strategy.scope(), **rule)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    config = optimizer.get_config()
    assert LARS.from_config(config).get_config() == config, config


if __name__ == "__main__":
    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    check(mirrored, learning_rate=0.25)
    check(mirrored, learning_rate=WarmupCosine(0.5, 2, 9), classic_momentum=False)
    print("equal")
