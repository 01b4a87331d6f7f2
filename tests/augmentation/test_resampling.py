import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import augmentation
from simclr_tf.augmentation import resampling


@pytest.mark.parametrize("box", [(0, 0, 20, 30), (3, 5, 7, 9), (2, 10, 18, 4)])
@pytest.mark.parametrize("size", [(8, 8), (32, 24)])
def test_equals_tf_image_crop_flip_and_bicubic_resize(box, size):
    image = np.random.RandomState(0).rand(20, 30, 3).astype("float32")
    top, left, height, width = box
    crop = image[top : top + height, left : left + width]
    expected = tf.image.resize(crop, size, "bicubic")
    found = resampling.resample(
        tf.stack([image, image]), tf.constant([box, box]), size, tf.constant([0, 1]) > 0
    )
    # tf.image rounds its coefficients to a table of 1024.
    np.testing.assert_allclose(found[0], expected, atol=4e-3)
    np.testing.assert_allclose(found[1], expected[:, ::-1], atol=4e-3)


def test_keys_cubic_by_hand():
    found = resampling.keys_cubic(tf.constant([0.0, 0.5, -1.0, 1.5, 2.0, 3.0]))
    np.testing.assert_allclose(found, [1, 0.5625, 0, -0.0625, 0, 0], atol=1e-6)


@pytest.mark.parametrize(
    "shape,box",
    [((300, 200), (63, 13, 175, 175)), ((375, 500), (24, 86, 328, 328))],
)
def test_center_box_of_the_published_code(shape, box):
    np.testing.assert_array_equal(augmentation.center_box(shape, 224, 224), box)


def test_center_crop_equals_crop_and_resize():
    image = np.random.RandomState(0).rand(60, 40, 3).astype("float32")
    box = image[13:48, 3:38]  # 0.875 * 40 = 35; offsets (60 - 35 + 1) // 2 and 3
    expected = tf.clip_by_value(tf.image.resize(box, (48, 48), "bicubic"), 0, 1)
    found = augmentation.center_crop(image, 48, 48)
    np.testing.assert_allclose(found, expected, atol=4e-3)
    batch = augmentation.center_crop(np.stack([image, image]), 48, 48)
    np.testing.assert_allclose(batch[1], found, atol=4e-3)


def test_evaluation_of_small_pictures_resizes_without_a_crop():
    # Defect B9 of the published code: it failed unless the size was exact.
    image = np.random.RandomState(0).rand(28, 40, 3).astype("float32")
    expected = tf.clip_by_value(tf.image.resize(image, (32, 32), "bicubic"), 0, 1)
    found = augmentation.EvaluationCrop(32)(image)
    np.testing.assert_allclose(found, expected, atol=4e-3)
    same = np.random.RandomState(0).rand(32, 32, 3).astype("float32")
    np.testing.assert_allclose(augmentation.EvaluationCrop(32)(same), same, atol=1e-6)


def test_random_boxes_are_distributed_as_those_of_tf_image():
    count, height, width = 4000, 60, 90
    layer = augmentation.RandomResizedCrop(32, seed=0)
    found = layer.boxes(tf.zeros([count, height, width, 3]), seed=[1, 2]).numpy()
    aspect = width / height

    def draw(seed):
        begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
            [height, width, 3],
            tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),
            seed=seed,
            min_object_covered=0.1,
            aspect_ratio_range=(0.75 * aspect, 4 / 3 * aspect),
            area_range=(0.08, 1.0),
            max_attempts=100,
        )
        return tf.concat([begin[:2], size[:2]], 0)

    seeds = tf.stack([tf.range(count), tf.range(count)], 1)
    oracle = tf.map_fn(draw, seeds, fn_output_signature=tf.int32).numpy()
    inside = (found[:, :2] >= 0) & (found[:, :2] + found[:, 2:] <= [height, width])
    assert inside.all()
    for values, expected in (
        (found[:, 2] * found[:, 3], oracle[:, 2] * oracle[:, 3]),
        (found[:, 3] / found[:, 2], oracle[:, 3] / oracle[:, 2]),
        (found[:, 0] + found[:, 2] / 2, oracle[:, 0] + oracle[:, 2] / 2),
    ):
        quantiles = [0.1, 0.25, 0.5, 0.75, 0.9]
        np.testing.assert_allclose(
            np.quantile(values, quantiles), np.quantile(expected, quantiles), rtol=0.08
        )
