import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import tf_models
from tests import programs

HEADS = [
    {"mode": "none"},
    {"mode": "linear", "output_dim": 4},
    {"mode": "nonlinear", "num_layers": 1, "output_dim": 4},
    {"mode": "nonlinear", "num_layers": 3, "output_dim": 4},
]


def test_hidden_layers_are_the_literal_sequence():
    head = tf_models.ProjectionHead(num_layers=2, output_dim=3)
    features = np.random.RandomState(0).randn(8, 5).astype("float32")
    hidden = head.hidden_layers(features, training=True)
    first, second = (head.dense_0.get_weights()[0], head.dense_1.get_weights()[0])

    def normalise(values):
        return (values - values.mean(0)) / np.sqrt(values.var(0) + 1e-5)

    expected = [features, np.maximum(normalise(features @ first), 0)]
    expected.append(normalise(expected[1] @ second))
    assert len(hidden) == 3
    for found, wanted in zip(hidden, expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-3)
    names = [
        len(norm.trainable_variables)
        for norm in (head.batch_normalization_0, head.batch_normalization_1)
    ]
    assert names == [2, 1]  # the last one only scales


@pytest.mark.parametrize("arguments", HEADS)
def test_call_is_the_last_hidden_layer_and_config_round_trips(arguments):
    head = tf_models.ProjectionHead(**arguments)
    features = tf.random.stateless_normal([4, 6], [0, 1])
    hidden = head.hidden_layers(features, training=False)
    np.testing.assert_array_equal(head(features, training=False), hidden[-1])
    width = {"none": 6}.get(arguments["mode"], 4)
    assert hidden[-1].shape == (4, width)
    again = tf_models.ProjectionHead.from_config(head.get_config())
    assert again.get_config() == head.get_config()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_heads_give_float32_under_mixed_precision(policy):
    keras.mixed_precision.set_global_policy(policy)
    features = tf.random.stateless_normal([4, 6], [0, 1])
    for layer in (tf_models.ProjectionHead(), tf_models.LinearHead(3)):
        assert tf.function(layer)(features).dtype == tf.float32


def test_linear_head_is_affine_and_marks_its_variables():
    head = tf_models.LinearHead(3)
    features = tf.random.stateless_normal([4, 6], [0, 1])
    kernel, bias = head(features) is not None and head.get_weights()
    np.testing.assert_allclose(head(features), features @ kernel + bias, atol=1e-6)
    assert 0.002 < np.std(kernel) < 0.02
    assert all(v.is_linear_head for v in head.trainable_variables)
    zero = tf_models.LinearHead(3, zero_init=True)
    np.testing.assert_array_equal(zero(features), np.zeros([4, 3]))
    again = tf_models.LinearHead.from_config(zero.get_config())
    assert again.get_config() == zero.get_config() and again.zero_init


def test_wrong_arguments_say_what_is_allowed():
    with pytest.raises(ValueError, match="`mode` must be one of .*got 'deep'"):
        tf_models.ProjectionHead(mode="deep")
    with pytest.raises(ValueError, match="`num_layers` must be >= 1, got 0"):
        tf_models.ProjectionHead(num_layers=0)
    with pytest.raises(ValueError, match="`output_dim` must be >= 1"):
        tf_models.ProjectionHead(output_dim=0)
    with pytest.raises(ValueError, match="`num_classes` must be >= 1, got 0"):
        tf_models.LinearHead(0)


@pytest.mark.parametrize("shape", [(8, 5), (4, 3, 6, 5)])
@pytest.mark.parametrize("center", [True, False])
def test_norm_equals_that_of_keras(shape, center):
    arguments = {"momentum": 0.8, "epsilon": 1e-3, "center": center}
    ours = tf_models.BatchNormalization(synchronized=True, **arguments)
    theirs = keras.layers.BatchNormalization(**arguments)
    if len(shape) == 4 and hasattr(theirs, "fused"):
        theirs.fused = False  # whose moving variance is that of 1 / (N - 1)
    inputs = tf.random.stateless_normal(shape, [0, 1], 2.0, 3.0)
    results = []
    for layer in (ours, theirs):
        layer.build(shape)
        if len(shape) == 4 and hasattr(layer, "fused"):
            layer.fused = False
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
            loss = tf.reduce_sum(outputs**3)
        gradients = tape.gradient(loss, [inputs, *layer.trainable_variables])
        results.append([outputs, *gradients, *layer.weights, layer(inputs)])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(
            np.array(found), np.array(expected), rtol=2e-3, atol=2e-3
        )


def test_frozen_norm_runs_in_inference():
    layer = tf_models.BatchNormalization()
    inputs = tf.random.stateless_normal([8, 5], [0, 1], 2.0, 3.0)
    layer.build(inputs.shape)
    layer.trainable = False
    np.testing.assert_array_equal(
        layer(inputs, training=True), layer(inputs, training=False)
    )
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(5))


REPLICAS = """
import numpy as np, tensorflow as tf
from tensorflow import keras
cpu = tf.config.list_physical_devices("CPU")[0]
logical = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, logical)
import tf_models
images = tf.random.stateless_normal([8, 4, 4, 3], [0, 1], 2.0, 3.0)
single = tf_models.BatchNormalization(synchronized=True)
expected = single(images, training=True)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    layer = tf_models.BatchNormalization(synchronized=True)
    layer.build([None, None, None, 3])
halves = strategy.experimental_distribute_values_from_function(
    lambda context: images[4 * context.replica_id_in_sync_group:][:4])
found = strategy.run(tf.function(lambda x: layer(x, training=True)), args=(halves,))
found = tf.concat(strategy.experimental_local_results(found), 0)
np.testing.assert_allclose(found, expected, atol=1e-5)
for ours, theirs in zip(layer.weights, single.weights):
    np.testing.assert_allclose(np.array(ours), np.array(theirs), atol=1e-5)
print("equal")
"""


def test_two_replicas_normalise_as_one(tmp_path):
    (tmp_path / "replicas.py").write_text(REPLICAS)
    assert "equal\n" in programs.run(str(tmp_path / "replicas.py"))


@pytest.mark.parametrize("synchronized", [False, True])
def test_config_of_batch_norm_says_over_what_it_is(synchronized):
    norm = tf_models.BatchNormalization(synchronized=synchronized, momentum=0.7)
    again = tf_models.BatchNormalization.from_config(norm.get_config())
    assert (again.synchronized, again.momentum) == (synchronized, 0.7)
