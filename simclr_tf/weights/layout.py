"""Our names of variables, in which the weights of all origins are told.

Of the encoder `encoder/stem_0/kernel`, and in `encoder/group1_block0/` what is made of
`shortcut/projection`, `first`, `middle` (or `middle/branches`, `/squeeze`, `/mixture`),
`last`, `gate/squeeze` and `gate/gate`: `kernel`, and `gamma`, `beta`, `moving_mean` and
`moving_variance`, or `bias`. Of the heads `projection_head/0/kernel`, ...;
`linear_head/kernel` and `/bias`.
"""

import numpy as np
from tensorflow import keras

from simclr_tf.errors import UserError
from simclr_tf.weights import report
from tf_models.layers import ConvolutionNorm

NORM = ("gamma", "beta", "moving_mean", "moving_variance")
# The attributes of blocks that have variables, in the order in which they are made.
_PARTS = "shortcut projection first middle branches squeeze mixture last gate".split()


def variables(encoder, projection_head=None, linear_head=None):
    """Every variable of networks by its name.

    Args:
        encoder: `tf_models.ResNet`.
        projection_head: `tf_models.ProjectionHead`, built, or None.
        linear_head: `tf_models.LinearHead`, built, or None.

    Returns:
        Dict from names to variables.
    """
    found = {}
    for layer in encoder._stem() + sum(encoder._groups(), []):
        found |= _of_layer(layer, f"encoder/{layer.name}")
    if projection_head is not None:
        found |= _of_projection_head(projection_head)
    if linear_head is not None:
        found |= _of(linear_head, "linear_head", ("kernel", "bias"))
    return found


def fill(found, encoder, projection_head=None, linear_head=None):
    """Gives networks the arrays that were found, all of them or none.

    Args:
        found: `Found`.
        encoder: See `variables`, as the heads.
        projection_head: Or None.
        linear_head: Or None.

    Raises:
        UserError: If an array has no place, a variable gets none, or one of another
            shape; with the lists.
    """
    places = variables(encoder, projection_head, linear_head)
    wrong = [
        f"{name}: {list(found.arrays[name].shape)} for {list(place.shape)}"
        for name, place in places.items()
        if name in found.arrays and found.arrays[name].shape != tuple(place.shape)
    ]
    lists = {
        "left over": sorted(found.arrays.keys() - places.keys()) + found.unmatched,
        "missing": [name for name in places if name not in found.arrays],
        "of another shape": wrong,
    }
    if any(lists.values()):
        raise UserError(
            f"no network of ours: of the {len(places)} variables of "
            f"ResNet-{encoder.depth}, "
            + ", ".join(f"{len(names)} are {kind}" for kind, names in lists.items())
            + "."
            + report.listed(lists)
        )
    for name, place in places.items():
        place.assign(found.arrays[name])


def require_finite(found):
    """Refuses weights that compute nothing.

    Raises:
        UserError: With the name of the first that is not finite, or of a variance that
            is negative.
    """
    for name, array in found.arrays.items():
        if not np.isfinite(array).all():
            raise UserError(
                f"{name} has values that are not finite: the training that wrote it "
                "diverged, or it is damaged."
            )
        if name.endswith("moving_variance") and (array < 0).any():
            raise UserError(f"{name} is negative somewhere: it is damaged.")


def _of_layer(layer, path):
    if isinstance(layer, ConvolutionNorm):
        kernel = _of(layer.convolution.convolution, path, ("kernel",))
        return kernel | _of(layer.norm, path, NORM)
    if isinstance(layer, keras.layers.Conv2D):
        return _of(layer, path, ("kernel", "bias"))
    found = {}
    for part in _PARTS:
        child = getattr(layer, part, None)
        if child is not None:
            found |= _of_layer(child, f"{path}/{part}")
    return found


def _of_projection_head(head):
    found = {}
    for layer in head._flatten_layers(include_self=False):
        kind, number = layer.name.rsplit("_", 1)
        names = ("kernel",) if kind == "dense" else NORM
        found |= _of(layer, f"projection_head/{number}", names)
    return found


def _of(layer, path, names):
    values = {f"{path}/{name}": getattr(layer, name, None) for name in names}
    return {name: value for name, value in values.items() if value is not None}
