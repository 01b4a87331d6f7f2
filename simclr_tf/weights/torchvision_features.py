"""Computes features in torchvision from weights under its names.

`python torchvision_features.py FOLDER DEPTH STEM`: see `torch_process` for what is in
the folder; the stem is that of `tf_models.ResNet`.
"""

import os
import sys

import numpy as np
import torch
import torchvision


def main(folder, depth, stem):
    """Writes the features of the images in a folder."""
    network = torchvision.models.get_model(f"resnet{depth}")
    if stem != "imagenet":
        padding = 2 if stem == "cifar_padded" else 1
        network.conv1 = torch.nn.Conv2d(3, 64, 3, padding=padding, bias=False)
    if stem not in ("imagenet", "cifar_pool"):
        network.maxpool = torch.nn.Identity()
    if stem == "cifar_no_relu":
        network.relu = torch.nn.Identity()
    network.fc = torch.nn.Identity()
    with np.load(os.path.join(folder, "weights.npz"), allow_pickle=False) as weights:
        state = {name: torch.from_numpy(weights[name]) for name in weights}
    missing, others = network.load_state_dict(state, strict=False)
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if others or missing:
        sys.exit(f"{len(others)} tensors are left over, {len(missing)} are missing")
    images = np.load(os.path.join(folder, "images.npy"), allow_pickle=False)
    images = torch.from_numpy(images)
    with torch.no_grad():
        features = network.eval()(images)
    np.save(os.path.join(folder, "features.npy"), features.numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
