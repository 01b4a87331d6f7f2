"""The sliced Wasserstein distance, and the loss that has it."""

import importlib

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.losses import GeneralizedContrastive, sliced_wasserstein
from tests.losses import literal
from tests.losses.test_losses import WEIGHTS, A, B, literal_gradients

module = importlib.import_module("simclr_tf.losses.sliced_wasserstein")


def draws_of(prior, seed, step):
    """The directions and samples that the loss must have drawn."""
    seed = tf.constant([seed, step])
    normal = tf.random.stateless_normal([4, 4], seed, alg="philox")
    samples = module._samples([12, 4], prior, seed + [0, 2**30])
    return np.linalg.qr(normal)[0], np.array(samples, "float64")


@pytest.mark.parametrize("prior", module.PRIORS)
def test_values_and_gradients_are_those_of_the_formula(prior):
    loss = GeneralizedContrastive(
        embedding_prior=prior, embedding_prior_weight=0.7, seed=3
    )
    directions, samples = draws_of(prior, 3, step=5)
    norm = prior == "hypersphere"

    def formula(a, b):
        return literal.sliced_wasserstein(a, b, 0.7, directions, samples, norm)

    views = [tf.constant(A), tf.constant(B)]
    with tf.GradientTape() as tape:
        tape.watch(views)
        values = loss.call(*views, step=tf.constant(5, tf.int64))
        weighted = tf.reduce_sum(WEIGHTS.astype("float32") * values)
    np.testing.assert_allclose(values, formula(A, B), rtol=1e-5)
    found = tape.gradient(weighted, views)
    np.testing.assert_allclose(found, literal_gradients(formula), rtol=1e-4, atol=1e-4)


def test_samples_are_of_their_prior():
    shape = [4000, 3]
    sphere, normal, cube = (
        np.array(module._samples(shape, prior, [0, 1])) for prior in module.PRIORS
    )
    np.testing.assert_allclose(np.linalg.norm(sphere, axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(sphere.mean(axis=0), 0.0, atol=0.05)
    np.testing.assert_allclose(normal.std(axis=0), 1.0, atol=0.05)
    np.testing.assert_allclose(cube.std(axis=0), 3**-0.5, atol=0.03)
    assert -1 <= cube.min() < -0.99 and 0.99 < cube.max() <= 1


def test_draws_depend_on_the_seed_and_the_step_alone():
    def values(seed=0, **more):
        loss = GeneralizedContrastive(embedding_prior="hypersphere", seed=seed)
        return loss.call(A, B, **more)[0]

    assert values() == values() == values(step=0)
    assert len({float(values(step=step)) for step in range(5)}) == 5
    assert values(seed=1) != values()


def test_order_of_embeddings_does_not_matter():
    rows = tf.constant(np.concatenate([A, B]))
    found = sliced_wasserstein(rows, "normal", [0, 1])
    again = sliced_wasserstein(rows[::-1], "normal", [0, 1])
    np.testing.assert_allclose(found, again, rtol=1e-6)


def test_wrong_prior_is_said():
    with pytest.raises(ValueError, match="`prior` must be one of .*, got logsumexp"):
        sliced_wasserstein(A, "logsumexp", [0, 0])
