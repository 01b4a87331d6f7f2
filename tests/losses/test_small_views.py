"""The loss of multi-crop's small views, against the formula read literally."""

import math

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import losses
from simclr_tf.losses import _rows

SMALL = np.random.RandomState(0).randn(5, 3, 4).astype("float32")
A, B = np.random.RandomState(1).randn(2, 5, 4).astype("float32")


def literal(small, view_a, view_b, temperature, hidden_norm=True):
    """Loops over the formula of the docstring, in float64 or on tensors."""

    def e(s, k):
        s, k = (v / tf.norm(v) if hidden_norm else v for v in (s, k))
        return tf.exp(tf.reduce_sum(s * k) / temperature)

    losses = []
    for i in range(len(view_a)):
        for s in tf.unstack(small[i]):
            others = sum(
                e(s, view_a[j]) + e(s, view_b[j]) for j in range(len(view_a)) if j != i
            )
            pair = [
                -tf.math.log(e(s, k[i]) / (e(s, k[i]) + others))
                for k in (view_a, view_b)
            ]
            losses.append(sum(pair) / 2)
    return tf.reshape(losses, small.shape[:2])


@pytest.mark.parametrize("max_cells", [2**22, 60, 1])  # all rows, two, one at a time
@pytest.mark.parametrize("hidden_norm", [True, False])
def test_values_and_gradients_are_those_of_the_formula(
    max_cells, hidden_norm, monkeypatch
):
    monkeypatch.setattr(_rows, "MAX_CELLS", max_cells)
    views = [tf.constant(view) for view in (SMALL, A, B)]
    found = []
    for loss in (losses.nt_xent_small_views, literal):
        with tf.GradientTape() as tape:
            tape.watch(views)
            values = loss(*views, 0.7, hidden_norm)
            weighted = tf.reduce_sum(values * np.arange(1.0, 16).reshape(5, 3))
        found.append([values, *tape.gradient(weighted, views)])
    for ours, expected in zip(*found, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=2e-5, atol=1e-5)


def test_by_hand():
    # 1 with each of its positives, 0 with the two full views of the other image.
    found = losses.nt_xent_small_views(tf.eye(2)[:, None], tf.eye(2), tf.eye(2), 1.0)
    np.testing.assert_allclose(found, 2 * [[np.log(np.e + 2) - 1]], rtol=1e-6)


def test_a_small_view_that_is_the_other_full_view_has_its_loss():
    loss = losses.NTXent(0.3)
    full = np.reshape(losses.nt_xent(A, A, 0.3), [2, 5])
    small = loss.of_small_views(A[:, None], A, A)
    np.testing.assert_allclose(small[:, 0], full[0], rtol=1e-5)


def test_chance_is_that_of_nt_xent_and_one_image_costs_nothing():
    same = tf.ones([6, 4])
    found = losses.nt_xent_small_views(tf.ones([6, 2, 4]), same, same)
    np.testing.assert_allclose(found, np.full([6, 2], losses.chance_loss(6)), rtol=1e-6)
    views = [tf.constant(view[:1]) for view in (SMALL, A, B)]
    with tf.GradientTape() as tape:
        tape.watch(views)
        loss = losses.nt_xent_small_views(*views)
    assert np.all(loss == 0)
    for gradient in tape.gradient(loss, views):
        assert np.all(gradient == 0)


def test_extreme_similarities_stay_finite_and_in_a_graph():
    graph = tf.function(losses.nt_xent_small_views, jit_compile=True)
    found = graph(-A[:, None], A, A, 0.005)
    expected = losses.nt_xent_small_views(-A[:, None], A, A, 0.005)
    assert np.all(np.isfinite(found)) and math.isfinite(np.max(found))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_wrong_shape_is_said():
    with pytest.raises(ValueError, match=r"`small` must be of shape \[b, V, E\], got"):
        losses.nt_xent_small_views(A, A, B)
