"""What was found in the weights of others, by our names."""

import collections.abc
import dataclasses

import numpy as np

from simclr_tf.weights import comparison


@dataclasses.dataclass
class Found:
    """Arrays by our names, and what the shapes do not say of the network.

    Attributes:
        origin: Str, whose weights they are, for the report.
        arrays: Dict from our names (see `layout`) to float arrays in our layout.
        left_over: List of str, their names of what belongs to no network of ours.
        unmatched: List of str, their names of what belongs to the encoder, and has no
            place in ours.
        variant: Str, the `variant` of `tf_models.ResNet`.
        small_stem: Str, the `stem` that a first kernel of 3x3 means.
        normalization: Str, the `normalization` of `tf_models.ResNet`.
        sk_ratio: Float, the `sk_ratio`; None where the shapes are to say it.
        assumed: List of str, for the report, what neither names nor shapes tell.
        changed: List of str, for the report, what computes the same in another way.
        step: Int, of the training, or 0.
        run: Callable that computes features as the source does, see
            `comparison.compare`.
    """

    origin: str
    arrays: dict[str, np.ndarray]
    left_over: list[str] = dataclasses.field(default_factory=list)
    unmatched: list[str] = dataclasses.field(default_factory=list)
    variant: str = "simclr"
    small_stem: str = "cifar"
    normalization: str = "none"
    sk_ratio: float | None = None
    assumed: list[str] = dataclasses.field(default_factory=list)
    changed: list[str] = dataclasses.field(default_factory=list)
    step: int = 0
    run: collections.abc.Callable = comparison.of_checkpoint
