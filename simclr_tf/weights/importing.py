"""Builds our networks and fills them with weights from elsewhere."""

import contextlib
import dataclasses
import typing

import numpy as np
from tensorflow import keras

import tf_models
from simclr_tf.errors import UserError
from simclr_tf.weights import architecture, layout, source
from simclr_tf.weights.found import Found


class Weights(typing.NamedTuple):
    """Weights that were read, and the architecture of their networks.

    Attributes:
        found: `Found`.
        architecture: `Architecture`.
    """

    found: Found
    architecture: architecture.Architecture


class Imported(typing.NamedTuple):
    """Networks with imported weights.

    Attributes:
        encoder: `tf_models.ResNet`, from images in [0, 1] to features.
        projection_head: `tf_models.ProjectionHead`, with the mode "none" if the source
            has no projection head.
        linear_head: `tf_models.LinearHead`, or None.
        step: Int, the steps they were trained for; 0 if that is not known.
    """

    encoder: keras.Model
    projection_head: tf_models.ProjectionHead
    linear_head: tf_models.LinearHead | None
    step: int


def import_checkpoint(path, stem="auto", normalization="auto"):
    """Reads a published SimCLR model or a ResNet of PyTorch.

    Depth, width, selective kernels, heads and classes are inferred from the shapes.
    `--mode=import` turns it into a run.

    Args:
        path: Str: a checkpoint (its prefix or folder) or SavedModel of the published
            SimCLR code for TensorFlow 1 or 2; or a file with a ResNet of PyTorch as
            torchvision, lightly or solo-learn save it: `.safetensors`, `.pth` or
            `.ckpt`. Pickles in such files are not run.
        stem: Str, the `stem` of `tf_models.ResNet`. "auto" chooses "imagenet"; or, if
            the first kernel is 3x3, "cifar_padded" for solo-learn, "cifar_no_relu" for
            lightly's own ResNet in a Sequential, and "cifar" otherwise.
        normalization: Str, its `normalization`. "auto" chooses "imagenet" for PyTorch
            and "none" otherwise.

    Returns:
        `Imported`.

    Raises:
        UserError: If there are no known weights, they are damaged, or weights of the
            encoder are missing or left over (their names are given).
    """
    with naming(path):
        weights = read(path, stem, normalization)
        found, networks = weights
        encoder = tf_models.ResNet(**networks.encoder)
        projection_head = tf_models.ProjectionHead(**networks.projection_head)
        projection_head.build([None, encoder.feature_dim])
        linear_head = None
        if networks.num_classes is not None:
            linear_head = tf_models.LinearHead(networks.num_classes)
            linear_head.build([None, encoder.feature_dim])
        layout.fill(found, encoder, projection_head, linear_head)
    return Imported(encoder, projection_head, linear_head, found.step)


def read(path, stem="auto", normalization="auto"):
    """The `Weights` at a path; see `import_checkpoint` for arguments and errors."""
    found = source.read(path)
    try:
        for name, array in found.arrays.items():
            found.arrays[name] = np.asarray(array, np.float32)
    except (TypeError, ValueError) as error:
        raise UserError(f"{name} holds no numbers.") from error
    found.step = max(found.step, 0)
    layout.require_finite(found)
    networks = architecture.infer(found)
    told = {"stem": stem, "normalization": normalization}
    told = {name: word for name, word in told.items() if word != "auto"}
    encoder = {**networks.encoder, **told}
    return Weights(found, dataclasses.replace(networks, encoder=encoder))


@contextlib.contextmanager
def naming(path):
    """Puts the path before the message of a `UserError`."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
