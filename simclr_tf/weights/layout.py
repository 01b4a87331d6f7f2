"""Our names of variables, which the weights of every origin are translated to.

- Stem: `encoder/stem_0/kernel`, ...
- Blocks: `encoder/group1_block0/<part>/<kind>`, where the part is
  `shortcut/projection`, `first`, `middle` (or `middle/branches`, `middle/squeeze` and
  `middle/mixture`), `last`, `gate/squeeze` or `gate/gate`. Its kinds are `kernel`, and
  `gamma`, `beta`, `moving_mean` and `moving_variance`, or `bias`.
- Heads: `projection_head/0/kernel`, ...; `linear_head/kernel` and `linear_head/bias`.
"""

import numpy as np
from tensorflow import keras

from simclr_tf.errors import UserError
from simclr_tf.weights import report
from tf_models.layers import ConvolutionNorm

NORM = ("gamma", "beta", "moving_mean", "moving_variance")
# The attributes of blocks that have variables, in the order of their creation.
_PARTS = "shortcut projection first middle branches squeeze mixture last gate".split()


def variables(encoder, projection_head=None, linear_head=None):
    """Every variable of the networks, by name.

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
    """Assigns the arrays that were found to the networks, all of them or none.

    Args:
        found: `Found`.
        encoder: `tf_models.ResNet`.
        projection_head: `tf_models.ProjectionHead`, built, or None.
        linear_head: `tf_models.LinearHead`, built, or None.

    Raises:
        UserError: If an array belongs to no variable, or a variable gets no array or
            one of another shape. Their names are listed.
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
            f"not a network of this program: of the {len(places)} variables of "
            f"ResNet-{encoder.depth}, "
            + ", ".join(f"{len(names)} are {kind}" for kind, names in lists.items())
            + "."
            + report.listed(lists)
        )
    for name, place in places.items():
        place.assign(found.arrays[name])


def require_finite(found):
    """Refuses weights that a network cannot compute with.

    Raises:
        UserError: If an array has values that are not finite, or a variance is
            negative. The first such array is named.
    """
    for name, array in found.arrays.items():
        if not np.isfinite(array).all():
            raise UserError(
                f"{name} has values that are not finite: the training that wrote it "
                "diverged, or the file is damaged."
            )
        if name.endswith("moving_variance") and (array < 0).any():
            raise UserError(f"{name} has negative values: the file is damaged.")


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
