import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import data


def test_arrays_with_and_without_labels():
    images = np.random.RandomState(0).randint(0, 256, [5, 4, 6, 3]).astype("uint8")
    source = data.ArraySource(images, [0, 1, 2, 0, 1])
    assert source.class_names == ("0", "1", "2")
    found, labels = source.read(tf.constant([3, 1], tf.int64))
    np.testing.assert_array_equal(found, images[[3, 1]])
    np.testing.assert_array_equal(labels, [0, 1])
    np.testing.assert_array_equal(source.labels(), [0, 1, 2, 0, 1])
    assert source.labels().dtype == np.int64
    assert data.ArraySource(images).read(tf.constant(2)).shape == (4, 6, 3)
    assert data.ArraySource(images).labels() is None
    assert data.ArraySource(images).file_names() is None
    with pytest.raises(ValueError, match=r"`images` must be uint8 .*got float32"):
        data.ArraySource(images.astype("float32"))
    with pytest.raises(ValueError, match=r"`labels` must be \[5\], got \(2,\)"):
        data.ArraySource(images, [0, 1])
