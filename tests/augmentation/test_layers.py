"""What every augmentation layer promises."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from simclr_tf import augmentation

LAYERS = {
    "crop": lambda **k: augmentation.RandomResizedCrop(16, **k),
    "flip": lambda **k: augmentation.RandomFlip(**k),
    "jitter": lambda **k: augmentation.RandomColorJitter(0.8, **k),
    "gray": lambda **k: augmentation.RandomGrayscale(0.5, **k),
    "blur": lambda **k: augmentation.RandomGaussianBlur(3, **k),
    "cutout": lambda **k: augmentation.RandomCutout(**k),
    "noise": lambda **k: augmentation.RandomGaussianNoise(**k),
    "sobel": lambda **k: augmentation.RandomSobel(**k),
    "solarize": lambda **k: augmentation.RandomSolarize(probability=0.5, **k),
    "equalize": lambda **k: augmentation.RandomEqualize(0.5, **k),
    "rotation": lambda **k: augmentation.Policy(
        [augmentation.RandomResizedCrop(16), augmentation.RandomRotation90()], **k
    ),
    "evaluation": lambda **k: augmentation.EvaluationCrop(16, **k),
    "simclr": lambda **k: augmentation.SimCLRAugmentation(16, **k),
    "crop_and_flip": lambda **k: augmentation.CropAndFlip(16, **k),
}
RANDOM = [name for name in LAYERS if name != "evaluation"]
PICTURES = np.random.RandomState(0).randint(0, 256, [8, 20, 24, 3]).astype("uint8")
every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
random_layers = pytest.mark.parametrize("make", [LAYERS[n] for n in RANDOM], ids=RANDOM)


@every_layer
def test_gives_float32_in_the_unit_range(make):
    for policy in ("float32", "mixed_float16", "mixed_bfloat16"):
        keras.mixed_precision.set_global_policy(policy)
        views = make(seed=0)(PICTURES)
        assert views.dtype == tf.float32
        assert 0 <= np.min(views) and np.max(views) <= 1


@every_layer
def test_uint8_and_float_agree(make):
    floats = (PICTURES / 255).astype("float32")
    ours, theirs = make(seed=5)(PICTURES), make(seed=5)(floats)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@every_layer
def test_one_image_is_a_batch_of_one(make):
    layer, seed = make(), tf.constant([1, 2])
    alone = layer(PICTURES[0], seed=seed)
    batch = layer(PICTURES[:1], seed=seed)
    np.testing.assert_allclose(alone, batch[0], atol=1e-6)


@every_layer
def test_config_round_trip(make):
    layer = make(seed=3)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(layer(PICTURES), again(PICTURES))


@every_layer
def test_works_in_a_function_of_unknown_shapes(make):
    spec = tf.TensorSpec([None, None, None, 3], tf.uint8)
    layer, seed = make(), tf.constant([1, 2])
    function = tf.function(lambda x: layer(x, seed=seed), input_signature=[spec])
    expected = layer(PICTURES, seed=seed)
    np.testing.assert_allclose(function(PICTURES), expected, atol=1e-5)


@every_layer
def test_works_in_a_data_set_of_images_of_unknown_shapes(make):
    data = tf.data.Dataset.from_generator(
        lambda: iter(PICTURES),
        output_signature=tf.TensorSpec([None, None, 3], tf.uint8),
    )
    views = list(data.map(make(seed=0)))
    assert len(views) == len(PICTURES)


@random_layers
def test_same_seed_same_sequence_and_each_call_draws_anew(make):
    ours, theirs = make(seed=9), make(seed=9)
    first, second = ours(PICTURES), ours(PICTURES)
    assert np.any(first != second)
    np.testing.assert_array_equal(first, theirs(PICTURES))
    np.testing.assert_array_equal(second, theirs(PICTURES))
    assert np.any(first != make(seed=10)(PICTURES))


@random_layers
def test_without_training_nothing_is_drawn(make):
    layer = make(seed=0)
    np.testing.assert_array_equal(
        layer(PICTURES, training=False), layer(PICTURES, training=False)
    )


@random_layers
def test_draws_of_some_rows_are_those_of_the_whole_batch(make):
    layer = make()
    whole = layer(PICTURES, seed=tf.constant([1, 2]))
    for first, last in ((0, 2), (1, len(PICTURES))):
        seed = tf.constant([1, 2, first, len(PICTURES)])
        # A batch of another size is computed by other kernels: up to rounding.
        np.testing.assert_allclose(
            layer(PICTURES[first:last], seed=seed), whole[first:last], atol=1e-5
        )


@random_layers
def test_given_seeds_do_not_depend_on_the_number_of_threads(make):
    layer = make()

    def views(threads):
        data = tf.data.Dataset.from_tensor_slices(np.repeat(PICTURES, 8, 0)).enumerate()
        data = data.map(
            lambda index, image: layer(image, seed=tf.stack([7, index])),
            num_parallel_calls=threads,
        )
        return np.stack(list(data.as_numpy_iterator()))

    np.testing.assert_allclose(views(1), views(8), atol=1e-5)


def test_global_seed_decides_where_none_is_given():
    def view():
        keras.utils.set_random_seed(4)
        return augmentation.SimCLRAugmentation(16)(PICTURES)

    np.testing.assert_array_equal(view(), view())


def test_policy_without_training_is_the_evaluation_crop():
    view = augmentation.SimCLRAugmentation(16)(PICTURES, training=False)
    np.testing.assert_allclose(view, augmentation.EvaluationCrop(16)(PICTURES))


def test_strength_0_leaves_colours_alone():
    gray = np.full([16, 20, 20, 3], [30, 120, 210], "uint8")
    view = augmentation.SimCLRAugmentation(16, 0.0, blur=False, seed=0)(gray)
    np.testing.assert_allclose(view, gray[:, :16, :16] / 255, atol=1e-5)


@pytest.mark.parametrize(
    "make,message",
    [
        (lambda: augmentation.SimCLRAugmentation(0), "`image_size` must be a positive"),
        (lambda: augmentation.EvaluationCrop(-1), "`image_size` must be a positive"),
        (
            lambda: augmentation.SimCLRAugmentation(8, 1.3),
            r"`strength`.*\[0, 1.25\].*1.3",
        ),
        (lambda: augmentation.CropAndFlip(8, (0.5, 0.2)), "`area_range` must be"),
        (
            lambda: augmentation.RandomResizedCrop(8, aspect_ratio_range=(0, 1)),
            "aspect",
        ),
        (lambda: augmentation.RandomFlip(1.5), r"`probability` must be in \[0, 1\]"),
        (
            lambda: augmentation.RandomGaussianBlur(0),
            "`kernel_size` must be a positive",
        ),
        (lambda: augmentation.RandomGaussianBlur(3, (0, 1)), "`sigma_range` must be"),
        (lambda: augmentation.EvaluationCrop(8, 1.5), "`crop_proportion` must be"),
        (lambda: augmentation.RandomCutout(0.0), r"`size` must be in \(0, 1\], got 0"),
        (lambda: augmentation.RandomCutout(value=2.0), "`value` must be in"),
        (lambda: augmentation.RandomGaussianNoise(0.0), "`stddev` must be a positive"),
        (lambda: augmentation.RandomSolarize(-0.1), "`threshold` must be in"),
        (lambda: augmentation.RandomSobel(2.0), r"`probability` must be in \[0, 1\]"),
        (
            lambda: augmentation.RandomFlip()(np.zeros([4, 4, 1])),
            r"RGB images \[H, W, 3\]",
        ),
    ],
)
def test_wrong_arguments_say_what_is_allowed(make, message):
    with pytest.raises(ValueError, match=message):
        make()
