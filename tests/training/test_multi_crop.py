"""Multi-crop: small views beside the two, from the pipeline to the gradient."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import simclr_tf
import tf_models
from simclr_tf import augmentation, data, losses
from tests import pictures

FULL = augmentation.CropAndFlip(16, seed=1)
SMALL = augmentation.small_view(FULL, 10, (0.05, 0.14), seed=2)
POLICIES = (FULL, FULL, SMALL, SMALL, SMALL)
RANDOM = np.random.RandomState(0)
VIEWS = (
    *tf.random.stateless_uniform([2, 8, 16, 16, 3], [0, 1]),
    *tf.random.stateless_uniform([3, 8, 10, 10, 3], [0, 2]),
)


def make_model(augmentation=None, frozen_norm=False, **options):
    """A compiled model with seeded weights, whose update is its gradient."""
    keras.utils.set_random_seed(4)
    encoder = keras.Sequential(
        [
            keras.Input([None, None, 3]),
            keras.layers.Conv2D(6, 3, 2, activation="tanh"),
            tf_models.BatchNormalization(),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    head = tf_models.ProjectionHead(num_layers=2, output_dim=8)
    model = simclr_tf.SimCLR(encoder, head, augmentation, num_classes=3, **options)
    for layer in [*encoder._flatten_layers(), *head._flatten_layers()]:
        if frozen_norm and isinstance(layer, tf_models.BatchNormalization):
            layer.trainable = False
    model.compile(keras.optimizers.SGD(1.0), losses.NTXent(0.5))
    return model


def step(model, *batch):
    """What one step takes off each trainable variable, and the step's figures."""
    before = [v.numpy() for v in model.trainable_variables]
    logs = model.train_step(batch)
    after = [v.numpy() for v in model.trainable_variables]
    steps = [a - b for a, b in zip(before, after, strict=True)]
    return steps, {name: float(value) for name, value in logs.items()}


def test_step_and_its_pieces_are_the_formula(smooth):
    labels = np.arange(8) % 3
    model = make_model(frozen_norm=True)
    with tf.GradientTape() as tape:
        z = [model.projection_head(model.encoder(view)) for view in VIEWS]
        full = tf.reduce_mean(losses.nt_xent(z[0], z[1], 0.5))
        small = losses.nt_xent_small_views(tf.stack(z[2:], 1), z[0], z[1], 0.5)
        loss = (full + 3 * tf.reduce_mean(small)) / 4
    networks = model.encoder.trainable_variables
    networks = networks + model.projection_head.trainable_variables
    expected = tape.gradient(loss, networks)
    found, figures = step(model, VIEWS, labels)
    for ours, theirs in zip(found, expected, strict=False):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    assert figures["contrast_loss"] == pytest.approx(float(full), rel=1e-5)
    assert figures["small_view_loss"] == pytest.approx(np.mean(small), rel=1e-5)
    total = float(loss) + figures["supervised_loss"]
    assert figures["loss"] == pytest.approx(total, rel=1e-5)
    pieces, same = step(make_model(None, True, micro_batch_size=3), VIEWS, labels)
    for ours, theirs in zip(pieces, found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    assert same == pytest.approx(figures, rel=1e-4, abs=1e-5)


def test_fit_draws_small_views_of_images_of_any_size(photos):
    images, labels = photos
    model = make_model(POLICIES)
    history = model.fit(images, labels, batch_size=8, verbose=0).history
    assert history["small_view_loss"][0] > 0
    ragged = tf.data.Dataset.from_generator(
        lambda: (image[: 8 + number % 3] for number, image in enumerate(images)),
        output_signature=tf.TensorSpec([None, None, 3], tf.uint8),
    )  # without labels: views alone
    history = model.fit(ragged, batch_size=8, verbose=0).history
    assert history["small_view_loss"][0] > 0 and "supervised_loss" not in history
    assert np.isfinite(model.evaluate(images, batch_size=8, verbose=0)).all()


def test_a_copy_from_the_config_keeps_one_stream_of_draws():
    twin = simclr_tf.SimCLR.from_config(make_model(POLICIES).get_config())
    first, second, *small = twin.augmentation
    assert first is second and len({id(layer) for layer in small}) == 1
    assert (first.image_size, small[0].image_size) == (16, 10)


def test_the_pipeline_gives_them_of_files_and_arrays_from_any_step(tmp_path):
    pictures.write((tmp_path / f"{n % 2}" / f"{n}.png" for n in range(6)), (30, 40))
    arrays = data.ArraySource(RANDOM.randint(0, 256, [6, 30, 40, 3]).astype("uint8"))
    for source in (data.open_source(str(tmp_path)), arrays):
        options = {"view": POLICIES, "num_views": 5, "seed": 3}
        batches = list(data.train_batches(source, 4, 3, **options))
        views = batches[2][0] if source.num_classes else batches[2]
        assert [view.shape[1] for view in views] == [16, 16, 10, 10, 10]
        assert np.any(views[2] != views[3])
        (again,) = data.train_batches(source, 4, 3, start_step=2, **options)
        tf.nest.map_structure(np.testing.assert_array_equal, again, batches[2])


def test_small_views_take_boxes_as_small_as_their_range_says():
    shapes = tf.fill([4000, 2], 200)
    boxes, _ = SMALL.steps[0].draw(shapes, tf.constant([1, 2], tf.int64))
    areas = np.prod(boxes[:, 2:], axis=1) / 200**2
    assert 0.045 < areas.min() < 0.06 and 0.13 < areas.max() < 0.145


def test_what_does_not_fit_is_said(photos):
    with pytest.raises(ValueError, match="small views, of one size too; got 4 of"):
        make_model((FULL, FULL, SMALL, augmentation.small_view(FULL, 8)))
    with pytest.raises(ValueError, match="RandomResizedCrop, got EvaluationCrop"):
        augmentation.small_view(augmentation.EvaluationCrop(8))
    model = make_model(POLICIES)
    model.compile(loss=keras.losses.CosineSimilarity())
    with pytest.raises(ValueError, match="of_small_views.*got CosineSimilarity"):
        model.train_step((photos[0], photos[1]))


def test_the_head_learns_from_other_images_and_nothing_else_does(smooth):
    pair, others, labels = VIEWS[:2], VIEWS[1][:4], np.array([0, 1, 2, -1])
    model = make_model()
    features = model.encoder(others, training=False)
    logits = model.classify(features)
    expected = tf.nn.sparse_softmax_cross_entropy_with_logits(labels[:3], logits[:3])
    alone, figures = step(model, pair, (others, labels))
    assert figures["supervised_loss"] == pytest.approx(np.mean(expected), rel=1e-4)
    pieces = make_model(micro_batch_size=8)
    _, same = step(pieces, pair, (others, labels))
    assert same == pytest.approx(figures, rel=1e-4, abs=1e-5)
    unlabelled, _ = step(make_model(), pair, None)
    for number, ours in enumerate(unlabelled[:-2]):
        np.testing.assert_allclose(alone[number], ours, rtol=1e-4, atol=1e-5)
    assert np.any(alone[-2] != 0) and not np.any(unlabelled[-2])
