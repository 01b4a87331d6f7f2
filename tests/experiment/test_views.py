"""From --augmentation to layers."""

import dataclasses

import numpy as np
import pytest

from simclr_tf import augmentation
from simclr_tf.errors import UserError
from simclr_tf.experiment import views
from simclr_tf.experiment.config import AugmentationConfig, DataConfig, RunConfig

PICTURES = np.random.RandomState(0).randint(0, 256, [6, 20, 24, 3]).astype("uint8")


def build(text, **settings):
    config = RunConfig(
        data=DataConfig(image_size=16),
        augmentation=AugmentationConfig(augmentation=text, **settings),
    )
    layers = views.build_views(config, seed=3)
    return layers if len(set(layers)) > 1 else layers[0]


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_the_papers_policy_word_by_word_is_the_papers_policy(strength):
    ours = build(
        "crop,flip,jitter,grayscale,blur",
        color_jitter_strength=strength,
        min_crop_area=0.2,
    )
    theirs = augmentation.SimCLRAugmentation(
        16, strength, seed=3, area_range=(0.2, 1.0)
    )
    np.testing.assert_array_equal(ours(PICTURES), theirs(PICTURES))


def test_words_and_arguments_become_layers():
    policy = build(
        "crop(0.3, 0.9), flip(0.1), jitter(0.4, probability=0.7), flip, blur(1,0.2,3),"
        "cutout(0.25,1,0), rotate(0.5), noise(0.2), sobel(0.3), solarize(0.6),"
        "equalize, grayscale(0.9)"
    )
    crop, jitter, flip, blur, cut, turn, noise, sobel, solar, equal, gray = policy.steps
    assert (crop.area_range, crop.flip_probability) == ((0.3, 0.9), 0.1)
    assert (jitter.strength, jitter.probability) == (0.4, 0.7)
    assert flip.probability == 0.5
    assert (blur.probability, blur.sigma_range) == (1, (0.2, 3))
    assert blur.kernel_size == augmentation.blur_kernel_size(16)
    assert (cut.size, cut.probability, cut.value) == (0.25, 1, 0)
    assert (turn.probability, noise.stddev, sobel.probability) == (0.5, 0.2, 0.3)
    assert (solar.threshold, solar.probability) == (0.6, 0.2)
    assert (equal.probability, gray.probability) == (0.2, 0.9)


def test_a_bar_parts_two_views():
    first, second = build("crop,blur(1) | crop,solarize(0.5,1)")
    assert [type(step).__name__ for step in first.steps[1:]] == ["RandomGaussianBlur"]
    assert [type(step).__name__ for step in second.steps[1:]] == ["RandomSolarize"]


def test_words_that_are_whole_policies():
    assert isinstance(build("none"), augmentation.EvaluationCrop)
    assert isinstance(build("crop_and_flip"), augmentation.SimCLRAugmentation)
    config = RunConfig(data=DataConfig(image_size=16))
    train = dataclasses.replace(config.train, train_mode="finetune")
    config = dataclasses.replace(config, train=train)
    (view,) = views.build_views(config, 0)
    assert isinstance(view, augmentation.CropAndFlip)


def test_a_range_that_is_empty_beside_another_flag():
    with pytest.raises(UserError, match="--augmentation: `area_range` must be 0 < low"):
        build("crop(max_area=0.1)", min_crop_area=0.5)
