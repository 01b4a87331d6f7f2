"""A step of `SimCLR.fit` with every loss, and with labels for those that need them."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import simclr_tf
from simclr_tf import losses
from simclr_tf.errors import UserError

IMAGES = np.random.RandomState(0).randint(0, 256, [6, 8, 8, 3], "uint8")
VIEWS = (tf.constant(IMAGES), tf.constant(IMAGES[:, ::-1]))
LABELS = np.array([0, 1, -1, 0, 2, -1])
EVERY = {name: losses.build(name) for name in losses.LOSSES}
EVERY["sliced"] = losses.GeneralizedContrastive(embedding_prior="hypersphere")


def make_model(num_classes=None):
    encoder = keras.Sequential(
        [keras.Input([8, 8, 3]), keras.layers.Flatten(), keras.layers.Dense(6)]
    )
    return simclr_tf.SimCLR(encoder, keras.layers.Dense(4), num_classes=num_classes)


@pytest.fixture(scope="module")
def models():
    return {num_classes: make_model(num_classes) for num_classes in (None, 3)}


def compiled(model, loss, **options):
    model.compile(keras.optimizers.SGD(0.001), loss, run_eagerly=True, **options)
    return model


def projections(model):
    features = [model.features(tf.cast(view, tf.float32) / 255.0) for view in VIEWS]
    return [model.projection_head(rows) for rows in features]


@pytest.mark.parametrize("name", EVERY)
def test_fit_takes_a_step_with_every_loss(name, models):
    loss = EVERY[name]
    labels = {"labels": LABELS} if loss.needs_labels else {}
    model = compiled(models[None], loss)
    z = projections(model)
    expected = np.mean(loss.call(*z, step=0, **labels))
    before = [np.array(weight) for weight in model.encoder.weights]
    data = tf.data.Dataset.from_tensors((VIEWS, LABELS))
    history = model.fit(data, epochs=1, verbose=0).history
    assert history["contrast_loss"][0] == pytest.approx(expected, rel=1e-3, abs=1e-3)
    assert ("contrast_loss_chance" in history) == (name == "nt_xent")
    assert {"contrast_acc", "contrast_entropy"} <= set(history)
    assert np.any(before[0] != model.encoder.weights[0])


def test_every_step_has_other_random_directions(models):
    model = compiled(models[None], EVERY["sliced"])
    model.optimizer.learning_rate.assign(0.0)
    data = tf.data.Dataset.from_tensors(VIEWS)
    history = model.fit(data, epochs=2, verbose=0).history["contrast_loss"]
    assert history[0] != history[1]


@pytest.mark.parametrize("num_classes", [None, 3])
@pytest.mark.parametrize("one_hot", [False, True])
def test_a_loss_with_labels_has_them_with_and_without_a_head(
    num_classes, one_hot, models
):
    labels = np.maximum(LABELS, 0)
    model = compiled(models[num_classes], losses.SupCon())
    given = np.eye(3)[labels] if one_hot else labels
    model.reset_metrics()
    found = model.test_step((VIEWS, given))["contrast_loss"]
    z = projections(model)
    expected = np.mean(losses.SupCon().call(*z, labels=labels))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_loss_with_labels_says_that_there_are_none(models):
    model = compiled(models[3], losses.SupCon())
    others = (IMAGES / np.float32(255), np.abs(LABELS))
    for data, came in (
        (VIEWS, "got no labels"),
        ((VIEWS, others), "got other images with labels"),
    ):
        with pytest.raises(UserError, match=f"SupCon needs a label for each.*{came}"):
            model.fit(tf.data.Dataset.from_tensors(data), verbose=0)


def test_a_loss_of_the_users_own_is_called_with_the_views_alone(models):
    class Own(keras.losses.Loss):
        def call(self, view_a, view_b):
            return tf.reduce_sum(tf.square(view_a - view_b), axis=1)

    model = compiled(models[None], Own())
    data = tf.data.Dataset.from_tensors((VIEWS, LABELS))
    assert model.fit(data, verbose=0).history["contrast_loss"][0] > 0


def test_small_views_are_refused_by_other_losses(models):
    model = compiled(models[None], losses.DCL())
    data = tf.data.Dataset.from_tensors((*VIEWS, VIEWS[0]))
    with pytest.raises(ValueError, match="`loss` must have the method of_small_views"):
        model.fit(data, verbose=0)
