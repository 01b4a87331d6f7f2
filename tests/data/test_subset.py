import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import data
from simclr_tf.data.sources import SequentialSource


def pictures(count=6):
    """Picture i is all i, of class i % 3."""
    images = np.arange(count, dtype=np.uint8)[:, None, None, None]
    return np.tile(images, [1, 4, 5, 3]), np.arange(count) % 3


def array_source():
    return data.ArraySource(
        *pictures(), ["a", "b", "c"], file_names=[f"{i}.png" for i in range(6)]
    )


def sequential_source(decoded=None):
    """Elements are numbers; `parse` makes pictures and writes down of which."""
    images, labels = pictures()

    def parse(number):
        if decoded is not None:
            tf.py_function(lambda n: decoded.append(int(n)), [number], [])
        return tf.gather(images, number), tf.gather(labels, number)

    numbers = tf.data.Dataset.range(6)
    return SequentialSource(
        numbers, 6, ("a", "b", "c"), (4, 5, 3), "numbers", parse, labels=labels
    )


def seen(source):
    return [(int(image[0, 0, 0]), int(label)) for image, label in source.as_dataset()]


@pytest.mark.parametrize("make", [array_source, sequential_source])
def test_a_subset_has_its_images_in_order_and_all_classes(make):
    source = data.Subset(make(), [4, 1])
    assert seen(source) == [(1, 1), (4, 1)]
    assert source.num_examples == 2 and source.class_names == ("a", "b", "c")
    np.testing.assert_array_equal(source.labels(), [1, 1])
    assert source.image_shape == (4, 5, 3)
    assert source.random_access == make().random_access
    assert seen(data.Subset(source, [1])) == [(4, 1)]  # and of a subset


def test_a_subset_is_read_by_number():
    source = data.Subset(array_source(), [5, 0, 2])
    images, labels = source.read(tf.constant([2, 0], tf.int64))
    np.testing.assert_array_equal(images[:, 0, 0, 0], [5, 0])
    np.testing.assert_array_equal(labels, [2, 0])
    assert source.file_names() == ["0.png", "2.png", "5.png"]


def test_what_is_left_out_is_not_decoded():
    decoded = []
    list(data.Subset(sequential_source(decoded), [1, 4]).as_dataset())
    assert sorted(decoded) == [1, 4]


def test_epochs_of_a_sequential_subset_count_its_size():
    source = data.Subset(sequential_source(), [1, 4])
    batches = data.train_batches(
        source, 2, 3, view=lambda image, training, seed: image, num_views=1
    )
    for images, labels in batches:  # each batch is an epoch
        assert sorted(images.numpy()[:, 0, 0, 0]) == [1, 4]
        np.testing.assert_array_equal(labels, [1, 1])


@pytest.mark.parametrize("indices", [[], [6], [-1, 2], [3, 3]])
def test_wrong_indices_are_refused(indices):
    with pytest.raises(ValueError, match=r"`indices` must be in 0 .. 5, each once"):
        data.Subset(array_source(), indices)


@pytest.mark.parametrize("make", [array_source, sequential_source])
def test_other_labels_on_the_same_images(make):
    hidden = np.array([0, -1, -1, 0, 1, -1])
    source = data.Relabelled(make(), hidden)
    assert seen(source) == list(enumerate(hidden))
    np.testing.assert_array_equal(source.labels(), hidden)
    assert source.num_classes == 3
    assert seen(data.Subset(source, [0, 5])) == [(0, 0), (5, -1)]
    if source.random_access:
        np.testing.assert_array_equal(source.read(tf.constant([4, 1]))[1], [1, -1])
