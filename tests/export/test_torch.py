"""What PyTorch makes of a `.safetensors` file, where it is installed."""

import importlib.util
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import simclr_tf
import tf_models
from simclr_tf import export
from simclr_tf.errors import UserError
from simclr_tf.export import torchvision_names
from simclr_tf.weights import comparison

RESNETS = {18: (False, (2, 1, 1, 1)), 50: (True, (1, 2, 1, 1))}
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(simclr_tf.__file__)))
IMAGES = np.random.RandomState(1).uniform(size=[2, 46, 38, 3]).astype("float32")


@pytest.fixture(autouse=True)
def torch_is_there():
    if not all(map(importlib.util.find_spec, ("torch", "safetensors"))):
        pytest.skip("needs torch, too large for CI, and safetensors")


def stirred(*args, **kwargs):
    """A ResNet with every weight moved."""
    network = tf_models.ResNet(*args, **kwargs)
    random = np.random.RandomState(0)
    weights = network.get_weights()
    network.set_weights([w + 0.1 * random.rand(*w.shape) for w in weights])
    return network


@pytest.mark.parametrize(
    "kwargs",
    [
        {"depth": 18},
        {"depth": 50},
        {"depth": 50, "sk_ratio": 0.0625, "se_ratio": 0.25},
        {"depth": 18, "stem": "cifar", "sk_ratio": 0.0625},
        {"depth": 18, "stem": "cifar_padded", "normalization": "caffe"},
        {"depth": 18, "stem": "cifar_no_relu", "se_ratio": 0.5},
        {"depth": 50, "stem": "cifar_pool", "variant": "torchvision"},
        {"depth": 18, "variant": "torchvision", "normalization": "imagenet"},
    ],
)
def test_it_computes_the_encoders_features(kwargs, tmp_path):
    encoder = stirred(width_multiplier=0.125, **kwargs)
    path = str(tmp_path / "model.safetensors")
    # Read back by PyTorch, too: it says so where another network comes of the file.
    assert export.save(encoder, path, 16, format="safetensors").difference < 1e-4
    found = comparison.of_own_file(path)(IMAGES, encoder)
    expected = encoder(IMAGES, training=False).numpy()
    assert expected.std() > 0.01 * expected.max()
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.max())


def test_a_file_that_it_cannot_compute_with_is_not_written(tmp_path, monkeypatch):
    encoder = stirred(18, width_multiplier=0.125)
    tensors = torchvision_names.tensors

    def renamed(*arguments):
        found = tensors(*arguments)
        found["layer1.1.norm1.bias"] = found.pop("layer1.1.bn1.bias")
        return found

    monkeypatch.setattr(torchvision_names, "tensors", renamed)
    monkeypatch.setattr(torchvision_names, "assign", lambda *arguments: None)
    with pytest.raises(UserError, match=r"no features with these weights.*bn1.bias"):
        export.save(encoder, tmp_path / "a.safetensors", 16, format="safetensors")
    assert os.listdir(tmp_path) == []


def guide():
    """The program for torchvision in docs/weights.md."""
    with open(os.path.join(ROOT, "docs", "weights.md"), encoding="utf-8") as file:
        programs = re.findall(r"```python\n(.*?)```", file.read(), re.S)
    return next(text for text in programs if "torchvision" in text)


@pytest.mark.parametrize("has_head", [True, False])
def test_the_guide_runs_as_it_stands(has_head, tmp_path, monkeypatch):
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("needs torchvision")
    monkeypatch.setitem(tf_models.resnet._BLOCKS, 18, (False, (2, 2, 2, 2)))
    encoder = stirred(18)
    head = tf_models.LinearHead(3) if has_head else None
    images = np.random.RandomState(1).uniform(size=[2, 64, 64, 3]).astype("float32")
    expected = encoder(images, training=False)
    expected = np.asarray(head(expected) if has_head else expected)
    path = tmp_path / "encoder.safetensors"
    export.save(encoder, path, 64, linear_head=head, format="safetensors")
    np.save(tmp_path / "images.npy", images.transpose(0, 3, 1, 2))
    program = guide() + (
        "import numpy, torch\n"
        "images = torch.from_numpy(numpy.load('images.npy'))\n"
        "numpy.save('found.npy', model(images).detach().numpy())\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    found = np.load(tmp_path / "found.npy")
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
