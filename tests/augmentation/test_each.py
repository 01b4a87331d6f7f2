"""Layers in one compiled loop change images as they do when they are called."""

import numpy as np
import tensorflow as tf

from simclr_tf import augmentation
from simclr_tf.augmentation import _each
from tests import views

IMAGES = np.random.RandomState(0).rand(6, 8, 10, 3).astype("float32")
STEPS = [
    augmentation.RandomColorJitter(1.0),
    augmentation.RandomGrayscale(0.5),
    augmentation.RandomFlip(),  # not of the loop
    augmentation.RandomGaussianBlur(5),
]


def looped(images, seeds, steps=STEPS):
    """As in a pipeline."""
    return np.asarray(_each.apply(steps, tf.constant(images), seeds))


def called(images, seeds, steps=STEPS):
    for step, seed in zip(steps, seeds, strict=True):
        images = step(images, training=True, seed=seed)
    return np.asarray(images)


def seeds_of(*row, steps=STEPS):
    return [tf.constant([1, number, *row], tf.int64) for number in range(len(steps))]


def assert_same(found, expected):
    """XLA rounds sums of products once less or more."""
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_images_are_those_of_the_layers_called_in_turn(compiled_views):
    expected = called(IMAGES, seeds_of())
    assert np.all(np.abs(expected - IMAGES).max(axis=(1, 2, 3)) > 0.01)
    assert_same(looped(IMAGES, seeds_of()), expected)
    for first, count in ((0, 4), (4, 2)):  # rows of a batch
        rows = IMAGES[first : first + count]
        assert_same(looped(rows, seeds_of(first, 6)), expected[first : first + count])
    assert_same(looped(IMAGES[0], seeds_of()), called(IMAGES[:1], seeds_of())[0])


def test_layers_of_one_kind_share_what_is_compiled(compiled_views):
    _each._loop.cache_clear()
    for strength in (0.5, 1.0):
        layer = augmentation.RandomColorJitter(strength)
        looped(IMAGES, seeds_of(steps=[layer]), [layer])
    loop = _each._loop((augmentation.RandomColorJitter.change_planes,))
    assert loop.experimental_get_tracing_count() == 1


def test_a_layer_of_ones_own_is_called(compiled_views):
    class Black(augmentation.RandomGrayscale):
        def change(self, images):
            return tf.zeros_like(images)

    steps = [Black(1.0)]
    assert not np.any(looped(IMAGES, seeds_of(steps=steps), steps))


def test_without_a_compiler_the_images_are_the_same(monkeypatch):
    expected, real = called(IMAGES, seeds_of()), tf.function

    def function(jit_compile=False, **options):
        def fails(*_):
            raise tf.errors.UnimplementedError(None, None, "no compiler")

        fails.get_concrete_function = lambda *_: fails
        return (lambda _: fails) if jit_compile else real(**options)

    assert views.has_compiler()
    monkeypatch.setattr(tf, "function", function)
    monkeypatch.setattr(_each, "has_compiler", views.has_compiler.__wrapped__)
    assert not _each.has_compiler()
    np.testing.assert_array_equal(looped(IMAGES, seeds_of()), expected)
