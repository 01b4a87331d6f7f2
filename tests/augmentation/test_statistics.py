"""Twenty thousand draws of every random number, against the literal definition."""

import math

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import augmentation
from simclr_tf.augmentation import _base

COUNT = 20_000
IMAGES = np.zeros([COUNT, 1, 1, 3], "float32")  # only their number matters
SEED = tf.constant([11, 12], tf.int64)
# Two samples of one distribution lie farther apart than this once in 10 000 times:
# sqrt(-ln(1e-4 / 2) / 2) sqrt((n + m) / (n m)), the limit of Kolmogorov and Smirnov.
KS_OF_TWO = math.sqrt(-math.log(1e-4 / 2) / 2) * math.sqrt(2 / COUNT)
KS_OF_ONE = KS_OF_TWO / math.sqrt(2)  # one sample and a distribution


def ks(ours, theirs):
    """Largest difference between the cumulative distributions of two samples."""
    ours, theirs = np.sort(ours), np.sort(theirs)
    places = np.concatenate([ours, theirs])
    return np.max(
        np.abs(
            np.searchsorted(ours, places, "right") / len(ours)
            - np.searchsorted(theirs, places, "right") / len(theirs)
        )
    )


def ks_uniform(draws, low, high):
    assert low <= draws.min() and draws.max() <= high
    ranks = np.arange(1, len(draws) + 1) / len(draws)
    return np.max(np.abs(np.sort((draws - low) / (high - low)) - ranks))


def share_within(share, probability):
    """Whether a share of the draws is as expected, at 4 standard deviations."""
    deviation = math.sqrt(probability * (1 - probability) / COUNT)
    return abs(share - probability) < 4 * deviation


def literal_box(random, height, width, area_range, ratio_range):
    """The published crop: `sample_distorted_bounding_box` with the picture's ratio.

    As TensorFlow's kernel has it: a ratio, then a height between those of the smallest
    and the largest area that fit, up to 100 times until a tenth of the image is in; a
    corner below the room that is left, or 0.
    """
    for _ in range(100):
        ratio = random.uniform(*ratio_range) * width / height
        low = math.sqrt(area_range[0] * height * width / ratio)
        high = math.sqrt(area_range[1] * height * width / ratio)
        high = min(high, height, width / ratio)
        box_height = round(random.uniform(min(low, high), high))
        box_width = round(box_height * ratio)
        area = box_height * box_width
        least = max(area_range[0], 0.1) * height * width
        if box_width <= width and area >= least:
            top = random.randint(0, max(1, height - box_height))
            left = random.randint(0, max(1, width - box_width))
            return top, left, box_height, box_width
    return 0, 0, height, width


