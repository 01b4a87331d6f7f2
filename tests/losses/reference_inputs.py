"""What `scripts/make_loss_reference.py` and the tests give to the losses alike."""

import os

import numpy as np

FILE = os.path.join(os.path.dirname(__file__), "reference.json")
IMAGES, TEMPERATURE = 6, 0.3
LABELS = [0, 1, 0, 2, 1, 0]


def views():
    """Two float64 matrices `[IMAGES, 5]`."""
    random = np.random.RandomState(7)
    view_a = random.randn(IMAGES, 5)
    return view_a, view_a + random.randn(IMAGES, 5)
