"""Pipelines that compile what they do to images show what others show."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf import augmentation, data, keras_compat
from simclr_tf.augmentation import _each
from tests import views

FULL = augmentation.SimCLRAugmentation(20, seed=0)
OTHER = augmentation.Policy(
    [augmentation.RandomResizedCrop(20), augmentation.RandomGrayscale(0.5)], seed=0
)
LAYERS = {
    "arrays": (FULL, OTHER),
    "files": (FULL, OTHER, augmentation.small_view(FULL, 12, seed=0)),
    "decoded": (FULL,),  # each image alone
}
BATCH, STEPS = 18, 2  # of files in two pieces


def reader(kind, folder):
    """Function to the views of every step."""
    random = np.random.RandomState(0)
    if kind == "arrays":
        images = random.randint(0, 256, [9, 24, 21, 3]).astype("uint8")
        source = data.ArraySource(images)
    else:
        for number in range(9):  # of several sizes
            pixels = random.randint(0, 256, [20 + number, 31 - number, 3])
            Image.fromarray(pixels.astype("uint8")).save(folder / f"{number}.png")
        source = data.open_source(str(folder))
    view = LAYERS[kind]
    options = {"view": view, "num_views": len(view), "cache": kind == "decoded"}

    def read(**more):
        steps = data.train_batches(source, BATCH, STEPS, **options, **more)
        return [[view.numpy() for view in tf.nest.flatten(step)] for step in steps]

    return read


def flat(steps):
    return [view for step in steps for view in step]


@pytest.mark.parametrize("kind", LAYERS)
def test_compiled_views_are_the_same_at_every_step(kind, tmp_path, monkeypatch):
    read = reader(kind, tmp_path)
    in_batches = read()
    monkeypatch.setattr(_each, "has_compiler", views.has_compiler)
    compiled = read()
    for found, expected in zip(flat(compiled), flat(in_batches), strict=True):
        # XLA rounds sums of products once less or more.
        np.testing.assert_allclose(found, expected, atol=1e-5)
    for found, expected in zip(flat(read(start_step=1)), compiled[1], strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.skipif(keras_compat.IS_KERAS_3, reason="Keras 3 converts no layer.")
def test_a_layer_of_ones_own_may_branch_on_tensors():
    class Inverted(augmentation.RandomFlip):
        def process(self, images, training, seed):
            if tf.reduce_mean(images) > 0.5:
                images = 1.0 - images
            return images

    source = data.ArraySource(np.full([8, 8, 8, 3], 204, "uint8"))
    cropped = augmentation.Policy([augmentation.RandomResizedCrop(8), Inverted()])
    for view in (Inverted(), cropped):
        (batch,) = data.train_batches(source, 4, 1, view=view)
        np.testing.assert_allclose(batch[0], 0.2, atol=1e-6)
