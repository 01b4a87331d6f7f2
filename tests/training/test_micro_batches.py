"""A batch that goes through the networks in pieces has the gradient of the whole."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import simclr_tf
import tf_models
from simclr_tf import losses, optimizers

VIEWS = tf.random.stateless_uniform([2, 16, 16, 16, 3], [0, 1])
LABELS = tf.range(16) % 3

# A piece and the whole batch add up in another order.
pytestmark = pytest.mark.usefixtures("smooth")


def make_model(micro_batch_size=None, frozen_norm=False, **options):
    """A compiled model with seeded weights, whose update is its gradient."""
    keras.utils.set_random_seed(4)
    encoder = tf_models.ResNet(depth=18, width_multiplier=0.0625, stem="cifar")
    head = tf_models.ProjectionHead(num_layers=2, output_dim=8)
    for variable in encoder.trainable_variables:  # scales that start at 0 among them
        variable.assign_add(0.1 * tf.random.normal(variable.shape))
    options = {"num_classes": 3, "weight_decay": 0.01} | options
    model = simclr_tf.SimCLR(
        encoder, head, micro_batch_size=micro_batch_size, **options
    )
    if frozen_norm:
        for layer in [*encoder._flatten_layers(), *head._flatten_layers()]:
            if isinstance(layer, tf_models.BatchNormalization):
                layer.trainable = False
    model.compile(keras.optimizers.SGD(1.0), losses.NTXent(0.5))
    return model


def gradients(model, views=VIEWS, labels=LABELS):
    """What one step takes off each trainable variable, and the step's figures."""
    before = [v.numpy() for v in model.trainable_variables]
    logs = model.train_step((tuple(views), labels))
    after = [v.numpy() for v in model.trainable_variables]
    steps = [a - b for a, b in zip(before, after, strict=True)]
    return steps, {name: float(value) for name, value in logs.items()}


def assert_same(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert np.any(b != 0)
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pieces", [2, 4, 8])
def test_gradients_are_those_of_the_whole_batch(pieces):
    whole, figures = gradients(make_model(frozen_norm=True))
    found, same = gradients(make_model(16 // pieces, frozen_norm=True))
    assert_same(found, whole)
    assert same == pytest.approx(figures, abs=1e-5)
    assert {"contrast_loss", "supervised_loss", "weight_decay"} < set(figures)


def test_pieces_that_do_not_divide_the_batch():
    whole, _ = gradients(make_model(frozen_norm=True))
    found, _ = gradients(make_model(7, frozen_norm=True))
    assert_same(found, whole)


def test_in_a_graph_that_does_not_know_the_size_of_the_batch():
    whole, _ = gradients(make_model(frozen_norm=True))
    model = make_model(4, frozen_norm=True)
    spec = tf.TensorSpec([None, 16, 16, 3])
    labels = tf.TensorSpec([None], tf.int32)
    model.train_step = tf.function(
        model.train_step, input_signature=[((spec, spec), labels)]
    )
    assert_same(gradients(model)[0], whole)


def test_batch_norm_is_over_a_piece_and_the_loss_over_all():
    # Written out in one tape: four pieces embedded apart, one loss of all embeddings.
    model, twin = make_model(4, num_classes=None), make_model(num_classes=None)
    with tf.GradientTape() as tape:
        z = []
        for piece in range(0, 16, 4):
            seen = tf.concat(
                [VIEWS[0, piece : piece + 4], VIEWS[1, piece : piece + 4]], 0
            )
            z.append(
                twin.projection_head(twin.encoder(seen, training=True), training=True)
            )
        view_a = tf.concat([rows[:4] for rows in z], 0)
        view_b = tf.concat([rows[4:] for rows in z], 0)
        loss = tf.reduce_mean(losses.nt_xent(view_a, view_b, 0.5))
        loss += twin._weight_decay_loss()
    expected = tape.gradient(loss, twin.trainable_variables)
    found, _ = gradients(model, labels=None)
    assert_same(found, expected)
    # The twin's moving statistics have moved once a piece, and so have the model's.
    networks = [(m.encoder.weights + m.projection_head.weights) for m in (model, twin)]
    moving = [[v for v in weights if not v.trainable] for weights in networks]
    assert len(moving[0]) == 18
    for a, b in zip(*moving, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)


def test_fit_learns_in_pieces_with_raw_images(photos):
    view = simclr_tf.augmentation.SimCLRAugmentation(16, seed=0)
    model = make_model(4, augmentation=view)
    model.compile(optimizers.LARS(0.1), losses.NTXent(0.5))
    history = model.fit(*photos, batch_size=16, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_in_pieces(policy, photos):
    keras.mixed_precision.set_global_policy(policy)
    model = make_model(4)
    model.compile(optimizers.LARS(0.1), losses.NTXent(0.5))
    before = model.encoder.trainable_variables[0].numpy()
    for _ in range(10):  # float16 first finds out how far it may scale the loss
        _, figures = gradients(model)
        assert np.isfinite(list(figures.values())).all()
    assert np.any(model.encoder.trainable_variables[0].numpy() != before)


def test_config_round_trip():
    model = make_model(4)
    assert simclr_tf.SimCLR.from_config(model.get_config()).micro_batch_size == 4


def test_a_piece_of_nothing_is_refused():
    with pytest.raises(
        ValueError, match="`micro_batch_size` must be None or >= 1, got 0"
    ):
        make_model(0)


def test_xla_is_refused():
    with pytest.raises(ValueError, match="`jit_compile` must be False with `micro"):
        make_model(4).compile(jit_compile=True)
