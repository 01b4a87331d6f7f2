"""The same work by PyTorch, torchvision and lightly, where they are installed."""

import contextlib
import os


def _torch():
    import torch

    torch.set_num_threads(os.cpu_count())
    torch.manual_seed(0)
    return torch


def _backbone(depth, size):
    """Torchvision's ResNet up to its features, with the small stem for small images."""
    import torchvision

    network = getattr(torchvision.models, f"resnet{depth}")()
    features, network.fc = network.fc.in_features, _torch().nn.Identity()
    if size <= 32:
        network.conv1 = _torch().nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        network.maxpool = _torch().nn.Identity()
    return network, features


def training_step(depth, size, batch, bfloat16=False):
    """One step of lightly's SimCLR, channels last."""
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead
    from lightly.utils.lars import LARS

    torch = _torch()
    network, features = _backbone(depth, size)
    head = SimCLRProjectionHead(features, features, 128)
    model = torch.nn.Sequential(network, head).to(memory_format=torch.channels_last)
    optimizer = LARS(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    loss = NTXentLoss(temperature=0.1)
    views = torch.rand(2 * batch, 3, size, size)
    views = views.contiguous(memory_format=torch.channels_last)

    def step():
        precision = contextlib.nullcontext()
        if bfloat16:
            precision = torch.autocast("cpu", torch.bfloat16)
        optimizer.zero_grad()
        with precision:
            projections = model(views)
        value = loss(*projections.float().split(batch))
        value.backward()
        optimizer.step()
        value.item()

    return step


def optimizer_step(depth, kind):
    """One step of an optimizer on the networks' parameters; `kind` is LARS or SGD."""
    from lightly.models.modules import SimCLRProjectionHead
    from lightly.utils.lars import LARS

    torch = _torch()
    network, features = _backbone(depth, 224)
    model = torch.nn.Sequential(network, SimCLRProjectionHead(features, features, 128))
    optimizer = {"LARS": LARS, "SGD": torch.optim.SGD}[kind](
        model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4
    )
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    return optimizer.step


def features(depth, size, batch, batches, bfloat16=False):
    """Features of some batches by torchvision's ResNet, compiled where that works."""
    torch = _torch()
    network, _ = _backbone(depth, size)
    network = network.eval().to(memory_format=torch.channels_last)
    images = torch.rand(batch, 3, size, size)
    images = images.contiguous(memory_format=torch.channels_last)

    def compute():
        precision = contextlib.nullcontext()
        if bfloat16:
            precision = torch.autocast("cpu", torch.bfloat16)
        with torch.inference_mode(), precision:
            for _ in range(batches):
                network(images)

    return compute


class _Views:
    """A data set of so many pairs of views of photographs in files."""

    def __init__(self, paths, count, view):
        self._paths, self._count, self._view = paths, count, view

    def __len__(self):
        return self._count

    def __getitem__(self, index):
        from PIL import Image

        image = Image.open(self._paths[index % len(self._paths)]).convert("RGB")
        return self._view(image), self._view(image)


def views(paths, count, size, color, blur):
    """Two views of photographs by torchvision v2, a process for every core."""
    from torchvision.transforms import v2

    torch = _torch()
    steps = [v2.RandomResizedCrop(size, interpolation=3), v2.RandomHorizontalFlip()]
    if color:
        steps += [v2.RandomApply([v2.ColorJitter(0.8, 0.8, 0.8, 0.2)], 0.8)]
        steps += [v2.RandomGrayscale(0.2)]
    if blur:
        steps += [v2.RandomApply([v2.GaussianBlur(23, (0.1, 2.0))], 0.5)]
    view = v2.Compose([v2.PILToTensor(), *steps, v2.ToDtype(torch.float32, scale=True)])
    loader = torch.utils.data.DataLoader(
        _Views(paths, count, view),
        batch_size=16,
        num_workers=os.cpu_count(),
        persistent_workers=True,
    )

    def read():
        for _ in loader:
            pass

    return read
