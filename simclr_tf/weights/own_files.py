"""What a `.safetensors` file that we wrote says of its network."""

import json

import tf_models
from simclr_tf.errors import UserError

_KEY = "tf_models.ResNet"  # the metadata's, see `simclr_tf.export.safetensors`
_NOT_IN_SHAPES = ("variant", "stem", "normalization", "sk_ratio")


def settings(metadata):
    """What shapes do not say, as arguments of `tf_models.ResNet`.

    Args:
        metadata: Dict from str to str.

    Returns:
        Dict, or None where the file is not of ours.

    Raises:
        UserError: If it says what no network of ours takes.
    """
    if _KEY not in metadata:
        return None
    try:
        config = json.loads(metadata[_KEY])
        found = {name: config[name] for name in _NOT_IN_SHAPES}
        tf_models.ResNet(18, width_multiplier=1 / 64, **found)  # whether it takes them
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"damaged: its metadata {_KEY} is of no network of ours ({error})."
        ) from error
    return found
