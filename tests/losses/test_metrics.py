import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.losses import contrastive_accuracy, contrastive_entropy


@pytest.mark.parametrize("temperature, entropy", [(0.1, 0.4446294), (0.5, 1.1492260)])
def test_figures_of_the_published_code(temperature, entropy):
    h = np.random.RandomState(0).randn(8, 4).astype("float32")
    assert np.mean(contrastive_accuracy(h[:4], h[4:])) == 0.25
    entropies = contrastive_entropy(h[:4], h[4:], temperature)
    np.testing.assert_allclose(np.mean(entropies), entropy, rtol=1e-5)


def test_accuracy_looks_from_the_first_views_to_the_second_only():
    a = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    b = np.array([[1.0, 0.1], [1.0, 1.2], [0.0, 1.0]])
    # Nearest by angle: a0 -> b0, a1 -> b2, a2 -> b1. From b, b1 would find a2.
    np.testing.assert_array_equal(contrastive_accuracy(a, b), [1, 0, 0])


def test_lengths_count_without_hidden_norm():
    a, b = np.eye(2), np.array([[1.0, 0.0], [3.0, 1.0]])
    np.testing.assert_array_equal(contrastive_accuracy(a, b), [1, 1])
    np.testing.assert_array_equal(contrastive_accuracy(a, b, hidden_norm=False), [0, 1])


def test_entropy_by_hand():
    # Cosines 1 and 0 at temperature 1: probabilities e / (e + 1) and 1 / (e + 1).
    p = np.e / (np.e + 1)
    expected = -p * np.log(p) - (1 - p) * np.log(1 - p)
    entropies = contrastive_entropy(np.eye(2), np.eye(2), temperature=1.0)
    np.testing.assert_allclose(entropies, [expected] * 2, rtol=1e-5)


def test_sure_choice_has_no_entropy():
    a = 1e4 * np.eye(3)
    entropies = contrastive_entropy(a, a, 0.01, hidden_norm=False)
    np.testing.assert_array_equal(entropies, np.zeros(3))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(dtype):
    h = tf.cast(np.random.RandomState(0).randn(8, 4), dtype)
    full = tf.cast(h, "float32")
    for metric in (contrastive_accuracy, contrastive_entropy):
        assert metric(h[:4], h[4:]).dtype == tf.float32
        np.testing.assert_allclose(metric(h[:4], h[4:]), metric(full[:4], full[4:]))