def boxes_of(layer, shape):
    """`COUNT` boxes in pictures of a shape, from batches of bounded size."""
    batch = tf.zeros([1000, *shape, 3], tf.float16)
    boxes = [
        layer.boxes(batch, tf.constant([11, number], tf.int64))
        for number in range(COUNT // 1000)
    ]
    return np.concatenate(boxes)


@pytest.mark.parametrize("shape", [(120, 90), (64, 200)])
def test_boxes(shape):
    found = boxes_of(augmentation.RandomResizedCrop(8), shape)
    random = np.random.RandomState(0)
    expected = np.array(
        [literal_box(random, *shape, (0.08, 1), (3 / 4, 4 / 3)) for _ in range(COUNT)]
    )
    for figure in (
        lambda box: box[:, 2] * box[:, 3],  # area
        lambda box: box[:, 3] / box[:, 2],  # aspect ratio
        lambda box: box[:, 2],
        lambda box: box[:, 3],
        lambda box: box[:, 0] + box[:, 2] / 2,  # centre
        lambda box: box[:, 1] + box[:, 3] / 2,
    ):
        assert ks(figure(found), figure(expected)) < KS_OF_TWO


def test_jitter_factors_are_uniform_and_orders_equally_likely():
    for_factors, for_order, _ = _base.split_seed(SEED, 3)
    draws = _base.uniform(for_factors, IMAGES, -1.0, 1.0, columns=4).numpy()
    for column in draws.T:
        assert ks_uniform(column, -1, 1) < KS_OF_ONE
    # No factor knows of another: 4 / sqrt(20 000) = 0.028.
    assert np.abs(np.corrcoef(draws.T) - np.eye(4)).max() < 0.028
    order = tf.argsort(_base.uniform(for_order, IMAGES, columns=4)).numpy()
    _, counts = np.unique(order, axis=0, return_counts=True)
    assert len(counts) == 24
    expected = COUNT / 24
    # Chi squared of 23 degrees of freedom is above 57 once in 10 000 times.
    assert np.sum((counts - expected) ** 2 / expected) < 57


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_jitter_of_pixels_has_the_papers_ranges(strength):
    # A grey picture of one value: contrast, saturation and hue leave it alone, so that
    # what comes out is the factor of brightness, clipped.
    grey = np.full([COUNT, 1, 1, 3], 0.25, "float32")
    layer = augmentation.RandomColorJitter(strength, seed=0)
    factors = layer(grey, seed=SEED).numpy()[:, 0, 0, 0] / 0.25
    changed = factors[np.abs(factors - 1) > 1e-6]
    assert share_within(len(changed) / COUNT, 0.8)
    low, high = 1 - 0.8 * strength, 1 + 0.8 * strength
    assert ks_uniform(changed, low - 1e-6, high + 1e-6) < KS_OF_ONE / math.sqrt(0.8)


def test_shares_of_flip_grayscale_and_the_crops_flip():
    picture = np.zeros([COUNT, 1, 2, 3], "float32")
    picture[:, 0, 0, 0] = 1.0  # red at the left
    flipped = augmentation.RandomFlip(seed=0)(picture, seed=SEED).numpy()
    assert share_within(np.mean(flipped[:, 0, 1, 0] == 1), 0.5)
    gray = augmentation.RandomGrayscale(seed=0)(picture, seed=SEED).numpy()
    assert share_within(np.mean(gray[:, 0, 0, 0] < 1), 0.2)
    whole = augmentation.RandomResizedCrop(
        2, (1.0, 1.0), (1.0, 1.0), flip_probability=0.5, seed=0
    )
    square = np.repeat(picture, 2, axis=1)
    flipped = whole(square, seed=SEED).numpy()
    assert share_within(np.mean(flipped[:, 0, 1, 0] > 0.5), 0.5)


def test_blur_draws_a_width_uniformly_for_half_of_the_images():
    # Of a white pixel, a row of 3 keeps w0 = 1 / (1 + 2 exp(-1 / (2 sigma^2))), and a
    # column as much: sigma can be told from what is left of it.
    spot = np.zeros([COUNT, 3, 3, 3], "float32")
    spot[:, 1, 1] = 1
    layer = augmentation.RandomGaussianBlur(3, seed=0)
    kept = layer(spot, seed=SEED).numpy()[:, 1, 1, 0].astype("float64")
    for_sigma, for_choice = _base.split_seed(SEED, 2)
    sigma = _base.uniform(for_sigma, IMAGES, 0.1, 2.0).numpy().astype("float64")
    assert ks_uniform(sigma, 0.1, 2.0) < KS_OF_ONE
    blurred = _base.chosen(for_choice, IMAGES, 0.5).numpy()
    assert share_within(blurred.mean(), 0.5)
    center = 1 / (1 + 2 * np.exp(-1 / (2 * sigma**2)))
    np.testing.assert_allclose(kept, np.where(blurred, center**2, 1), atol=1e-5)


def test_shares_of_the_rest_of_the_study():
    pictures = np.full([COUNT, 2, 2, 3], 0.75, "float32")
    for layer, share in (
        (augmentation.RandomCutout(1.0, seed=0), 0.5),
        (augmentation.RandomGaussianNoise(seed=0), 0.5),
        (augmentation.RandomSobel(seed=0), 0.5),
        (augmentation.RandomSolarize(seed=0), 0.2),
    ):
        views = tf.function(layer)(pictures, seed=SEED)
        changed = np.any(views != pictures, axis=(1, 2, 3))
        assert share_within(changed.mean(), share), layer.name


def test_a_view_of_given_draws_equals_tf_image_step_by_step():
    image = np.random.RandomState(0).rand(40, 50, 3).astype("float32")
    crop = augmentation.RandomResizedCrop(24, flip_probability=1.0)
    jitter = augmentation.RandomColorJitter(0.7, probability=1.0)
    gray = augmentation.RandomGrayscale(1.0)
    policy = augmentation.Policy([crop, jitter, gray])
    of_crop, of_jitter, _ = _base.split_seed(SEED, 3)
    boxes = crop.boxes(image[np.newaxis], _base.split_seed(of_crop, 2)[0])
    view = tf.image.crop_to_bounding_box(image, *boxes.numpy()[0])
    view = tf.image.flip_left_right(tf.image.resize(view, [24, 24], "bicubic"))
    view = tf.clip_by_value(view, 0, 1)
    for_factors, for_order, _ = _base.split_seed(of_jitter, 3)
    draw = _base.uniform(for_factors, image[np.newaxis], -1.0, 1.0, 4).numpy()[0]
    order = tf.argsort(_base.uniform(for_order, image[np.newaxis], columns=4))[0]
    adjust = (
        lambda x: x * (1 + 0.56 * draw[0]),
        lambda x: tf.image.adjust_contrast(x, 1 + 0.56 * draw[1]),
        lambda x: tf.image.adjust_saturation(x, 1 + 0.56 * draw[2]),
        lambda x: tf.image.adjust_hue(x, 0.14 * draw[3]),
    )
    for operation in order.numpy():
        view = tf.clip_by_value(adjust[operation](view), 0, 1)
    view = tf.image.grayscale_to_rgb(tf.image.rgb_to_grayscale(view))
    # tf.image rounds the coefficients of its resize to a table of 1024.
    np.testing.assert_allclose(policy(image, seed=SEED), view, atol=1e-2)
