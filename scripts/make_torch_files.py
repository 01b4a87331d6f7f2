"""Makes files of weights as PyTorch's users have them, for `check_round_trips`.

Needs torch, torchvision and lightly: `python -m scripts.make_torch_files FOLDER`. Of
each network, before a training of three steps and after it, there are then
`<network>, <weights>.ckpt`, and `.npz` with `images` `[B, H, W, 3]` in [0, 1], their
`features` and, of lightly's head, `projections`.
"""

import os
import sys

import numpy as np
import torch
from lightly.loss import NTXentLoss
from lightly.models.modules.heads import SimCLRProjectionHead
from torch import nn
from torchvision.models import resnet

from scripts.make_torch_reference import Network

MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
DEVIATION = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
NAMES = "conv1 bn1 relu maxpool layer1 layer2 layer3 layer4".split()


def without_fc(network):
    """A network of torchvision that ends with its features."""
    network.fc = nn.Identity()
    return network


def as_lightly(encoder, head):
    """The names of a module that keeps the children of a ResNet in a Sequential."""
    numbered = nn.Sequential(*(getattr(encoder, name) for name in NAMES))
    named = {f"backbone.{name}": t for name, t in numbered.state_dict().items()}
    head = {f"projection_head.{name}": t for name, t in head.state_dict().items()}
    return {"state_dict": named | head, "global_step": 3}


def as_solo_learn(encoder, head):
    """The names of a module that has the ResNet as its `backbone`."""
    named = {f"backbone.{name}": t for name, t in encoder.state_dict().items()}
    projector = {f"projector.{n[7:]}": t for n, t in head.state_dict().items()}
    return {"state_dict": named | projector}


def as_torchvision(encoder, head):
    """The names of the ResNet alone."""
    return encoder.state_dict()


CIFAR = {"kernel_size": 3, "pools": False}
NETWORKS = {  # name: encoder, width of its features, names, image size
    "ResNet-18": (lambda: without_fc(resnet.resnet18()), 512, as_torchvision, 64),
    "ResNet-50": (lambda: without_fc(resnet.resnet50()), 2048, as_lightly, 64),
    "ResNet-50 x 2": (
        lambda: Network(resnet.Bottleneck, (3, 4, 6, 3), 128),
        4096,
        as_solo_learn,
        64,
    ),
    "ResNet-18 cifar": (
        lambda: Network(resnet.BasicBlock, (2, 2, 2, 2), 64, padding=1, **CIFAR),
        512,
        as_torchvision,
        32,
    ),
    "ResNet-18 cifar_padded": (
        lambda: Network(resnet.BasicBlock, (2, 2, 2, 2), 64, padding=2, **CIFAR),
        512,
        as_solo_learn,
        32,
    ),
}


def train(encoder, head, size):
    """Three steps of SimCLR on noise."""
    networks = nn.ModuleList([encoder, head]).train()
    optimizer = torch.optim.SGD(networks.parameters(), 0.1)
    for _ in range(3):
        images = (torch.rand(2, 8, 3, size, size) - MEAN) / DEVIATION
        loss = NTXentLoss()(*(head(encoder(view)) for view in images))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def write(path, encoder, head, names, size):
    """The weights, and what is computed with them."""
    images = torch.rand(3, 3, size, size)
    with torch.no_grad():
        features = encoder.eval()((images - MEAN) / DEVIATION)
        projections = head.eval()(features)
    torch.save(names(encoder, head), f"{path}.ckpt")
    np.savez(
        f"{path}.npz",
        images=images.permute(0, 2, 3, 1).numpy(),
        features=features.numpy(),
        projections=projections.numpy(),
    )


def main(folder):
    """Writes all files to a folder."""
    torch.manual_seed(0)
    for name, (make, width, names, size) in NETWORKS.items():
        encoder, head = make(), SimCLRProjectionHead(width, width, 128)
        write(os.path.join(folder, f"{name}, random"), encoder, head, names, size)
        train(encoder, head, size)
        write(os.path.join(folder, f"{name}, trained"), encoder, head, names, size)


if __name__ == "__main__":
    main(sys.argv[1])
