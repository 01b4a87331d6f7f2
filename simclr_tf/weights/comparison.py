"""Compares an imported network's features with its source's, if that can be run."""

import os

import numpy as np
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.literal_paths import literal
from simclr_tf.weights import torch_process
from simclr_tf.weights.torch_process import CannotRun, Refused

_LARGEST = 1e-3  # of the largest feature; a larger difference means another network


def compare(run, encoder):
    """Compares the features of an encoder with those of its source.

    Args:
        run: Callable from float images `[B, H, W, 3]` in [0, 1] and `encoder` to the
            features that the source computes.
        encoder: `tf_models.ResNet` with the weights of the source.

    Returns:
        Float, the largest difference divided by the largest feature.

    Raises:
        CannotRun: If the source cannot run.
        UserError: If the features differ.
    """
    size = 32 if encoder.stem.startswith("cifar") else 64
    images = np.random.RandomState(0).uniform(size=[2, size, size, 3])
    images = images.astype(np.float32)
    theirs = run(images, encoder)
    ours = encoder(images, training=False).numpy()
    difference = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    if not difference <= _LARGEST:
        raise UserError(
            f"the source computes different features of random images: they differ by "
            f"{difference:.2g} of the largest."
        )
    return difference


def of_checkpoint(images, encoder):
    """`run` of a checkpoint: it cannot run."""
    raise CannotRun("a checkpoint of TensorFlow has weights, but no graph to run")


def of_saved_model(path):
    """`run` of a SavedModel that the published code for TensorFlow 2 wrote."""

    def run(images, encoder):
        try:
            with literal(path) as folder:
                network = tf.saved_model.load(folder)
            return network(images, trainable=False)["final_avg_pool"].numpy()
        except Exception as error:  # a graph may raise anything
            raise CannotRun("its graph does not run here") from error

    return run


def of_torchvision(weights):
    """`run` of weights under torchvision's names, in torchvision's network."""

    def run(images, encoder):
        if encoder.width_multiplier != 1:
            raise CannotRun("torchvision has no network of this width")
        return torch_process.features(
            "torchvision_features.py",
            ("torch", "torchvision"),
            images,
            encoder,
            str(encoder.depth),
            encoder.stem,
            weights=weights,
        )

    return run


def of_own_file(path):
    """`run`, in PyTorch, of a `.safetensors` file that we wrote.

    It raises a UserError if PyTorch cannot use the weights.
    """

    def run(images, encoder):
        try:
            return torch_process.features(
                "torch_features.py",
                ("torch", "safetensors"),
                images,
                encoder,
                os.path.abspath(path),
            )
        except Refused as error:
            raise UserError(f"{error}.") from error

    return run
