import itertools

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import augmentation
from simclr_tf.augmentation import _base, _each, color

IMAGES = np.random.RandomState(0).rand(6, 8, 10, 3).astype("float32")


@pytest.fixture(params=["batch", "loop"])
def drawn(request):
    """What a layer makes of images by a seed: called, or in a pipeline's loop."""
    if request.param == "batch":
        return lambda layer, images, seed: layer(images, seed=seed)
    request.getfixturevalue("compiled_views")
    return lambda layer, images, seed: _each.apply([layer], tf.constant(images), [seed])


def on_planes(adjust, images, parameters):
    """An adjustment, which has the channel first, of images with the channel last."""
    planes = adjust(tf.transpose(images, [0, 3, 1, 2]), tf.constant(parameters))
    return tf.transpose(planes, [0, 2, 3, 1])


@pytest.mark.parametrize(
    "ours,theirs,parameters",
    [
        (color.adjust_contrast, tf.image.adjust_contrast, [0.2, 0.6, 1, 1.3, 1.8, 0]),
        (
            color.adjust_saturation,
            tf.image.adjust_saturation,
            [0.2, 0.6, 1, 1.3, 1.8, 0],
        ),
        (color.adjust_hue, tf.image.adjust_hue, [-0.2, -0.1, 0.0, 0.05, 0.15, 0.2]),
    ],
)
def test_adjustments_equal_tf_image(ours, theirs, parameters):
    found = on_planes(ours, IMAGES, np.float32(parameters))
    for image, parameter, row in zip(IMAGES, parameters, found, strict=True):
        np.testing.assert_allclose(row, theirs(image, parameter), atol=1e-5)


def test_brightness_multiplies():
    found = on_planes(color.adjust_brightness, IMAGES[:2], np.float32([0.5, 1.5]))
    np.testing.assert_allclose(found, IMAGES[:2] * [[[[0.5]]], [[[1.5]]]], rtol=1e-6)


def test_jitter_is_some_order_of_the_four_operations(drawn):
    # Every image must equal one of 24 orders of its own factors, clipped in between.
    layer = augmentation.RandomColorJitter(1.0, probability=1.0, seed=0)
    seed = tf.constant([3, 4], tf.int64)
    found = drawn(layer, IMAGES, seed)
    draws = _base.uniform(_base.split_seed(seed, 3)[0], IMAGES, -1.0, 1.0, 4).numpy()
    orders = set()
    for image, row, draw in zip(IMAGES, found, draws, strict=True):
        matches = []
        for order in itertools.permutations(range(4)):
            changed = image
            for operation in order:
                changed = (
                    lambda x, d: x * (1 + 0.8 * d[0]),
                    lambda x, d: tf.image.adjust_contrast(x, 1 + 0.8 * d[1]),
                    lambda x, d: tf.image.adjust_saturation(x, 1 + 0.8 * d[2]),
                    lambda x, d: tf.image.adjust_hue(x, 0.2 * d[3]),
                )[operation](changed, draw)
                changed = np.clip(changed, 0, 1)
            if np.allclose(changed, row, atol=1e-4):
                matches.append(order)
        assert matches
        orders.add(matches[0])
    assert len(orders) > 1


def test_grayscale_is_that_of_tf_image(drawn):
    found = drawn(augmentation.RandomGrayscale(1.0), IMAGES, tf.constant([1, 2]))
    expected = np.repeat(tf.image.rgb_to_grayscale(IMAGES), 3, axis=-1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_shares_of_changed_images():
    images = np.tile(IMAGES[:1], [3000, 1, 1, 1])

    def share(layer):
        changed = np.any(np.abs(layer(images) - images) > 1e-6, axis=(1, 2, 3))
        return changed.mean()

    assert share(augmentation.RandomColorJitter(1.0, seed=0)) == pytest.approx(
        0.8, abs=0.03
    )
    assert share(augmentation.RandomGrayscale(seed=0)) == pytest.approx(0.2, abs=0.03)
    assert share(augmentation.RandomFlip(seed=0)) == pytest.approx(0.5, abs=0.03)
    blur = augmentation.RandomGaussianBlur(3, sigma_range=(0.5, 2.0), seed=0)
    assert share(blur) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(("kernel_size", "radius"), [(1, 0), (3, 1), (22, 11), (9, 4)])
def test_blur_is_the_literal_convolution_with_black_outside(kernel_size, radius, drawn):
    def literal(image, sigma):
        window = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
        window /= window.sum()
        padded = np.pad(image, [(radius, radius), (radius, radius), (0, 0)])
        blurred = np.zeros_like(image)
        for dy in range(2 * radius + 1):
            for dx in range(2 * radius + 1):
                part = padded[dy : dy + 8, dx : dx + 10]
                blurred += window[dy] * window[dx] * part
        return blurred

    sigmas = [0.3, 1.0, 2.0]
    found = augmentation.gaussian_blur(IMAGES[:3], kernel_size, sigmas)
    for image, sigma, row in zip(IMAGES, sigmas, found, strict=False):
        np.testing.assert_allclose(row, literal(image, sigma), atol=1e-5)
    layer = augmentation.RandomGaussianBlur(kernel_size, (1.3, 1.3), 1.0)
    for image, row in zip(
        IMAGES, drawn(layer, IMAGES, tf.constant([1, 2])), strict=True
    ):
        np.testing.assert_allclose(row, literal(image, 1.3), atol=1e-5)


def test_blur_kernel_sizes_of_the_published_code():
    sizes = {32: 3, 64: 7, 96: 9, 128: 13, 160: 17, 192: 19, 224: 23, 256: 25}
    found = {size: augmentation.blur_kernel_size(size) for size in sizes}
    assert found == sizes


def test_every_image_draws_its_own_blur():
    images = np.tile(IMAGES[:1], [20, 1, 1, 1])
    blur = augmentation.RandomGaussianBlur(3, probability=1.0, seed=0)
    assert len(np.unique(np.array(blur(images))[:, 4, 4, 0])) > 15
