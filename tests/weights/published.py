"""Files as the published SimCLR code writes them, and what its networks compute.

Names and shapes in `published_names.json` are those that the code itself wrote; here
they get random values. `features` reads the code's recipe literally, one convolution
after the other, and knows none of our layers.
"""

import json
import os
import re

import numpy as np
import tensorflow as tf

NAMES = os.path.join(os.path.dirname(__file__), "published_names.json")
SHRINK = 16  # filters are divided by it
IMAGES = np.random.RandomState(1).uniform(size=[2, 40, 40, 3]).astype("float32")
NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def literal_names(code, network):
    """List of `(name, shape)` of a network, as the code "tf1" or "tf2" wrote it.

    "r18_224" is "r18_32" with the first kernel of large images.
    """
    with open(NAMES, encoding="utf-8") as file:
        listed = json.load(file)[code][network.replace("18_224", "18_32")]
    if network != "r18_224":
        return listed
    kernel = [3, 3, 3, 64]
    return [
        (name, [7, 7, 3, 64] if shape == kernel else shape) for name, shape in listed
    ]


def names(code, network):
    """The same with few filters."""
    listed = literal_names(code, network)
    return [(name, shrunken(name, shape)) for name, shape in listed]


def shrunken(name, shape):
    """A shape at 1/16 of the width; the inner 32 filters of SK do not go below 32."""
    in_stem = re.search(r"base_model/(conv2d|batch_normalization)(_[12])?/", name)
    if len(shape) == 4:
        small = [
            size if size == 3 or (size == 32 and shape[0] == 1) else size // SHRINK
            for size in shape[2:]
        ]
        return [*shape[:2], *small]
    if "head_supervised" in name or "supervised_head" in name:
        return [*(size // SHRINK for size in shape[:-1]), 10]
    return [size if size == 32 and not in_stem else size // SHRINK for size in shape]


def random_values(listed, seed=0):
    """Dict from names to random arrays: batch statistics are no longer 0 and 1."""
    random = np.random.RandomState(seed)
    values = {}
    for name, shape in listed:
        if "global_step" in name or "save_counter" in name:
            values[name] = np.int64(7)
        elif name.endswith(("gamma", "variance")):
            values[name] = random.uniform(0.5, 1.5, shape).astype("float32")
        else:
            fan_in = max(1, int(np.prod(shape[:-1])))
            values[name] = random.normal(size=shape).astype("float32") / fan_in**0.5
    return values


def write_tf1(prefix, values):
    """Writes a checkpoint of TensorFlow 1 under literal names."""
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=[tf.constant(value) for value in values.values()],
    )


def write_tf2(values, folder):
    """Writes a checkpoint of TensorFlow 2, of objects at literal paths."""
    root = tree(values)
    tf.train.Checkpoint(model=root.model, global_step=root.global_step).write(
        str(folder / "ckpt-7")
    )


def tree(values):
    """Objects with attributes and lists that have variables at such paths."""
    inner = {}
    for path, value in values.items():
        head, _, rest = path.partition("/")
        inner.setdefault(head, {})[rest] = value
    if inner and all(name.isdecimal() for name in inner):
        count = max(map(int, inner)) + 1
        return [tree(inner.get(str(number), {})) for number in range(count)]
    module = tf.Module()
    for name, below in inner.items():
        is_variable = "" in below
        setattr(module, name, tf.Variable(below[""]) if is_variable else tree(below))
    return module


class Network:
    """The recipe of REFERENCE: what takes the next kernel, and the next batch norm.

    Args:
        kernels: List of arrays `[k, k, c, C]`, or `(kernel, bias)`, in creation order.
        norms: List of dicts of gamma, beta, moving_mean and moving_variance.
    """

    def __init__(self, kernels, norms):
        self.kernels, self.norms = list(kernels), list(norms)

    def convolve(self, x, strides=1):
        kernel = self.kernels.pop(0)
        if strides == 1:
            return tf.nn.conv2d(x, kernel, 1, "SAME")
        pad = (kernel.shape[0] - 1) // 2
        x = tf.pad(x, [[0, 0], [pad, pad], [pad, pad], [0, 0]])
        return tf.nn.conv2d(x, kernel, strides, "VALID")

    def normalize(self, x, relu=True):
        norm = self.norms.pop(0)
        x = (x - norm["moving_mean"]) / np.sqrt(norm["moving_variance"] + 1e-5)
        x = x * norm["gamma"] + norm["beta"]
        return tf.nn.relu(x) if relu else x

    def features(self, images, bottleneck, blocks, small=False, sk=False, se=False):
        x = tf.convert_to_tensor(images)
        if small:
            x = self.normalize(self.convolve(x))
        elif sk:
            for strides in (2, 1, 1):
                x = self.normalize(self.convolve(x, strides))
        else:
            x = self.normalize(self.convolve(x, 2))
        if not small:
            x = tf.nn.max_pool2d(x, 3, 2, "SAME")
        for group, count in enumerate(blocks):
            for block in range(count):
                strides = 2 if group and not block else 1
                x = self.block(x, strides, block == 0, bottleneck, sk, se)
        assert not self.kernels and not self.norms
        return tf.reduce_mean(x, [1, 2])

    def block(self, x, strides, projects, bottleneck, sk, se):
        shortcut = x
        if projects and sk:
            if strides > 1:
                shortcut = tf.pad(x, [[0, 0], [0, 1], [0, 1], [0, 0]])
            padding = "VALID" if strides > 1 else "SAME"
            shortcut = tf.nn.avg_pool2d(shortcut, 2, strides, padding)
            shortcut = self.normalize(self.convolve(shortcut), relu=False)
        elif projects:
            shortcut = self.normalize(self.convolve(x, strides), relu=False)
        if bottleneck:
            x = self.normalize(self.convolve(x))
        if bottleneck and sk:
            first, second = tf.split(self.normalize(self.convolve(x, strides)), 2, -1)
            summary = tf.reduce_mean(first + second, [1, 2], keepdims=True)
            summary = self.normalize(self.convolve(summary))
            first_logits, second_logits = tf.split(self.convolve(summary), 2, -1)
            share = tf.sigmoid(first_logits - second_logits)
            x = first * share + second * (1 - share)
        else:
            x = self.normalize(self.convolve(x, strides))
        x = self.normalize(self.convolve(x), relu=False)
        if se:
            summary = tf.reduce_mean(x, [1, 2], keepdims=True)
            (squeeze, bias), (gate, gate_bias) = self.kernels[:2]
            del self.kernels[:2]
            summary = tf.nn.relu(tf.nn.conv2d(summary, squeeze, 1, "SAME") + bias)
            x = x * tf.sigmoid(tf.nn.conv2d(summary, gate, 1, "SAME") + gate_bias)
        return tf.nn.relu(x + shortcut)


def assert_same(features, expected):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(features, expected, atol=1e-4 * scale)
    assert np.std(expected) > 0.01 * scale  # they do tell images apart
