"""What training may give to every loss: labels, more negatives, a temperature."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.losses import ContrastiveLoss, NTXent, _rows, nt_xent
from tests.losses.test_blockwise import nt_xent_module

A, B = np.random.RandomState(0).randn(2, 5, 4).astype("float32")
MEMORY = np.random.RandomState(1).randn(6, 4).astype("float32")
MEMORY[[1, 4]] = 0.0  # empty places


def literal_with_negatives(view_a, view_b, negatives, temperature, hidden_norm=True):
    """Equation 1 of the paper with more candidates, read literally."""
    z = np.concatenate([view_a, view_b]).astype("float64")
    more = negatives[np.any(negatives != 0, axis=1)].astype("float64")
    if hidden_norm:
        z, more = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in (z, more))
    losses = []
    for i, row in enumerate(z):
        positive = np.exp(row @ z[(i + len(view_a)) % len(z)] / temperature)
        others = np.delete(z, i, axis=0)
        candidates = np.exp(np.concatenate([others, more]) @ row / temperature)
        losses.append(-np.log(positive / np.sum(candidates)))
    return np.mean(np.reshape(losses, [2, -1]), axis=0)


@pytest.fixture(params=["at once", "by blocks"])
def cells(request, monkeypatch):
    if request.param == "by blocks":
        monkeypatch.setattr(nt_xent_module, "_MAX_CELLS", 50)
        monkeypatch.setattr(_rows, "MAX_CELLS", 25)


@pytest.mark.parametrize("hidden_norm", [True, False])
def test_negatives_are_further_candidates_of_every_row(cells, hidden_norm):
    found = NTXent(0.5, hidden_norm).call_with_metrics(A, B, negatives=MEMORY)
    expected = literal_with_negatives(A, B, MEMORY, 0.5, hidden_norm)
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)
    for more, alone in zip(
        found[1:], NTXent(0.5, hidden_norm).call_with_metrics(A, B)[1:], strict=True
    ):
        np.testing.assert_allclose(more, alone, rtol=1e-5)


def test_an_empty_memory_changes_nothing(cells):
    weights = tf.linspace(-1.0, 2.0, 5)
    found = []
    for negatives in (None, tf.zeros([3, 4])):
        x = tf.constant(A)
        with tf.GradientTape() as tape:
            tape.watch(x)
            losses = NTXent(0.1).call(x, B, negatives=negatives)
        found.append([losses, tape.gradient(losses, x, weights)])
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-6)
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-6)


@pytest.mark.parametrize("negatives", [None, MEMORY])
def test_a_temperature_tensor_counts_and_learns(cells, negatives):
    x, t = tf.constant(A), tf.constant(0.3)
    loss = NTXent(7.0)  # its own does not count

    @tf.function
    def graph(x, t):
        with tf.GradientTape() as tape:
            tape.watch([x, t])
            losses = loss.call(x, B, negatives=negatives, temperature=t)
            value = tf.reduce_mean(losses)
        return losses, *tape.gradient(value, [x, t])

    losses, of_views, of_temperature = graph(x, t)
    memory = np.zeros([1, 4]) if negatives is None else negatives
    expected = literal_with_negatives(A, B, memory, 0.3)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    means = [
        np.mean(literal_with_negatives(A, B, memory, 0.3 + change))
        for change in (1e-5, -1e-5)
    ]
    slope = (means[0] - means[1]) / 2e-5
    np.testing.assert_allclose(of_temperature, slope, rtol=1e-4)
    with tf.GradientTape() as tape:
        tape.watch(x)
        own = tf.reduce_mean(NTXent(0.3).call(x, B, negatives=negatives))
    np.testing.assert_allclose(of_views, tape.gradient(own, x), rtol=1e-4, atol=1e-6)


def test_a_tiny_temperature_tensor_stays_finite(cells):
    x, t = tf.constant(A), tf.constant(1e-4)
    with tf.GradientTape() as tape:
        tape.watch([x, t])
        losses = NTXent().call(x, B, negatives=MEMORY, temperature=t)
    for gradient in [losses, *tape.gradient(losses, [x, t])]:
        assert np.all(np.isfinite(gradient))


def test_no_gradient_reaches_negatives():
    memory = tf.constant(MEMORY)
    with tf.GradientTape() as tape:
        tape.watch(memory)
        losses = NTXent().call(A, B, negatives=memory)
    assert tape.gradient(losses, memory) is None


def test_small_views_take_both():
    small, loss = tf.constant(A[:, np.newaxis]), NTXent(7.0)
    # A small view that is the first view has that one's loss, with A itself for B.
    found = loss.of_small_views(small, A, A, MEMORY, tf.constant(0.5))
    expected = NTXent(0.5).call(A, A, negatives=MEMORY)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-5)


def test_what_a_loss_cannot_use_is_refused():
    class Plain(ContrastiveLoss):
        takes_temperature = False

    class Labelled(ContrastiveLoss):
        needs_labels = True

    with pytest.raises(ValueError, match="`labels` must be given to Labelled"):
        Labelled().call(A, B)
    with pytest.raises(ValueError, match="`negatives` must be None for Plain"):
        Plain().call(A, B, negatives=MEMORY)
    with pytest.raises(ValueError, match="`temperature` must be None for Plain"):
        Plain().call_with_metrics(A, B, temperature=tf.constant(1.0))
    with pytest.raises(ValueError, match=r"`negatives` must be a matrix \[M, E\], got"):
        NTXent().call(A, B, negatives=MEMORY[0])


def test_labels_change_nothing_where_they_are_not_needed():
    losses = NTXent(0.5).call(A, B, labels=tf.range(5))
    expected = np.reshape(nt_xent(A, B, 0.5), [2, 5]).mean(axis=0)
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
