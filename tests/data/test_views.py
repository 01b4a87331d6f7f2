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


def reader(kind, folder, view=None):
    """Function to the views of every step, or to what is drawn late."""
    random = np.random.RandomState(0)
    if kind == "arrays":
        images = random.randint(0, 256, [9, 24, 21, 3]).astype("uint8")
        source = data.ArraySource(images)
    else:
        for number in range(9):  # of several sizes
            pixels = random.randint(0, 256, [20 + number, 31 - number, 3])
            Image.fromarray(pixels.astype("uint8")).save(folder / f"{number}.png")
        source = data.open_source(str(folder))
    view = view or LAYERS[kind]
    options = {"view": view, "num_views": len(view), "cache": kind == "decoded"}

    def read(**more):
        steps = data.train_batches(source, BATCH, STEPS, **options, **more)
        if "late" in more:
            return list(steps)
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


@pytest.mark.parametrize(("kind", "grey_levels"), [("arrays", 0), ("files", 0.5)])
@pytest.mark.parametrize("share", [data.Share(), data.Share(1, 2, 3)])
def test_views_drawn_late_are_those_of_the_host(kind, grey_levels, share, tmp_path):
    # Changes that a rounded grey level cannot make larger.
    crop = augmentation.RandomResizedCrop(20, flip_probability=0.5)
    view = augmentation.Policy(
        [crop, augmentation.RandomGaussianNoise(), augmentation.RandomGrayscale(0.5)]
    )
    read = reader(kind, tmp_path, (view, FULL))
    expected = read(share=share)
    late = data.LateViews((view, FULL), 2, 0, BATCH)
    draw = tf.function(late.draw)  # as a step of training does
    found = [draw(batch) for batch in read(share=share, late=True)]
    assert len(found) == len(expected) == STEPS * share.count
    for ours, theirs in zip(found, expected, strict=True):
        first, full = (view.numpy() for view in ours)
        np.testing.assert_allclose(first, theirs[0], atol=grey_levels / 255 + 1e-5)
        # Brightness, contrast and saturation enlarge it, each up to 1.8 times, and hue.
        np.testing.assert_allclose(full, theirs[1], atol=12 * grey_levels / 255 + 1e-4)


def test_less_is_sent_to_where_views_are_drawn_late(tmp_path):
    for kind, count in (("arrays", 1), ("files", 2)):
        (batch, _) = reader(kind, tmp_path, (FULL, FULL))(late=True)
        images = tf.nest.flatten(batch["images"])
        assert [image.dtype for image in images] == [tf.uint8] * count
        np.testing.assert_array_equal(batch["position"], range(BATCH))


def test_what_has_no_late_views_is_refused():
    images = tf.data.Dataset.from_tensor_slices(np.zeros([9, 8, 8, 3], "uint8"))
    source = data.SequentialSource(images, 9, None, None, "sequence")
    assert not data.takes_late_views(source)
    with pytest.raises(ValueError, match="`late` must be False for sequence"):
        data.train_batches(source, 4, 1, view=FULL, late=True)


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
