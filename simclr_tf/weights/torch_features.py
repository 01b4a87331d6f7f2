"""Computes features in PyTorch from a `.safetensors` file of ours, without our code.

`python torch_features.py FOLDER FILE`: see `torch_process` for what is in the folder.
Layers are named as in `simclr_tf.export.torchvision_names`.
"""

import json
import os
import sys

import numpy as np
import safetensors
import torch
from torch.nn import functional


class Network:
    """A ResNet as functions of its tensors.

    Args:
        weights: Dict from names to tensors.
        config: Dict, the arguments of `tf_models.ResNet`.
    """

    def __init__(self, weights, config):
        self._weights, self._config = weights, config

    def features(self, images):
        """`[B, C]` of normalised images `[B, 3, H, W]`."""
        hidden = self._max_pool(self._stem(images))
        for group in range(1, 5):
            number = 0
            while f"layer{group}.{number}.conv1.weight" in self._weights:
                strides = 2 if group > 1 and number == 0 else 1
                hidden = self._block(hidden, f"layer{group}.{number}.", strides)
                number += 1
        return hidden.mean((2, 3))

    def _stem(self, images):
        if self._config["stem"] == "cifar_padded":
            images = functional.pad(images, (1, 1, 1, 1))
        strides = 2 if self._config["stem"] == "imagenet" else 1
        if "conv1.0.weight" in self._weights:
            images = self._normed(images, "conv1.0", "conv1.1", strides).relu()
            images = self._normed(images, "conv1.3", "conv1.4").relu()
            return self._normed(images, "conv1.6", "bn1").relu()
        images = self._normed(images, "conv1", "bn1", strides)
        return images if self._config["stem"] == "cifar_no_relu" else images.relu()

    def _max_pool(self, images):
        if self._config["stem"] not in ("imagenet", "cifar_pool"):
            return images
        if self._config["variant"] == "torchvision":
            return functional.max_pool2d(images, 3, 2, 1)
        # Like TensorFlow's SAME. Zeros can pad, as nothing is negative after a ReLU.
        height, width = (1 - size % 2 for size in images.shape[2:])
        padding = (1 - width, 1, 1 - height, 1)
        return functional.max_pool2d(functional.pad(images, padding), 3, 2)

    def _block(self, images, name, strides):
        is_bottleneck = f"{name}conv3.weight" in self._weights
        if is_bottleneck:
            hidden = self._normed(images, f"{name}conv1", f"{name}bn1").relu()
            hidden = self._normed(hidden, f"{name}conv2", f"{name}bn2", strides).relu()
            if f"{name}sk.conv1.weight" in self._weights:
                hidden = self._mix(hidden, name)
            hidden = self._normed(hidden, f"{name}conv3", f"{name}bn3")
        else:
            hidden = self._normed(images, f"{name}conv1", f"{name}bn1", strides).relu()
            hidden = self._normed(hidden, f"{name}conv2", f"{name}bn2")
        if f"{name}se.fc1.weight" in self._weights:
            summary = hidden.mean((2, 3), keepdim=True)
            summary = self._convolve(summary, f"{name}se.fc1").relu()
            hidden = hidden * self._convolve(summary, f"{name}se.fc2").sigmoid()
        if f"{name}downsample.0.weight" in self._weights:
            images = self._shortcut(images, f"{name}downsample.", strides)
        return (images + hidden).relu()

    def _mix(self, both, name):
        branches = torch.stack(both.chunk(2, 1))
        summary = branches.sum(0).mean((2, 3), keepdim=True)
        summary = self._normed(summary, f"{name}sk.conv1", f"{name}sk.bn1").relu()
        logits = self._convolve(summary, f"{name}sk.conv2").chunk(2, 1)
        return (branches * torch.stack(logits).softmax(0)).sum(0)

    def _shortcut(self, images, name, strides):
        if self._config["sk_ratio"] > 0:
            # With a stride, zeros beyond the edge count; without one, they do not.
            mode = "constant" if strides > 1 else "replicate"
            images = functional.pad(images, (0, 1, 0, 1), mode)
            images, strides = functional.avg_pool2d(images, 2, strides), 1
        return self._normed(images, f"{name}0", f"{name}1", strides)

    def _normed(self, images, convolution, norm, strides=1):
        kinds = ("running_mean", "running_var", "weight", "bias")
        values = [self._weights[f"{norm}.{kind}"] for kind in kinds]
        images = self._convolve(images, convolution, strides)
        return functional.batch_norm(images, *values, eps=1e-5)

    def _convolve(self, images, name, strides=1):
        kernel, bias = (
            self._weights[f"{name}.weight"],
            self._weights.get(f"{name}.bias"),
        )
        return functional.conv2d(images, kernel, bias, strides, kernel.shape[-1] // 2)


def main(folder, file):
    """Writes the features of the images in a folder."""
    with safetensors.safe_open(file, "pt") as opened:
        weights = {name: opened.get_tensor(name) for name in opened.keys()}
        config = json.loads(opened.metadata()["tf_models.ResNet"])
    images = np.load(os.path.join(folder, "images.npy"), allow_pickle=False)
    with torch.no_grad():
        features = Network(weights, config).features(torch.from_numpy(images))
    np.save(os.path.join(folder, "features.npy"), features.numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
