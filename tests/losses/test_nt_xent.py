import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from simclr_tf.losses import NTXent, contrastive_accuracy, contrastive_entropy, nt_xent


def views(rows=5, dim=4, seed=0):
    random = np.random.RandomState(seed)
    return random.randn(2, rows, dim).astype("float32")


def slow_nt_xent(view_a, view_b, temperature, hidden_norm):
    """Equation 1 of the paper, read literally."""
    z = np.concatenate([view_a, view_b]).astype("float64")
    if hidden_norm:
        z = np.stack([row / np.sqrt(np.sum(row * row)) for row in z])
    losses = []
    for i in range(len(z)):
        j = (i + len(view_a)) % len(z)
        others = [np.exp(z[i] @ z[k] / temperature) for k in range(len(z)) if k != i]
        losses.append(-np.log(np.exp(z[i] @ z[j] / temperature) / np.sum(others)))
    return losses


@pytest.mark.parametrize("temperature, printed", [(0.1, 15.3208981), (0.5, 5.3081512)])
def test_is_half_of_what_the_published_code_prints(temperature, printed):
    h = np.random.RandomState(0).randn(8, 4).astype("float32")
    loss = tf.reduce_mean(nt_xent(h[:4], h[4:], temperature))
    np.testing.assert_allclose(loss, printed / 2, rtol=1e-6)


def test_two_orthogonal_images_by_hand():
    # Each row scores 1 with its partner and 0 with the two others.
    expected = np.log(np.e + 2) - 1
    losses = nt_xent(np.eye(2), np.eye(2), temperature=1.0)
    np.testing.assert_allclose(losses, [expected] * 4, rtol=1e-6)


def test_collapsed_views_cost_the_log_of_the_number_of_candidates():
    losses = nt_xent(np.ones([4, 3]), np.ones([4, 3]))
    np.testing.assert_allclose(losses, [np.log(7)] * 8, rtol=1e-6)


@pytest.mark.parametrize("hidden_norm", [True, False])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_equals_a_literal_reading_row_by_row(temperature, hidden_norm):
    a, b = views()
    losses = nt_xent(a, b, temperature, hidden_norm)
    expected = slow_nt_xent(a, b, temperature, hidden_norm)
    np.testing.assert_allclose(losses, expected, rtol=1e-4, atol=1e-5)


def test_gradient_equals_finite_differences_of_the_literal_reading():
    a, b = views(rows=3)
    step = 1e-5

    def slow_mean(change):
        return np.mean(slow_nt_xent(a + change, b, 0.5, True))

    expected = np.zeros(a.shape)
    for index in np.ndindex(*a.shape):
        change = np.zeros(a.shape)
        change[index] = step
        expected[index] = (slow_mean(change) - slow_mean(-change)) / (2 * step)
    x = tf.Variable(a)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(nt_xent(x, b, 0.5))
    np.testing.assert_allclose(tape.gradient(loss, x), expected, atol=1e-6)


def test_order_of_images_and_of_views_does_not_matter():
    a, b = views()
    order = [3, 0, 4, 1, 2]
    losses = nt_xent(a, b).numpy().reshape(2, 5)
    shuffled = nt_xent(a[order], b[order]).numpy().reshape(2, 5)
    np.testing.assert_allclose(shuffled, losses[:, order], rtol=1e-5)
    swapped = nt_xent(b, a).numpy().reshape(2, 5)
    np.testing.assert_allclose(swapped, losses[::-1], rtol=1e-5)


def test_length_of_embeddings_matters_only_without_hidden_norm():
    a, b = views()
    np.testing.assert_allclose(nt_xent(7 * a, b), nt_xent(a, b), rtol=1e-4)
    assert not np.allclose(nt_xent(7 * a, b, 1.0, False), nt_xent(a, b, 1.0, False))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(dtype):
    a, b = (tf.cast(view, dtype) for view in views())
    losses = nt_xent(a, b, temperature=0.05)
    assert losses.dtype == tf.float32
    expected = nt_xent(tf.cast(a, "float32"), tf.cast(b, "float32"), temperature=0.05)
    np.testing.assert_allclose(losses, expected, rtol=1e-6)


