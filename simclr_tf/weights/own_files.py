"""What the metadata of a `.safetensors` file that we wrote says about its network."""

import dataclasses
import json

import tf_models
from simclr_tf.errors import UserError
from simclr_tf.weights import comparison

_KEY = "tf_models.ResNet"  # the metadata's, see `simclr_tf.export.safetensors`
_NOT_IN_SHAPES = ("variant", "stem", "normalization", "sk_ratio")


def describe(found, metadata, path):
    """Adds what the metadata tells and the shapes do not.

    Args:
        found: `Found`, from the tensors of the file.
        metadata: Dict from str to str.
        path: Str, the file.

    Returns:
        `Found`: a completed copy, or `found` itself if we did not write the file.

    Raises:
        UserError: If the metadata has values that `tf_models.ResNet` does not accept.
    """
    if _KEY not in metadata:
        return found
    try:
        config = json.loads(metadata[_KEY])
        told = {name: config[name] for name in _NOT_IN_SHAPES}
        tf_models.ResNet(18, width_multiplier=1 / 64, **told)  # whether it takes them
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"damaged: its metadata {_KEY} does not describe a network ({error})."
        ) from error
    told["small_stem"] = told.pop("stem")
    run = comparison.of_own_file(path)
    return dataclasses.replace(found, origin="simclr-tf", assumed=[], run=run, **told)
