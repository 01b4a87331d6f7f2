"""Inference with batch norm folded into convolutions, and their kernels constant."""

import contextlib
import threading

import numpy as np

_state = threading.local()


def kernels_of(network):
    """Kernel and bias, as of now, of every layer in a network that can `fold`."""
    layers = network._flatten_layers()
    return {layer: layer.fold() for layer in layers if hasattr(layer, "fold")}


@contextlib.contextmanager
def constant(kernels):
    """What is traced in here has such kernels as constants.

    TensorFlow then lays them out for the processor once, and adds and clips where it
    convolves.

    Args:
        kernels: What `kernels_of` gave.
    """
    _state.kernels = kernels
    try:
        yield
    finally:
        _state.kernels = {}


def of(layer):
    """The constant kernel and bias of a layer; None where it is to read its own."""
    return getattr(_state, "kernels", {}).get(layer)


def fold(kernel, norm):
    """A convolution's kernel and bias that have the batch norm behind it within them.

    Args:
        kernel: Variable `[k, k, c, C]`.
        norm: `BatchNormalization` of `C` channels.

    Returns:
        NumPy float32 `[k, k, c, C]` and `[C]`.
    """
    gamma = 1.0 if norm.gamma is None else np.asarray(norm.gamma)
    beta = 0.0 if norm.beta is None else np.asarray(norm.beta)
    mean, variance = np.asarray(norm.moving_mean), np.asarray(norm.moving_variance)
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return np.asarray(kernel) * scale, beta - mean * scale
