import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.data.attempts import attempt_pieces


@pytest.mark.parametrize(
    "bad",
    [(), (6,), (3, 5), (8, 9), (17,), (3, 8, 12, 17), tuple(range(3, 18))],
    ids=lambda bad: "-".join(map(str, bad)) or "none",
)
def test_pieces_in_which_something_fails_are_taken(bad):
    def read(number):
        good = tf.reduce_all(number != tf.constant(bad, tf.int64))
        with tf.control_dependencies([tf.debugging.Assert(good, [number])]):
            return tf.fill([2], number), tf.strings.as_string(number)

    def take(number):
        return tf.fill([2], -number), tf.constant("taken")

    pieces = attempt_pieces(range(3, 18), read, take, 3)
    assert pieces.element_spec[1][0].shape.as_list() == [3, 2]
    found = list(pieces.as_numpy_iterator())
    expected = np.arange(3, 18).reshape(5, 3)
    taken = np.isin(expected, bad).any(axis=1, keepdims=True)
    np.testing.assert_array_equal([numbers for numbers, _ in found], expected)
    np.testing.assert_array_equal(
        [values[:, 0] for _, (values, _) in found], np.where(taken, -expected, expected)
    )
    words = np.where(taken, b"taken", expected.astype("S"))
    np.testing.assert_array_equal([words for _, (_, words) in found], words)
