"""A `tf_models.ResNet` under the names and in the layouts of torchvision's ResNet.

Its kernels are OIHW. `conv1`, `bn1`, `layer1.0.conv1`, `layer1.0.downsample.0` and `fc`
are torchvision's names. Layers that torchvision does not have get similar names:

- selective kernels: `conv2` and `bn2` have the channels of both branches, one after
  the other; `sk.conv1`, `sk.bn1`, `sk.conv2` give their mixture;
- squeeze-and-excitation: `se.fc1`, `se.fc2`, with bias, as in timm;
- the three convolutions of the stem of ResNet-D: `conv1.0`, `conv1.1` (its batch
  norm), `conv1.3`, `conv1.4`, `conv1.6`, as in timm, before `bn1`.
"""

import numpy as np

# By rank, the axes of Keras in torch's order: HWIO to OIHW, [C, K] to [K, C].
_AXES = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}


def tensors(encoder, linear_head=None):
    """The weights, by name.

    Args:
        encoder: `tf_models.ResNet`.
        linear_head: `tf_models.LinearHead` on the encoder's features, or None.

    Returns:
        Dict from str to contiguous NumPy float32.
    """
    return {
        name: _as_torch(np.asarray(variable, np.float32))
        for name, variable in variables(encoder, linear_head).items()
    }


def variables(encoder, linear_head=None):
    """The same as Keras variables, in Keras' layouts: HWIO, and `[C, K]` for `fc`."""
    named = {}
    *before, last = encoder._stem()
    for number, layer in enumerate(before):
        named |= _pair(layer, f"conv1.{3 * number}", f"conv1.{3 * number + 1}")
    named |= _pair(last, f"conv1.{3 * len(before)}" if before else "conv1", "bn1")
    for group, blocks in enumerate(encoder._groups(), start=1):
        for number, block in enumerate(blocks):
            for name, variable in _block(block).items():
                named[f"layer{group}.{number}.{name}"] = variable
    if linear_head is not None:
        named |= {"fc.weight": linear_head.kernel, "fc.bias": linear_head.bias}
    return named


def differences(encoder):
    """Differences from torchvision's ResNet of the same depth: a list of str."""
    first = encoder._groups()[0][0]
    basic = first.first is None
    small = encoder.stem != "imagenet"
    like_torch = encoder.variant == "torchvision"
    found = {
        f"conv1 and what follows are those of the stem {encoder.stem}": small,
        "max pooling pads like TensorFlow's SAME, only below and to the right if "
        "height and width are even: MaxPool2d(3, 2, ceil_mode=True)": not (
            small or like_torch
        ),
        "layer1.0 has a downsample": basic and first.shortcut is not None,
        f"{encoder.width_multiplier:g} times the channels": (
            encoder.width_multiplier != 1
        ),
        "conv1 is three convolutions": not small and encoder.sk_ratio > 0,
        "average pooling before downsample.0 has its stride": encoder.sk_ratio > 0,
        "conv2 of layers with sk is two branches": encoder.sk_ratio > 0 and not basic,
        "the output of the last bn of a block is gated by se": encoder.se_ratio > 0,
    }
    return [line for line, holds in found.items() if holds]


def assign(encoder, named):
    """Fills an encoder with the result of `tensors`.

    Args:
        encoder: `tf_models.ResNet`.
        named: Dict from name to NumPy array; those of the head are ignored.
    """
    for name, variable in variables(encoder).items():
        values = named[name]
        variable.assign(values.transpose(np.argsort(_AXES[values.ndim])))


def _block(block):
    """The variables of a residual block, by name within it."""
    named = {}
    for number, layer in enumerate(block._main(), start=1):
        convolution, norm = f"conv{number}", f"bn{number}"
        if hasattr(layer, "branches"):
            named |= _pair(layer.branches, convolution, norm)
            named |= _pair(layer.squeeze, "sk.conv1", "sk.bn1")
            named |= _weights(layer.mixture, "sk.conv2")
        else:
            named |= _pair(layer, convolution, norm)
    if block.gate is not None:
        named |= _weights(block.gate.squeeze, "se.fc1")
        named |= _weights(block.gate.gate, "se.fc2")
    if block.shortcut is not None:
        named |= _pair(block.shortcut.projection, "downsample.0", "downsample.1")
    return named


def _pair(layer, convolution, norm):
    """A `ConvolutionNorm`."""
    return {
        **_weights(layer.convolution.convolution, convolution),
        f"{norm}.weight": layer.norm.gamma,
        f"{norm}.bias": layer.norm.beta,
        f"{norm}.running_mean": layer.norm.moving_mean,
        f"{norm}.running_var": layer.norm.moving_variance,
    }


def _weights(layer, name):
    """A Keras convolution or dense layer."""
    named = {f"{name}.weight": layer.kernel}
    return named | ({f"{name}.bias": layer.bias} if layer.use_bias else {})


def _as_torch(values):
    return np.ascontiguousarray(values.transpose(_AXES[values.ndim]))