def test_stays_finite_for_huge_and_for_empty_rows():
    a, b = views()
    a[0] = b[1] = 0.0
    for scale, hidden_norm in [(1.0, True), (60000.0, True), (1e15, False)]:
        x = tf.Variable(scale * a)
        with tf.GradientTape() as tape:
            losses = nt_xent(x, scale * b, 0.05, hidden_norm)
        assert np.all(np.isfinite(losses))
        assert np.all(np.isfinite(tape.gradient(losses, x)))


def test_one_image_has_nothing_to_be_told_from():
    a, b = views(rows=1)
    np.testing.assert_array_equal(nt_xent(a, b), [0.0, 0.0])


def test_batch_size_may_be_unknown_to_the_graph():
    unknown = tf.TensorSpec([None, 4])
    compiled = tf.function(nt_xent, input_signature=[unknown, unknown])
    a, b = views()
    np.testing.assert_allclose(compiled(a, b), nt_xent(a, b), rtol=1e-5)


@pytest.mark.parametrize("temperature", [0, -0.1, float("nan"), float("inf")])
def test_temperature_must_be_positive_and_finite(temperature):
    a, b = views()
    for make in (lambda: nt_xent(a, b, temperature), lambda: NTXent(temperature)):
        with pytest.raises(ValueError, match=f"`temperature` must.*got {temperature}"):
            make()


@pytest.mark.parametrize("shape", [[4, 4], [5, 3], [5], [5, 4, 1]])
def test_views_must_be_matrices_of_one_shape(shape):
    for loss in (nt_xent, NTXent().call):
        with pytest.raises(ValueError, match="`view_a` and `view_b` must.*got"):
            loss(tf.zeros([5, 4]), tf.zeros(shape))


def test_keras_loss_gives_an_image_the_mean_of_its_two_rows():
    a, b = views()
    losses = NTXent(0.5).call(a, b)
    expected = nt_xent(a, b, 0.5).numpy().reshape(2, 5).mean(axis=0)
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    np.testing.assert_allclose(NTXent(0.5)(a, b), expected.mean(), rtol=1e-6)


def test_keras_loss_in_graph_mode_and_under_xla():
    a, b = views()
    expected = NTXent(0.5).call(a, b)
    for jit_compile in (False, True):
        call = tf.function(NTXent(0.5).call, jit_compile=jit_compile)
        np.testing.assert_allclose(call(a, b), expected, rtol=1e-5)


def test_keras_loss_in_compile_and_fit():
    a, b = views()
    model = keras.Sequential([keras.Input([4]), keras.layers.Dense(4, use_bias=False)])
    model.compile("sgd", NTXent(0.5))
    before = model.evaluate(b, a, batch_size=5, verbose=0)
    np.testing.assert_allclose(before, NTXent(0.5)(a, model(b)), rtol=1e-5)
    model.fit(b, a, batch_size=5, epochs=5, verbose=0)
    assert model.evaluate(b, a, batch_size=5, verbose=0) < before


def test_keras_loss_survives_its_config():
    loss = NTXent(0.3, hidden_norm=False, reduction="sum", name="contrast")
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert isinstance(again, NTXent)
    assert again.get_config() == loss.get_config()
    assert again.temperature == 0.3 and again.hidden_norm is False


@pytest.mark.parametrize("hidden_norm", [True, False])
def test_call_with_metrics_gives_what_the_functions_give(hidden_norm):
    a, b = views()
    loss = NTXent(0.5, hidden_norm)
    losses, accuracies, entropies = loss.call_with_metrics(a, b)
    np.testing.assert_allclose(losses, loss.call(a, b), rtol=1e-6)
    np.testing.assert_array_equal(accuracies, contrastive_accuracy(a, b, hidden_norm))
    expected = contrastive_entropy(a, b, 0.5, hidden_norm)
    np.testing.assert_allclose(entropies, expected, rtol=1e-5)
