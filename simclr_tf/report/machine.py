"""The machine and software of a report, and the speed of a training."""

import os
import platform

import numpy as np
import tensorflow as tf

import simclr_tf
from simclr_tf import keras_compat, processor

_PAUSE = 10  # times the usual time between two summaries; longer: it was stopped


def facts():
    """Dict of str: the software versions and the processor of this process."""
    versions = (
        f"simclr-tf {simclr_tf.__version__}, TensorFlow {tf.__version__}, "
        f"Keras {keras_compat.version()}, Python {platform.python_version()}"
    )
    return {"Report written with": versions, "Report written on": devices()}


def devices():
    """Str, the GPUs, or else the processor and its cores."""
    gpus = tf.config.list_physical_devices("GPU")
    names = [
        tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
        for gpu in gpus
    ]
    if names:
        return ", ".join(names)
    return f"{processor.name()}, {os.cpu_count()} cores"


def speed(curves, batch_size):
    """A training's time and images per second, from the times of its summaries.

    Args:
        curves: Dict of `Curve` by tag.
        batch_size: Int.

    Returns:
        Dict of str, empty if there are fewer than two summaries. Pauses between two
        parts of a training do not count.
    """
    curve = curves.get("train/total_loss")
    if curve is None or len(curve.steps) < 2:
        return {}
    steps, seconds = np.diff(curve.steps), np.diff(curve.times)
    usual = np.median(seconds / steps)
    if not usual > 0:
        return {}
    paused = (seconds < 0) | (seconds > _PAUSE * usual * steps)
    seconds = np.where(paused, usual * steps, seconds)
    total = seconds.sum() + usual * curve.steps[0]
    return {
        "Training time": _duration(total),
        "Speed": f"{batch_size / usual:,.0f} images/s",
    }


def _duration(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
