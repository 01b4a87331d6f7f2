"""Weights of a torchvision ResNet that depend on their names alone.

`scripts/make_torchvision_features.py` gives them to torchvision, the tests to ours.
"""

import zlib

import numpy as np

NUM_CLASSES = 5
# Blocks of each group: enough for every name that a block can have.
BASIC, BOTTLENECK = (2, 1, 1, 1), (1, 1, 1, 1)


def images():
    """Float32 `[2, 40, 40, 3]` in [0, 1]: sizes even and odd on the way down."""
    return np.random.default_rng(0).random([2, 40, 40, 3], np.float32)


def values(name, shape):
    """Float32 of the shape that torch has under a name."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    noise = random.standard_normal(shape).astype(np.float32)
    if len(shape) > 1:
        return noise * np.float32(np.sqrt(2 / np.prod(shape[1:])))
    if name.endswith("running_var"):
        return 1 + 0.5 * np.abs(noise)
    return (1 if "bn" in name or "downsample" in name else 0) * (
        name.endswith("weight")
    ) + 0.2 * noise
