"""NT-Xent block by block is NT-Xent."""

import importlib

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.losses import NTXent

nt_xent_module = importlib.import_module("simclr_tf.losses.nt_xent")
SETTINGS = [
    # Without the norm, logits reach some 400: no plain sum of exponentials holds them.
    {"temperature": 0.1, "hidden_norm": True},
    {"temperature": 0.01, "hidden_norm": True},
    {"temperature": 0.1, "hidden_norm": False},
]


def results(views, loss, max_cells, monkeypatch, function=lambda step: step):
    """Losses, metrics, and the gradient of a sum with another weight for each row."""
    monkeypatch.setattr(nt_xent_module, "_MAX_CELLS", max_cells)
    weights = tf.linspace(-1.0, 2.0, len(views[0]))

    def step(view_a, view_b):
        with tf.GradientTape() as tape:
            tape.watch([view_a, view_b])
            losses, accuracies, entropies = loss.call_with_metrics(view_a, view_b)
            value = tf.reduce_sum(weights * losses)
        return losses, accuracies, entropies, *tape.gradient(value, [view_a, view_b])

    return [np.array(result) for result in function(step)(*views)]


def views_of(count):
    return list(tf.constant(np.random.RandomState(0).randn(2, count, 8), tf.float32))


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("images_in_block", [1, 3, 11])
def test_equals_the_matrix_of_all(settings, images_in_block, monkeypatch):
    views, loss = views_of(11), NTXent(reduction="none", **settings)
    plain = results(views, loss, 10**6, monkeypatch)
    # 11 x 22 x 2 cells are one image's rows against all.
    cells = images_in_block * 2 * 22
    blockwise = results(views, loss, cells, monkeypatch)
    for a, b in zip(plain, blockwise, strict=True):
        assert np.isfinite(a).all()
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-5 * np.abs(a).max())


def test_takes_batches_of_unknown_size(monkeypatch):
    views, loss = views_of(7), NTXent(0.5, reduction="none")
    plain = results(views, loss, 10**6, monkeypatch)
    spec = tf.TensorSpec([None, 8])

    def graph(step):
        return tf.function(step, input_signature=[spec, spec])

    blockwise = results(views, loss, 60, monkeypatch, graph)
    for a, b in zip(plain, blockwise, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)


def test_holds_no_more_cells_than_allowed(monkeypatch, products):
    results(views_of(40), NTXent(reduction="none"), 500, monkeypatch)
    # 80 rows in blocks of 2 x 3 (500 / 160 images), forward and again backward.
    assert products.count(6 * 80) == 2 * 14
    assert max(products) == 6 * 80


def test_compiles_with_xla(monkeypatch):
    views, loss = views_of(8), NTXent(0.5, reduction="none")
    plain = results(views, loss, 10**6, monkeypatch)
    compiled = results(
        views, loss, 70, monkeypatch, lambda step: tf.function(step, jit_compile=True)
    )
    for a, b in zip(plain, compiled, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)
