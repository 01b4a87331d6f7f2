"""Inference with batch norm folded into convolutions with constant kernels."""

import contextlib
import threading

import numpy as np

_state = threading.local()


def kernels_of(network):
    """Current kernel and bias of every layer of a network that can `fold`."""
    layers = network._flatten_layers()
    return {layer: layer.fold() for layer in layers if hasattr(layer, "fold")}


@contextlib.contextmanager
def constant(kernels):
    """Context in which functions are traced with these kernels as constants.

    TensorFlow then arranges them for the processor only once, and fuses the bias and
    the ReLU into the convolution.

    Args:
        kernels: The result of `kernels_of`.
    """
    _state.kernels = kernels
    try:
        yield
    finally:
        _state.kernels = {}


def of(layer):
    """The constant kernel and bias of a layer; None if it should use its own."""
    return getattr(_state, "kernels", {}).get(layer)


def fold(kernel, norm):
    """Folds the batch norm after a convolution into its kernel and bias.

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
