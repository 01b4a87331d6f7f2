"""Makes what tests of the import hold PyTorch against: tests/weights/torch_reference.

Needs torch and torchvision, which the tests do not. `features.json` has, of networks
of torchvision's blocks with few filters, the shapes of their tensors and the features
that PyTorch computes; their values are those that `tests/weights/torch_networks.py`
draws. `resnet18.ckpt` and `legacy.pth` are files of torch.save.

Usage: python -m scripts.make_torch_reference
"""

import json
import os

import torch
from torch import nn
from torchvision.models import resnet

from tests.weights import torch_networks

FOLDER = torch_networks.REFERENCE
BASIC, BOTTLENECK = (counts for _, counts in torch_networks.RESNETS.values())


class Network(nn.Module):
    """`torchvision.models.ResNet`, with as many filters as it is asked for."""

    def __init__(
        self, block, counts, filters, kernel_size=7, padding=3, pools=True, relu=True
    ):
        super().__init__()
        strides = 2 if kernel_size == 7 else 1
        self.conv1 = nn.Conv2d(3, filters, kernel_size, strides, padding, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.relu = nn.ReLU() if relu else nn.Identity()
        self.maxpool = nn.MaxPool2d(3, 2, 1) if pools else nn.Identity()
        channels = filters
        for group, count in enumerate(counts):
            blocks, planes = [], filters * 2**group
            for number in range(count):
                strides = 2 if group and number == 0 else 1
                shortcut = None
                if strides > 1 or channels != planes * block.expansion:
                    shortcut = nn.Sequential(
                        nn.Conv2d(
                            channels, planes * block.expansion, 1, strides, bias=False
                        ),
                        nn.BatchNorm2d(planes * block.expansion),
                    )
                blocks.append(block(channels, planes, strides, shortcut))
                channels = planes * block.expansion
            setattr(self, f"layer{group + 1}", nn.Sequential(*blocks))
        self.avgpool = nn.AdaptiveAvgPool2d(1)

    def forward(self, images):
        hidden = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        for number in range(1, 5):
            hidden = getattr(self, f"layer{number}")(hidden)
        return self.avgpool(hidden).flatten(1)


NETWORKS = {
    "resnet18": Network(resnet.BasicBlock, BASIC, 2),
    "resnet50": Network(resnet.Bottleneck, BOTTLENECK, 2),
    "resnet50_wide": Network(resnet.Bottleneck, BOTTLENECK, 4),
    "resnet18_cifar": Network(resnet.BasicBlock, BASIC, 2, 3, 1, pools=False),
    "resnet18_cifar_padded": Network(resnet.BasicBlock, BASIC, 2, 3, 2, pools=False),
    "resnet18_cifar_no_relu": Network(
        resnet.BasicBlock, BASIC, 2, 3, 1, pools=False, relu=False
    ),
    "resnet18_cifar_pool": Network(resnet.BasicBlock, BASIC, 2, 3, 1),
}


def main():
    """Writes the folder anew."""
    os.makedirs(FOLDER, exist_ok=True)
    images = torch.from_numpy(torch_networks.images()).permute(0, 3, 1, 2)
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    about = {}
    for name, network in NETWORKS.items():
        shapes = {key: list(t.shape) for key, t in network.state_dict().items()}
        values = torch_networks.random_values(shapes)
        state = {key: torch.from_numpy(value) for key, value in values.items()}
        network.load_state_dict(state)
        with torch.no_grad():
            features = network.eval()((images - mean) / deviation)
        about[name] = {"shapes": shapes, "features": features.tolist()}
    with open(os.path.join(FOLDER, "features.json"), "w", encoding="utf-8") as file:
        json.dump(about, file)
    state = NETWORKS["resnet18"].state_dict()
    # Some in another memory format and of another type, as they are met.
    state["conv1.weight"] = state["conv1.weight"].to(memory_format=torch.channels_last)
    state["layer1.0.conv1.weight"] = state["layer1.0.conv1.weight"].bfloat16()
    prefixed = {f"backbone.{key}": tensor for key, tensor in state.items()}
    lightning = {"global_step": 5, "state_dict": prefixed, "epoch": torch.device("cpu")}
    torch.save(lightning, os.path.join(FOLDER, "resnet18.ckpt"))
    torch.save(
        {"conv1.weight": torch.zeros(1)},
        os.path.join(FOLDER, "legacy.pth"),
        _use_new_zipfile_serialization=False,
    )


if __name__ == "__main__":
    main()
