"""A network with batch norm folded into constant kernels gives the same features."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import tf_models

KINDS = {
    "basic": {"depth": 18, "width_multiplier": 0.25, "stem": "cifar"},
    "bottleneck": {"depth": 50, "width_multiplier": 0.125},
    "selective": {"depth": 50, "width_multiplier": 0.125, "sk_ratio": 0.0625},
    "gated": {"depth": 18, "width_multiplier": 0.25, "se_ratio": 0.25},
}


def trained(**options):
    """A network none of whose variables are as they begin."""
    network, random = tf_models.ResNet(**options), np.random.RandomState(0)
    for variable in network.variables:
        value = random.uniform(0.5, 1.5, variable.shape)
        if len(variable.shape) == 4:
            value = (value - 1.0) / np.sqrt(np.prod(variable.shape[:3]) / 8)
        variable.assign(value.astype("float32"))
    return network


def pictures(count=3, size=32):
    random = np.random.RandomState(1)
    return tf.constant(random.uniform(size=[count, size, size, 3]), tf.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_those_of_a_call(kind):
    network = trained(**KINDS[kind])
    folded = network.folded()
    for images in (pictures(), pictures(1), pictures(2, 40)):
        expected = network(images).numpy()
        assert np.ptp(expected) > 0.1
        error = np.abs(folded(images) - expected).max()
        assert error < 1e-5 * np.abs(expected).max()


def test_no_batch_norm_and_no_weight_is_left_in_the_graph():
    network = trained(**KINDS["basic"])
    graph = network.folded().get_concrete_function(pictures()).graph
    kinds = {op.type for op in graph.get_operations()}
    assert "Conv2D" in kinds
    assert not {kind for kind in kinds if "BatchNorm" in kind or "Variable" in kind}


def test_weights_are_those_of_the_moment():
    network = trained(**KINDS["basic"])
    folded, expected = network.folded(), network(pictures()).numpy()
    for variable in network.variables:
        variable.assign(2.0 * variable)
    np.testing.assert_allclose(folded(pictures()), expected, rtol=1e-4)
    np.testing.assert_allclose(network.folded()(pictures()), network(pictures()), 1e-4)
    assert np.abs(network(pictures()) - expected).max() > 0.1


def test_in_mixed_precision_it_computes_in_half():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    network = trained(**KINDS["basic"])
    found = network.folded()(pictures())
    expected = network(pictures())
    assert found.dtype == tf.float32
    error = np.abs(found - expected).max()
    assert 0 < error < 0.05 * np.abs(expected).max()  # bfloat16 has 8 bits
