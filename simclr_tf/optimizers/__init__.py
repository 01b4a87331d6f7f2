"""LARS, learning-rate schedules, and optimizers by name."""

from simclr_tf.optimizers.build import build_optimizer, decays_weights
from simclr_tf.optimizers.lars import (
    LARS,
    is_bias_norm_or_linear_head,
    is_linear_head,
    trust_ratio,
)
from simclr_tf.optimizers.schedules import (
    WarmupCosine,
    scaled_learning_rate,
    training_steps,
    warmup_steps,
)

__all__ = [
    "LARS",
    "WarmupCosine",
    "build_optimizer",
    "decays_weights",
    "is_bias_norm_or_linear_head",
    "is_linear_head",
    "scaled_learning_rate",
    "training_steps",
    "trust_ratio",
    "warmup_steps",
]
