"""Loggers of a run's figures: TensorBoard, a file, Weights & Biases, MLflow."""

from simclr_tf.loggers.base import Run
from simclr_tf.loggers.fan_out import Loggers, require

__all__ = ["Loggers", "Run", "require"]
