"""The convolution that is trained faster without oneDNN is the one it stands for."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf

import tf_models
from tf_models import convolution

KERNELS = [(size, strides) for size in (1, 3, 5, 7) for strides in (1, 2)]


def plain(images, kernel, strides):
    """TensorFlow's own."""
    padded = convolution.pad(images, (kernel.shape[0] - 1) // 2)
    return tf.nn.conv2d(padded, kernel, strides, "VALID")


def run(convolve, images, kernel, strides):
    """The outputs, and the gradients of a function of them that is not linear."""
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([images, kernel])
        outputs = convolve(images, kernel, strides)
        loss = tf.reduce_sum(tf.sin(tf.cast(outputs, tf.float32)))
    return outputs, tape.gradient(loss, images), tape.gradient(loss, kernel)


def data(size, kernel_size, dtype=tf.float32):
    random = np.random.RandomState(0)
    images = random.normal(size=[2, *size, 3])
    kernel = random.normal(size=[kernel_size, kernel_size, 3, 4]) / kernel_size
    return tf.constant(images, dtype), tf.constant(kernel, dtype)


def assert_same(found, expected, tolerance):
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        a, b = (np.asarray(tf.cast(x, tf.float32)) for x in (a, b))
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())


@pytest.mark.parametrize("size", [(8, 8), (9, 7), (6, 11), (1, 2)])
@pytest.mark.parametrize(("kernel_size", "strides"), KERNELS)
def test_outputs_and_gradients(size, kernel_size, strides):
    arguments = (*data(size, kernel_size), strides)
    expected = run(plain, *arguments)
    assert_same(run(convolution.convolve, *arguments), expected, 1e-5)


@pytest.mark.parametrize(("kernel_size", "strides"), [(3, 1), (3, 2), (1, 2)])
def test_compiled_by_xla(kernel_size, strides):
    arguments = (*data((8, 9), kernel_size), strides)
    compiled = tf.function(run, jit_compile=True)
    found = compiled(convolution.convolve, *arguments)
    assert_same(found, run(plain, *arguments), 1e-5)


def test_bfloat16():
    from tests import processor

    if not processor.bfloat16_works():
        pytest.skip("TensorFlow would abort: see tests/processor.py.")
    for strides in (1, 2):
        found = run(convolution.convolve, *data((8, 9), 3, tf.bfloat16), strides)
        expected = run(plain, *data((8, 9), 3), strides)
        assert all(tensor.dtype == tf.bfloat16 for tensor in found)
        found = [tf.cast(tensor, tf.float32) for tensor in found]
        assert_same(found, expected, 0.03)  # of 8 bits


def gradients_of_network():
    tf.keras.utils.set_random_seed(0)
    network = tf_models.ResNet(18, 0.0625, stem="cifar")
    images = tf.random.stateless_uniform([4, 16, 16, 3], [0, 0])
    with tf.GradientTape() as tape:
        features = network(images, training=True)
        loss = tf.reduce_sum(features * tf.range(32.0))
    return tape.gradient(loss, network.trainable_weights)


@pytest.mark.usefixtures("smooth")
def test_a_network_takes_it_in_training_alone(monkeypatch):
    calls = []

    def counted(*arguments):
        calls.append(arguments)
        return convolution_of_ours(*arguments)

    convolution_of_ours = convolution.convolve
    monkeypatch.setattr(convolution, "convolve", counted)
    monkeypatch.setattr(convolution, "is_faster", lambda images: False)
    expected = gradients_of_network()
    assert not calls
    monkeypatch.setattr(convolution, "is_faster", lambda images: True)
    assert_same(gradients_of_network(), expected, 1e-3)
    assert len(calls) == 21  # of every layer
    tf_models.ResNet(18, 0.0625)(tf.zeros([1, 8, 8, 3]), training=False)
    assert len(calls) == 21


def test_it_is_taken_where_tensorflow_has_no_better_kernel(monkeypatch):
    images = tf.zeros([1, 4, 4, 3])
    for onednn in (True, False):
        monkeypatch.setattr(convolution.util_port, "IsMklEnabled", lambda on=onednn: on)
        assert convolution.is_faster(images) == (
            not onednn and not tf.config.list_logical_devices("GPU")
        )
    seen = []

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
    def of_any_size(images):
        seen.append(convolution.is_faster(images))

    of_any_size(images)
    assert seen == [False]


def test_the_graph_of_a_training_is_forgotten():
    kernel = tf.Variable(tf.ones([3, 3, 2, 2]))

    @tf.function
    def step(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(convolution.convolve(images, kernel))
        return tape.gradient(loss, kernel)

    graph = weakref.ref(step.get_concrete_function(tf.zeros([1, 4, 4, 2])).graph)
    del step
    gc.collect()
    assert graph() is None
