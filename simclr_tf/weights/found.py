"""What was found in a source of weights, under our names."""

import collections.abc
import dataclasses

import numpy as np

from simclr_tf.weights import comparison


@dataclasses.dataclass
class Found:
    """Arrays under our names, and what their shapes do not tell about the network.

    Attributes:
        origin: Str, where the weights are from, for the report.
        arrays: Dict from our names (see `layout`) to float arrays in our layout.
        left_over: List of str, the source's names of arrays that none of our networks
            has.
        unmatched: List of str, the source's names of arrays that belong to the encoder
            but have no place in ours.
        variant: Str, the `variant` of `tf_models.ResNet`.
        small_stem: Str, the `stem` to choose for a first kernel of 3x3.
        normalization: Str, the `normalization` of `tf_models.ResNet`.
        sk_ratio: Float, the `sk_ratio`; None to infer it from the shapes.
        assumed: List of str, for the report: what neither names nor shapes tell.
        changed: List of str, for the report: what computes the same in another way.
        step: Int, the training step, or 0.
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
