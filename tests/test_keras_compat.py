import inspect
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import simclr_tf
import tf_models
from simclr_tf import keras_compat
from simclr_tf.evaluation import evaluators
from tf_models.layers import ConvolutionNorm


def test_tells_the_kerases_apart():
    of_keras_2 = "engine" in keras.Model.__module__  # a package that Keras 3 dropped
    assert keras_compat.IS_KERAS_3 != of_keras_2


def test_variable_path_names_the_layers():
    class Encoder(keras.Model):
        def __init__(self):
            super().__init__(name="encoder")
            self.conv = keras.layers.Dense(2, name="conv")

        def call(self, inputs):
            return self.conv(inputs)

    encoder = Encoder()
    encoder(tf.zeros([1, 3]))
    paths = [keras_compat.variable_path(variable) for variable in encoder.variables]
    assert paths == ["encoder/conv/kernel", "encoder/conv/bias"]
    leaves = [keras_compat.leaf_name(variable) for variable in encoder.variables]
    assert leaves == ["kernel", "bias"]
    assert keras_compat.variable_path(tf.Variable(0.0, name="bare")) == "bare"


def test_unpack():
    assert keras_compat.unpack("x") == ("x", None)
    assert keras_compat.unpack(("x",)) == ("x", None)
    assert keras_compat.unpack(("x", "y")) == ("x", "y")
    assert keras_compat.unpack((("a", "b"), "y")) == (("a", "b"), "y")


def test_unpack_refuses_sample_weights():
    with pytest.raises(ValueError, match="got sample weights"):
        keras_compat.unpack(("x", "y", "weights"))


class Step(keras.Model):
    """Trains one weight, whose gradient is too small for float16, by a step of ours."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")

    def call(self, inputs):
        return self.dense(inputs)

    def train_step(self, data):
        x, _ = keras_compat.unpack(data)
        with tf.GradientTape() as tape:
            loss = 1e-5 * tf.reduce_mean(tf.cast(self(x, training=True), "float32"))
        variables = self.trainable_variables
        gradients = keras_compat.scaled_gradients(tape, loss, variables, self.optimizer)
        gradients = keras_compat.unscaled(gradients, self.optimizer)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return {"loss": loss}


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_gradients_are_scaled_where_float16_would_lose_them(policy):
    keras.mixed_precision.set_global_policy(policy)
    model = Step()
    model.compile(keras.optimizers.SGD(1e5))
    x = np.full([4, 1], 2.0**-10, "float32")
    model.fit(x, batch_size=4, verbose=0)
    moved = 1.0 - float(model.dense.kernel[0, 0])
    np.testing.assert_allclose(moved, 2.0**-10, rtol=1e-2)


class Branching(keras.layers.Layer):
    """Halves images whose sum is positive."""

    def call(self, images):
        if tf.reduce_sum(images) > 0:
            images = images / 2
        return images


def halved_if_positive(images):
    images = tf.cast(images, tf.float32)
    if tf.reduce_sum(images) > 0:
        images = images / 2
    return images


def test_functions_of_ones_own_may_branch_on_tensors():
    images = np.stack([np.zeros([4, 4, 3]), np.ones([4, 4, 3])]).astype("uint8")
    source = simclr_tf.data.ArraySource(images)
    (batch,) = simclr_tf.data.eval_batches(source, 2, halved_if_positive)
    np.testing.assert_array_equal(batch, images / 2)
    (pair,) = evaluators.labelled_batches(
        (images, [0, 1]), "train", halved_if_positive, 2
    )
    np.testing.assert_array_equal(pair[0], images / 2)


@pytest.mark.skipif(keras_compat.IS_KERAS_3, reason="It converts no layers.")
def test_autograph_converts_layers_of_ones_own_and_none_of_ours(monkeypatch):
    callers, relu = set(), tf.nn.relu

    def seen(values):
        callers.update(frame.function for frame in inspect.stack())
        return relu(values)

    monkeypatch.setattr(tf.nn, "relu", seen)
    encoder = keras.Sequential([Branching(), ConvolutionNorm(2, kernel_size=3)])
    head = tf_models.ProjectionHead(num_layers=1, output_dim=2)
    model = simclr_tf.SimCLR(encoder, head)
    model.compile(optimizer="sgd", loss=simclr_tf.losses.NTXent())
    views = np.random.RandomState(0).rand(2, 4, 8, 8, 3).astype("float32")
    model.fit(tf.data.Dataset.from_tensors(tuple(views)), verbose=0)
    converted = {name for name in callers if name.startswith("tf__")}
    assert converted == {"tf__train_function"}  # that of Keras


def test_inner_optimizer():
    sgd = keras.optimizers.SGD(0.1)
    assert keras_compat.inner_optimizer(sgd) is sgd
    scaled = keras.mixed_precision.LossScaleOptimizer(sgd)
    assert keras_compat.inner_optimizer(scaled) is sgd


@pytest.mark.parametrize("scaled", [False, True])
def test_build_optimizer_state_makes_the_slots_of_any_optimizer(scaled):
    for make in (
        lambda: keras.optimizers.Adam(0.1),
        lambda: keras_compat.lamb(0.1, 0.0, []),
    ):
        variable, optimizer = tf.Variable([1.0, 2.0]), make()
        if scaled:
            optimizer = keras.mixed_precision.LossScaleOptimizer(optimizer)
        keras_compat.build_optimizer_state(optimizer, [variable])
        states = optimizer.variables  # a method on legacy optimizers
        states = states() if callable(states) else states
        shapes = [tuple(state.shape) for state in states]
        assert shapes.count((2,)) == 2  # two moments


def test_lamb_moves_a_weight_in_proportion_to_its_norm():
    small, large = tf.Variable([[1.0, 1.0]]), tf.Variable([[8.0, 8.0]])
    optimizer = keras_compat.lamb(0.125, 0.0, [])
    gradient = tf.constant([[1.0, 1.0]])
    optimizer.apply_gradients([(gradient, small), (gradient, large)])
    np.testing.assert_allclose(small, [[0.875, 0.875]], rtol=1e-5)
    np.testing.assert_allclose(large, [[7.0, 7.0]], rtol=1e-5)


def test_lamb_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(keras_compat.optimizers, "IS_KERAS_3", False)
    monkeypatch.setitem(sys.modules, "tensorflow_addons", None)
    with pytest.raises(ImportError, match="LAMB needs Keras 3, or Keras 2 with"):
        keras_compat.lamb(0.1, 0.0, [])


def test_full_precision_is_for_the_while_and_for_mixed_layers_only():
    mixed = keras.layers.Dense(1, dtype="mixed_bfloat16")
    half = keras.layers.Dense(1, dtype="bfloat16")
    network = keras.Sequential([keras.Input([2]), mixed, half])
    with pytest.raises(KeyError), keras_compat.full_precision([network]):
        assert mixed.compute_dtype == "float32" and half.compute_dtype == "bfloat16"
        raise KeyError
    assert mixed.compute_dtype == half.compute_dtype == "bfloat16"


def test_tf_variables_are_those_of_tensorflow():
    network = keras.Sequential([keras.Input([2]), keras.layers.Dense(3)])
    kernel, bias = keras_compat.tf_variables(network)
    assert isinstance(kernel, tf.Variable) and isinstance(bias, tf.Variable)
    assert kernel.shape == [2, 3] and bias.shape == [3]


def test_import_leaves_addons_alone_and_warns_of_nothing():
    program = (
        "import sys, warnings, tensorflow\n"
        "warnings.simplefilter('error')\n"
        "from simclr_tf import keras_compat\n"
        "assert 'tensorflow_addons' not in sys.modules\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
