"""Keras models whose `fit` trains them, and callbacks for it."""

from simclr_tf.training.temperature import LearnedTemperature, TemperatureWarmup

__all__ = ["LearnedTemperature", "TemperatureWarmup"]
