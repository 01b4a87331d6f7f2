"""Features of imported networks beside those of the source, where that can run."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf

from simclr_tf import atomic
from simclr_tf.errors import UserError
from simclr_tf.literal_paths import literal
from tf_models import input_normalization

_LARGEST = 1e-3  # of the largest feature; more is another network
_PROGRAM = os.path.join(os.path.dirname(__file__), "torchvision_features.py")
_SECONDS = 600


def compare(run, encoder):
    """How far the features of an encoder are from those of its source.

    Args:
        run: Callable from float images `[B, H, W, 3]` in [0, 1] and `encoder` to the
            features that the source computes, or None where it cannot; or None.
        encoder: `tf_models.ResNet` with the weights of the source.

    Returns:
        The largest difference over the largest feature, a float; None where the source
        cannot run.

    Raises:
        UserError: If the features are others.
    """
    size = 32 if encoder.stem.startswith("cifar") else 64
    images = np.random.RandomState(0).uniform(size=[2, size, size, 3])
    images = images.astype(np.float32)
    theirs = run and run(images, encoder)
    if theirs is None:
        return None
    ours = encoder(images, training=False).numpy()
    difference = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    if not difference <= _LARGEST:
        raise UserError(
            f"the source computes other features of random images: they differ by "
            f"{difference:.2g} of the largest."
        )
    return difference


def of_saved_model(path):
    """`run` of a SavedModel that the published code for TensorFlow 2 wrote."""

    def run(images, encoder):
        try:
            with literal(path) as folder:
                network = tf.saved_model.load(folder)
            return network(images, trainable=False)["final_avg_pool"].numpy()
        except Exception:  # whatever a graph raises, it cannot run here
            return None

    return run


def of_torchvision(weights):
    """`run` of weights by torchvision's names, in its network and another process."""

    def run(images, encoder):
        known = map(importlib.util.find_spec, ("torch", "torchvision"))
        if not all(known) or encoder.width_multiplier != 1:
            return None
        images = input_normalization.normalize(images, encoder.normalization)
        images = np.asarray(images).transpose(0, 3, 1, 2)
        with tempfile.TemporaryDirectory() as folder:
            np.save(os.path.join(folder, "images.npy"), images.astype(np.float32))
            arrays = {n: np.asarray(a, np.float32) for n, a in weights.items()}
            np.savez(os.path.join(folder, "weights.npz"), **arrays)
            about = json.dumps({"depth": encoder.depth, "stem": encoder.stem})
            atomic.write(os.path.join(folder, "about.json"), about)
            try:
                command = [sys.executable, _PROGRAM, folder]
                subprocess.run(
                    command, capture_output=True, timeout=_SECONDS, check=True
                )
            except subprocess.SubprocessError:
                return None
            return np.load(os.path.join(folder, "features.npy"), allow_pickle=False)

    return run
