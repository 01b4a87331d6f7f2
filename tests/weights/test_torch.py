"""ResNets of PyTorch give the features here that PyTorch computed.

These are stored: `scripts/make_torch_reference.py` made them.
"""

import importlib.util
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from simclr_tf import export
from simclr_tf.errors import UserError
from simclr_tf.weights import comparison, importing
from tests.weights import torch_networks
from tf_models import resnet

RESNETS = torch_networks.RESNETS  # see tests/conftest.py
IMAGES = torch_networks.images()
CKPT = os.path.join(torch_networks.REFERENCE, "resnet18.ckpt")


def assert_same(features, expected, tolerance=1e-4):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(features, expected, atol=tolerance * scale)
    assert np.std(expected) > 0.01 * scale  # they do tell images apart


def write(path, values, rename=lambda name: name):
    torch_networks.write_safetensors(
        path, {rename(name): value for name, value in values.items()}
    )
    return str(path)


@pytest.mark.parametrize(
    "network,stem",
    [
        ("resnet18", "auto"),
        ("resnet50", "auto"),
        ("resnet50_wide", "auto"),
        ("resnet18_cifar", "auto"),
        ("resnet18_cifar_padded", "cifar_padded"),
        ("resnet18_cifar_pool", "cifar_pool"),
    ],
)
def test_torchvision(network, stem, tmp_path):
    values, expected = torch_networks.reference(network)
    path = write(tmp_path / "weights.safetensors", values)
    imported = export.import_checkpoint(path, stem=stem)
    assert_same(imported.encoder(IMAGES), expected)
    assert imported.encoder.normalization == "imagenet"
    assert (imported.linear_head, imported.step) == (None, 0)
    raw = export.import_checkpoint(path, stem=stem, normalization="none").encoder
    mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    assert_same(raw((IMAGES - mean) / deviation), expected)


def sequential(children):
    """What a Sequential of a network's children calls their tensors."""

    def rename(name):
        child, _, rest = name.partition(".")
        return f"backbone.{children.split().index(child)}.{rest}"

    return rename


@pytest.mark.parametrize(
    "network,rename,stem",
    [
        ("resnet18", lambda name: f"module.encoder.{name}", "imagenet"),
        (
            "resnet50",
            sequential("conv1 bn1 relu maxpool layer1 layer2 layer3 layer4"),
            "imagenet",
        ),
        (
            "resnet18_cifar_no_relu",  # it is no child of lightly's ResNet
            sequential("conv1 bn1 layer1 layer2 layer3 layer4"),
            "cifar_no_relu",
        ),
        (
            "resnet18_cifar",
            lambda name: f"backbone.{name.replace('downsample', 'shortcut')}",
            "cifar",
        ),
    ],
)
def test_prefixes_and_numbers_of_lightly(network, rename, stem, tmp_path):
    values, expected = torch_networks.reference(network)
    copy = {f"momentum_{rename(name)}": 0 * value for name, value in values.items()}
    values = {rename(name): value for name, value in values.items()} | copy
    values["projection_head.layers.0.weight"] = np.ones([8, 16], "float32")
    imported = export.import_checkpoint(write(tmp_path / "weights", values))
    assert_same(imported.encoder(IMAGES), expected)
    assert imported.encoder.stem == stem


def test_statistics_of_parts_of_a_batch_are_averaged(tmp_path):
    values, expected = torch_networks.reference("resnet18")
    for name in values:
        if "running" in name:
            one = values[name]
            values[name] = np.concatenate(
                [0.5 * one, 1.5 * one, 0.75 * one, 1.25 * one]
            )
    imported = export.import_checkpoint(write(tmp_path / "weights", values))
    assert_same(imported.encoder(IMAGES), expected)


def test_solo_learn_pads_by_two_and_has_a_classifier(tmp_path):
    values, expected = torch_networks.reference("resnet18_cifar_padded")
    values = {f"backbone.{name}": value for name, value in values.items()}
    classifier = {
        "classifier.weight": np.random.normal(size=[3, 16]).astype("float32"),
        "classifier.bias": np.array([1, 2, 3], "float32"),
    }
    projector = {"projector.0.weight": np.ones([8, 16], "float32")}
    path = write(tmp_path / "last.safetensors", values | classifier | projector)
    imported = export.import_checkpoint(path)
    assert_same(imported.encoder(IMAGES), expected)
    logits = expected @ classifier["classifier.weight"].T + [1, 2, 3]
    assert_same(imported.linear_head(expected), logits)


