"""Every test starts from the same random state and the float32 policy."""

import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@pytest.fixture(autouse=True)
def fresh_state():
    from tensorflow import keras

    keras.utils.set_random_seed(0)
    keras.mixed_precision.set_global_policy("float32")
    yield
    keras.mixed_precision.set_global_policy("float32")


@pytest.fixture
def photos():
    """Sixteen 12 x 14 uint8 pictures: class 0 is reddish, class 1 bluish."""
    import numpy as np

    random = np.random.RandomState(0)
    labels = np.arange(16) % 2
    images = random.randint(0, 100, (16, 12, 14, 3))
    images[labels == 0, ..., 0] += 150
    images[labels == 1, ..., 2] += 150
    return images.astype("uint8"), labels.astype("int64")
