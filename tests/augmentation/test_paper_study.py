"""The other transformations of the paper's study, against other people's code."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from simclr_tf import augmentation
from simclr_tf.augmentation import cutout, rotation, sobel, tone

PICTURES = np.random.RandomState(0).randint(0, 256, [8, 12, 12, 3]).astype("uint8")
FLOATS = (PICTURES / 255).astype("float32")
# Few levels, one level, and a smooth ramp: what equalizing treats apart.
TONES = np.stack(
    [
        PICTURES[0] // 64 * 20 + 90,
        np.full([12, 12, 3], [0, 77, 255], "uint8"),
        np.arange(12 * 12 * 3, dtype="uint8").reshape(12, 12, 3) // 3 + 40,
        PICTURES[1],
    ]
)


def as_bytes(images):
    return np.round(np.array(images) * 255).astype("uint8")


@pytest.mark.parametrize("threshold", [0, 1, 77, 128, 255])
def test_solarize_is_that_of_pillow(threshold):
    found = tone.solarize(FLOATS, np.float32(threshold / 255))
    for picture, row in zip(PICTURES, as_bytes(found), strict=True):
        expected = ImageOps.solarize(Image.fromarray(picture), threshold)
        np.testing.assert_array_equal(row, expected)


def test_equalize_is_that_of_pillow():
    large = np.random.RandomState(1).normal(120, 30, [1, 64, 48, 3])
    for pictures in (TONES, np.clip(large, 0, 255).astype("uint8")):
        found = as_bytes(tone.equalize(tf.constant(pictures / 255, tf.float32)))
        for picture, row in zip(pictures, found, strict=True):
            expected = ImageOps.equalize(Image.fromarray(picture))
            np.testing.assert_array_equal(row, expected)


def test_sobel_by_hand_and_as_tf_image():
    step = np.zeros([1, 5, 6, 3], "float32")
    step[:, :, 3:] = 1
    # Pixels beside a straight edge from black to white have all of the range.
    expected = np.zeros([1, 5, 6, 3])
    expected[:, :, 2:4] = 1
    np.testing.assert_allclose(sobel.sobel(tf.constant(step)), expected, atol=1e-6)
    gradients = tf.image.sobel_edges(tf.constant(FLOATS)).numpy()
    length = np.sqrt(gradients[..., 0] ** 2 + gradients[..., 1] ** 2)
    expected = np.minimum(length / 4, 1)
    np.testing.assert_allclose(sobel.sobel(FLOATS), expected, atol=1e-5)


def test_quarter_turns_are_those_of_numpy():
    turns = np.arange(8) % 4
    found = rotation.rotate90(FLOATS, turns)
    for picture, turn, row in zip(FLOATS, turns, found, strict=True):
        np.testing.assert_array_equal(row, np.rot90(picture, turn))


def test_turns_and_their_share():
    picture = np.tile(FLOATS[:1], [4000, 1, 1, 1])
    found = augmentation.RandomRotation90(probability=0.8, seed=0)(picture).numpy()
    shares = [
        np.all(found == np.rot90(FLOATS[0], turn), axis=(1, 2, 3)).mean()
        for turn in range(4)
    ]
    # Standard deviation of a share of 4 000: at most 0.008.
    np.testing.assert_allclose(shares, [0.4, 0.2, 0.2, 0.2], atol=0.03)


def test_rotation_refuses_what_is_not_square():
    layer = augmentation.RandomRotation90(seed=0)
    with pytest.raises(ValueError, match="square images.*behind a crop, got 12 x 10"):
        layer(FLOATS[:, :, :10])
    spec = tf.TensorSpec([None, None, None, 3], tf.float32)
    unknown = tf.function(layer, input_signature=[spec])
    assert unknown(FLOATS).shape == FLOATS.shape
    with pytest.raises(tf.errors.InvalidArgumentError, match="square images"):
        unknown(FLOATS[:, :, :10])


@pytest.mark.parametrize("center", [(6, 5), (0, 0), (11, 3), (2, 11)])
@pytest.mark.parametrize("size,side", [(0.5, 6), (0.33, 4), (0.25, 3), (0.01, 1)])
def test_cutout_by_literal_loops(center, size, side):
    expected = FLOATS[0].copy()
    for row in range(center[0] - side // 2, center[0] - side // 2 + side):
        for column in range(center[1] - side // 2, center[1] - side // 2 + side):
            if 0 <= row < 12 and 0 <= column < 12:
                expected[row, column] = 0.25
    found = cutout.cutout(FLOATS[:1], tf.constant([center]), size, 0.25)
    np.testing.assert_array_equal(found[0], expected)


def test_cutout_is_that_of_addons():
    addons = pytest.importorskip("tensorflow_addons", exc_type=ImportError)
    centers = np.random.RandomState(2).randint(0, 12, [8, 2]).astype("int32")
    expected = addons.image.cutout(tf.constant(FLOATS), 4, centers, constant_values=0.5)
    found = cutout.cutout(FLOATS, centers, 1 / 3)
    np.testing.assert_array_equal(found, expected)


def test_cutout_centres_are_uniform_over_the_picture():
    layer = augmentation.RandomCutout(size=0.1, probability=1.0, value=1.0, seed=0)
    hidden = layer(np.zeros([6000, 6, 8, 3], "uint8")).numpy()[..., 0]
    assert np.all(hidden.sum(axis=(1, 2)) == 1)
    # 125 for each of 48 pixels, standard deviation 11.
    np.testing.assert_allclose(hidden.sum(axis=0), 125, atol=50)


def test_noise_is_normal_of_its_width_and_each_image_has_its_own():
    grey = np.full([300, 16, 16, 3], 0.5, "float32")
    layer = augmentation.RandomGaussianNoise(0.05, probability=1.0, seed=0)
    noise = layer(grey).numpy() - 0.5
    values = np.sort(noise.ravel()) / 0.05
    # Of 230 400 normal draws: mean within 0.0083, deviation within 0.006 at 4 sigma.
    assert abs(values.mean()) < 0.0083
    assert values.std() == pytest.approx(1, abs=0.006)
    assert np.mean(np.abs(values) < 1) == pytest.approx(0.6827, abs=0.004)
    assert np.mean(np.abs(values) < 2) == pytest.approx(0.9545, abs=0.002)
    between = np.corrcoef(noise.reshape(300, -1)) - np.eye(300)
    assert np.abs(between).max() < 0.25  # 1 / sqrt(768) = 0.036 is its deviation


@pytest.mark.parametrize("probability", [0.0, 1.0])
@pytest.mark.parametrize(
    "layer",
    ["RandomCutout", "RandomGaussianNoise", "RandomSobel", "RandomSolarize"]
    + ["RandomEqualize"],
)
def test_none_or_all_are_changed(layer, probability):
    layer = getattr(augmentation, layer)(probability=probability, seed=0)
    images = np.random.RandomState(0).rand(8, 24, 24, 3).astype("float32")
    changed = np.any(np.abs(layer(images) - images) > 2e-2, axis=(1, 2, 3))
    np.testing.assert_array_equal(changed, [probability == 1] * 8)
