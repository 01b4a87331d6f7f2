import numpy as np
import pytest

from simclr_tf import evaluation


@pytest.fixture
def clusters():
    """Makes labelled features around the same four centres."""

    def make(count, seed, classes=4, spread=2.5):
        random = np.random.RandomState(seed)
        labels = np.arange(count) % classes
        centres = np.random.RandomState(99).randn(classes, 16)
        features = centres[labels] + spread * random.randn(count, 16)
        return evaluation.Features(features.astype("float32"), labels.astype("int64"))

    return make
