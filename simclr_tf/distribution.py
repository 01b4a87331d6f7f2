"""The one place that picks a `tf.distribute` strategy."""

import functools

import tensorflow as tf


@functools.cache
def strategy():
    """Mirrored over the visible GPUs where there are several, else no distribution."""
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def device_kind():
    """The kind of device that the replicas run on: "GPU" or "CPU"."""
    return "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
