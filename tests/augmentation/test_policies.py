"""Policies composed of layers."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import tf_models
from simclr_tf import SimCLR, augmentation, data
from simclr_tf.augmentation import _base

PICTURES = np.random.RandomState(0).randint(0, 256, [6, 20, 24, 3]).astype("uint8")


def every_step():
    return [
        augmentation.RandomResizedCrop(16, (0.2, 1.0)),
        augmentation.RandomFlip(),
        augmentation.RandomColorJitter(0.5),
        augmentation.RandomGrayscale(),
        augmentation.RandomGaussianBlur(3),
        augmentation.RandomCutout(),
        augmentation.RandomRotation90(),
        augmentation.RandomGaussianNoise(),
        augmentation.RandomSobel(),
        augmentation.RandomSolarize(),
        augmentation.RandomEqualize(),
    ]


def test_equals_its_steps_one_by_one():
    policy = augmentation.Policy(every_step())
    seed = tf.constant([4, 5], tf.int64)
    expected = PICTURES
    seeds = _base.split_seed(seed, 11)
    for step, step_seed in zip(every_step(), seeds, strict=True):
        expected = step(expected, seed=step_seed)
    np.testing.assert_array_equal(policy(PICTURES, seed=seed), expected)


def test_config_round_trip_with_every_step():
    policy = augmentation.Policy(every_step(), seed=1)
    again = keras.utils.deserialize_keras_object(
        keras.utils.serialize_keras_object(policy)
    )
    assert again.image_size == 16
    np.testing.assert_array_equal(policy(PICTURES), again(PICTURES))


def test_the_papers_policies_keep_their_config():
    # Saved models have these keys.
    policy = augmentation.SimCLRAugmentation(16, 0.5, False, 3, (0.2, 1.0))
    ours = {"image_size", "area_range", "color_jitter_strength", "blur", "seed"}
    assert ours < set(policy.get_config()) and "steps" not in policy.get_config()
    crop = augmentation.CropAndFlip(16).get_config()
    assert {"image_size", "area_range", "seed"} < set(crop) and "steps" not in crop


def test_a_layer_of_ones_own():
    class Darker(augmentation.ImageLayer):
        def process(self, images, training, seed):
            return images / 2

    crop = augmentation.RandomResizedCrop(16)
    views = augmentation.Policy([crop, Darker()], seed=0)(PICTURES)
    plain = augmentation.Policy([crop, augmentation.RandomFlip(0.0)], seed=0)(PICTURES)
    np.testing.assert_allclose(views, plain / 2)


@pytest.mark.parametrize(
    "arguments,message",
    [
        (([],), "must begin with RandomResizedCrop or EvaluationCrop, got no step"),
        (([augmentation.RandomFlip()],), "must begin with .*, got RandomFlip"),
        (([augmentation.RandomResizedCrop(8)], 9), "`image_size` must be 8.*got 9"),
        (([augmentation.RandomResizedCrop(8), abs],), "must be ImageLayers, got"),
    ],
)
def test_wrong_steps(arguments, message):
    with pytest.raises(ValueError, match=message):
        augmentation.Policy(*arguments)


def test_describes_its_steps():
    crop = augmentation.RandomResizedCrop(8, flip_probability=0.5)
    policy = augmentation.Policy([crop, augmentation.RandomSolarize()])
    assert augmentation.describe(policy) == (
        "RandomResizedCrop(image_size=8, area_range=0.08-1, "
        "aspect_ratio_range=0.75-1.333, flip_probability=0.5, "
        "min_object_covered=0.1), "
        "RandomSolarize(probability=0.2, threshold=0.5)"
    )


def two_views():
    def one(value):
        cutout = augmentation.RandomCutout(1.0, probability=1.0, value=value)
        return augmentation.Policy([augmentation.EvaluationCrop(8), cutout], seed=0)

    return one(0.0), one(1.0)


def test_batches_of_views_that_differ():
    source = data.ArraySource(np.full([8, 8, 8, 3], 128, "uint8"))
    pair = two_views()
    own = tf.data.Dataset.from_tensor_slices(np.full([8, 8, 8, 3], 128, "uint8"))
    for batches in (
        data.train_batches(source, 4, 1, view=pair),
        data.batched_views(own, pair, 4),
    ):
        dark, bright = next(iter(batches))
        assert np.min(dark) == 0 and np.max(dark) < 0.6
        assert np.max(bright) == 1 and np.min(bright) > 0.4


def model_with(pair):
    encoder = tf_models.ResNet(18, 0.0625, stem="cifar")
    return SimCLR(encoder, tf_models.ProjectionHead(output_dim=4), pair)


def test_a_model_with_views_that_differ(tmp_path):
    model = model_with(two_views())
    model.compile("adam")
    (dark, bright), _ = model._views(tf.constant(PICTURES))
    assert np.min(dark) == 0 and np.max(bright) == 1
    model.fit(PICTURES, batch_size=3, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert [layer.steps[1].value for layer in again.augmentation] == [0.0, 1.0]
    np.testing.assert_allclose(
        again.predict(PICTURES, verbose=0), model.predict(PICTURES, verbose=0), 1e-5
    )


def test_two_views_must_have_one_size():
    pair = augmentation.CropAndFlip(8), augmentation.CropAndFlip(9)
    with pytest.raises(ValueError, match="two of one `image_size`.* of \\[8, 9\\]"):
        model_with(pair)
    source = data.ArraySource(PICTURES)
    with pytest.raises(ValueError, match="`view` must be 1 layers, got 2"):
        list(data.train_batches(source, 2, 1, view=pair, num_views=1))
