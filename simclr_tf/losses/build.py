"""The losses by name."""

import inspect

from simclr_tf.losses.dcl import DCL, DCLW
from simclr_tf.losses.debiased import Debiased
from simclr_tf.losses.false_negatives import FalseNegatives
from simclr_tf.losses.generalized import GeneralizedContrastive
from simclr_tf.losses.hard_negatives import HardNegatives
from simclr_tf.losses.margin_triplet import MarginTriplet
from simclr_tf.losses.nt_logistic import NTLogistic
from simclr_tf.losses.nt_xent import NTXent
from simclr_tf.losses.supcon import SupCon

LOSSES = {
    "nt_xent": NTXent,
    "nt_logistic": NTLogistic,
    "margin_triplet": MarginTriplet,
    "supcon": SupCon,
    "dcl": DCL,
    "dclw": DCLW,
    "debiased": Debiased,
    "hard_negatives": HardNegatives,
    "false_negatives": FalseNegatives,
    "generalized": GeneralizedContrastive,
}


def build(name, **arguments):
    """The contrastive loss of a name.

    Args:
        name: Str, a key of `LOSSES`.
        **arguments: Those of the loss.

    Returns:
        `ContrastiveLoss`.

    Raises:
        ValueError: If there is no such loss, or it has no such argument.

    Example:
        >>> build("dcl", temperature=0.2).temperature
        0.2
    """
    if name not in LOSSES:
        raise ValueError(f"`name` must be one of {', '.join(LOSSES)}, got {name}.")
    known = inspect.signature(LOSSES[name]).parameters
    for argument in arguments:
        if argument not in known:
            raise ValueError(
                f"`{argument}` must not be given for {name}: it has "
                f"{', '.join(LOSSES[name]._arguments)}."
            )
    return LOSSES[name](**arguments)