def test_a_file_of_torch_save():
    _, expected = torch_networks.reference("resnet18")
    imported = export.import_checkpoint(CKPT)
    # One kernel is of bfloat16, which has 8 bits.
    assert_same(imported.encoder(IMAGES), expected, tolerance=1e-2)
    assert imported.step == 5
    expected = torch_networks.reference("resnet18")[0]["conv1.weight"]
    kernel = imported.encoder.stem_0.convolution.convolution.kernel.numpy()
    np.testing.assert_array_equal(kernel, expected.transpose(2, 3, 1, 0))


SAVE = """
import sys, torch, torchvision
torch.manual_seed(0)
network = torchvision.models.get_model(sys.argv[1])
for module in network.modules():
    if isinstance(module, torch.nn.BatchNorm2d):
        for tensor in (module.running_var, module.weight):
            torch.nn.init.uniform_(tensor, 0.5, 1.5)
        for tensor in (module.running_mean, module.bias):
            torch.nn.init.normal_(tensor)
torch.save(network.state_dict(), sys.argv[2])
"""


@pytest.mark.parametrize("network", ["resnet18", "resnet50"])
def test_torchvision_itself_gives_the_same_features(network, tmp_path, monkeypatch):
    if not all(map(importlib.util.find_spec, ("torch", "torchvision"))):
        pytest.skip("needs torch and torchvision")
    monkeypatch.setitem(resnet._BLOCKS, 18, (False, (2, 2, 2, 2)))
    monkeypatch.setitem(resnet._BLOCKS, 50, (True, (3, 4, 6, 3)))
    path = str(tmp_path / "network.pth")
    subprocess.run([sys.executable, "-c", SAVE, network, path], check=True)
    imported = export.import_checkpoint(path)
    assert imported.linear_head.num_classes == 1000
    difference = comparison.compare(importing.read(path).found.run, imported.encoder)
    assert 0 < difference < 1e-4


@pytest.mark.parametrize(
    "change,message",
    [
        ({"layer1.0.conv1.weight": None}, "do not have the names of a ResNet"),
        ({"layer2.0.bn2.bias": None}, "0 are left over, 1 are missing, 0 are of"),
        ({"layer2.0.bn3.bias": [2]}, "1 are left over, 0 are missing.*\n.*bn3.bias"),
        ({"layer2.0.se.weight": [2]}, "1 are left over.*\n left over: layer2.0.se"),
        ({"conv1.bias": [2]}, "1 are left over, 0 are missing"),
        ({"layer1.1.conv2.weight": [2, 1, 3, 3]}, "0 are missing, 1 are of another sh"),
        ({"layer3.0.conv1.weight": [16, 4, 3, 3]}, "1 are of another shape.*\n.*16"),
        ({"layer1.1.conv2.weight": None, "layer1.1.bn2.weight": None}, "2 are missing"),
        ({"conv1.weight": [64, 3, 7, 7]}, "begins with 64 has 64 and 64"),
        ({"layer4.0.conv2.weight": [2, 2, 3, 3]}, "group 4 has 2 filters and 2 chan"),
        ({"layer4.1.conv2.weight": [2, 2, 3, 3]}, "groups of 2, 1, 1, 2 blocks of"),
        ({"layer4.999999.conv2.weight": [2, 2, 3, 3]}, "1 are left over"),
        ({"bn1.weight": np.nan}, "stem_0/gamma has values that are not finite"),
        ({"bn1.running_var": -1.0}, "stem_0/moving_variance has negative values"),
    ],
)
def test_what_does_not_fit_is_listed(change, message, tmp_path):
    values, _ = torch_networks.reference("resnet18")
    for name, shape in change.items():
        if shape is None:
            del values[name]
        elif isinstance(shape, float):
            values[name] = np.full_like(values[name], shape)
        else:
            values[name] = np.ones(shape, "float32")
    path = write(tmp_path / "wrong.safetensors", values)
    with pytest.raises(UserError, match=f"^{re.escape(path)}: .*{message}"):
        export.import_checkpoint(path)
