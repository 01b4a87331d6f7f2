"""Makes `tests/export/torchvision_features.npz`: what torchvision's ResNets compute.

Run it where torch and torchvision are installed, in the root of the repository:

    python -m scripts.make_torchvision_features

The two networks are torchvision's own but for what `docs/weights.md` says of those of
SimCLR. The file holds, of each, features and logits, and the names of its tensors.
"""

import numpy as np
import torch
from torch import nn
from torchvision.models import resnet

from tests.export import torchvision_weights as weights


def basic():
    """A small ResNet of basic blocks, the first of which projects."""
    model = resnet.ResNet(resnet.BasicBlock, weights.BASIC)
    model.layer1[0].downsample = nn.Sequential(
        nn.Conv2d(64, 64, 1, bias=False), nn.BatchNorm2d(64)
    )
    return model


def bottleneck():
    """A small ResNet of bottlenecks."""
    return resnet.ResNet(resnet.Bottleneck, weights.BOTTLENECK)


def arrays(kind, model):
    """What the tests compare with, by name."""
    model.maxpool = nn.MaxPool2d(3, 2, ceil_mode=True)
    model.fc = nn.Linear(model.fc.in_features, weights.NUM_CLASSES)
    named = {
        name: torch.from_numpy(weights.values(name, tuple(tensor.shape)))
        for name, tensor in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    model.load_state_dict(named)  # strictly: every name, and no other
    model.eval()
    images = torch.from_numpy(weights.images().transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        logits = model(images)
        model.fc = nn.Identity()
        features = model(images)
    return {
        f"{kind}_names": np.array(sorted(named)),
        f"{kind}_features": features.numpy(),
        f"{kind}_logits": logits.numpy(),
    }


def main():
    """Writes the file."""
    np.savez_compressed(
        "tests/export/torchvision_features.npz",
        **arrays("basic", basic()),
        **arrays("bottleneck", bottleneck()),
    )


if __name__ == "__main__":
    main()
