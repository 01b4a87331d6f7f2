"""The weights of others in networks of ours."""

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
    """Weights that were read, and the networks that they are of.

    Attributes:
        found: `Found`.
        architecture: `Architecture`.
    """

    found: Found
    architecture: architecture.Architecture


class Imported(typing.NamedTuple):
    """Networks with the weights of others.

    Attributes:
        encoder: `tf_models.ResNet`, from images in [0, 1] to features.
        projection_head: `tf_models.ProjectionHead`, of the mode "none" where there was
            none.
        linear_head: `tf_models.LinearHead`, or None.
        step: Int, how long they were trained; 0 where that is not known.
    """

    encoder: keras.Model
    projection_head: tf_models.ProjectionHead
    linear_head: tf_models.LinearHead | None
    step: int


def import_checkpoint(path, stem="auto", normalization="auto"):
    """Reads a published SimCLR model or a ResNet of PyTorch.

    What it is (depth, width, selective kernels, heads, classes) shows in the shapes.
    `--mode=import` makes a run of it.

    Args:
        path: Str: a checkpoint (its prefix or folder) or SavedModel of the published
            SimCLR code for TensorFlow 1 or 2; or a file with a ResNet of PyTorch as
            torchvision, lightly or solo-learn save it, `.safetensors`, or `.pth` or
            `.ckpt`, whose pickle is not run.
        stem: Str, the `stem` of `tf_models.ResNet`. "auto" takes "imagenet", or for a
            first kernel of 3x3 "cifar", of solo-learn "cifar_padded", of lightly's own
            ResNet in a Sequential "cifar_no_relu".
        normalization: Str, its `normalization`. "auto" takes "imagenet" for PyTorch,
            else "none".

    Returns:
        `Imported`.

    Raises:
        UserError: If nothing known is there, it is damaged, or anything of the encoder
            is missing or left over; with the names.
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
    """`Weights` at a path; arguments and errors are those of `import_checkpoint`."""
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
    """Puts the path before what is wrong with it."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
