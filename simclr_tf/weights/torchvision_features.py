"""What torchvision computes with weights: `python torchvision_features.py FOLDER`.

A program of its own, which imports neither TensorFlow nor our code: some releases of
PyTorch and TensorFlow end in a segmentation fault where one process has both. It reads
`weights.npz`, by torchvision's names, `images.npy`, normalised `[B, 3, H, W]`, and
`about.json`, the depth and the stem; it writes `features.npy`.
"""

import json
import os
import sys

import numpy as np


def main(folder):
    """Writes the features of the images in a folder."""
    import torch
    import torchvision

    with open(os.path.join(folder, "about.json"), encoding="utf-8") as file:
        about = json.load(file)
    network = getattr(torchvision.models, f"resnet{about['depth']}")()
    if about["stem"] != "imagenet":
        padding = 2 if about["stem"] == "cifar_padded" else 1
        network.conv1 = torch.nn.Conv2d(3, 64, 3, padding=padding, bias=False)
    if about["stem"] not in ("imagenet", "cifar_pool"):
        network.maxpool = torch.nn.Identity()
    if about["stem"] == "cifar_no_relu":
        network.relu = torch.nn.Identity()
    network.fc = torch.nn.Identity()
    with np.load(os.path.join(folder, "weights.npz"), allow_pickle=False) as weights:
        state = {name: torch.from_numpy(weights[name]) for name in weights}
    missing, others = network.load_state_dict(state, strict=False)
    if others or any(not name.endswith("num_batches_tracked") for name in missing):
        sys.exit(f"another network: {others} are left over, {missing} missing")
    images = np.load(os.path.join(folder, "images.npy"), allow_pickle=False)
    images = torch.from_numpy(images)
    with torch.no_grad():
        features = network.eval()(images)
    np.save(os.path.join(folder, "features.npy"), features.numpy())


if __name__ == "__main__":
    main(sys.argv[1])
