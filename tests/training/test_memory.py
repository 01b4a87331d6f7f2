import numpy as np
import pytest
from tensorflow import keras

from simclr_tf.training import memory


def encoder():
    """Keeps, of 8 x 8 images, a convolution's and a ReLU's output of 8 * 8 * 5."""
    return keras.Sequential(
        [
            keras.layers.Input([8, 8, 3]),
            keras.layers.Conv2D(5, 3, padding="same", use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )


def test_a_step_by_hand():
    one = 8 * 8 * 5 * 4  # bytes of an activation
    image = 8 * 8 * 3 * 4
    weights = 4 * (3 * 3 * 3 * 5 + 4 * 5)
    loss = 4 * 4 * 20 * 20
    networks = encoder()
    found = memory.step_bytes(networks, [(2, 8)], batch_size=10)
    kept = 2 * one + image  # the image is the convolution's input
    expected = 20 * (kept + 2 * one) + 6 * 10 * image + loss + 2 * weights
    assert found == expected + memory._PROGRAM
    pieces = memory.step_bytes(networks, [(2, 8)], batch_size=10, micro_batch_size=2)
    assert found - pieces == 16 * (kept + 2 * one)
    more = memory.step_bytes(networks, [(2, 8), (3, 8)], batch_size=10)
    stored = memory.step_bytes(
        networks, [(2, 8)], batch_size=10, memory_size=7, embedding_dim=3
    )
    more_of_loss = 4 * 4 * 20 * 7
    assert stored - found == more_of_loss + 3 * 4 * 7 * 3 + weights
    assert more - found == 30 * (kept + 2 * one) + 9 * 10 * image


def test_the_smallest_limit_counts(tmp_path, monkeypatch):
    (tmp_path / "max").write_text("3000\n")
    (tmp_path / "now").write_text("1000\n")
    files = (str(tmp_path / "max"), str(tmp_path / "now"))
    monkeypatch.setattr(memory, "_CGROUPS", [files])
    assert memory.available_bytes() == 2000
    (tmp_path / "max").write_text("max\n")
    assert memory.available_bytes() is None or memory.available_bytes() > 1e6


@pytest.mark.parametrize(
    ("count", "words"),
    [(1.26e9, "1.3 GB"), (26e9, "26 GB"), (2.5e6, "2.5 MB"), (100_000, "100 kB")],
)
def test_bytes_in_words(count, words):
    assert memory.in_words(np.int64(count)) == words
