"""Projection heads of PyTorch give the projections here that their layers compute."""

import numpy as np
import pytest

from simclr_tf import export
from simclr_tf.weights import importing
from tests.weights import torch_networks

RESNETS = torch_networks.RESNETS  # see tests/conftest.py
FEATURES = np.random.RandomState(0).normal(size=[6, 16]).astype("float32")


def head(units, bias=False):
    """Linear, BatchNorm, ReLU, Linear, BatchNorm, ... as a Sequential names them."""
    shapes, channels = {}, 16
    for number, width in enumerate(units):
        shapes[f"{3 * number}.weight"] = [width, channels]
        if bias:
            shapes[f"{3 * number}.bias"] = [width]
        for kind in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{3 * number + 1}.{kind}"] = [width]
        shapes[f"{3 * number + 1}.num_batches_tracked"] = []
        channels = width
    values = torch_networks.random_values(shapes)
    for number in range(len(units)):  # scales of any sign
        values[f"{3 * number + 1}.weight"][::2] *= -1
    return values


def outputs(values, training):
    """What PyTorch computes of the features after every third layer, and at the end."""
    hidden, found = FEATURES, []
    for number in range(0, 3 * len(values), 3):
        if f"{number}.weight" not in values:
            return [*found[:-1], hidden]
        hidden = np.maximum(hidden, 0) if number else hidden
        hidden = hidden @ values[f"{number}.weight"].T + values.get(f"{number}.bias", 0)
        norm = f"{number + 1}."
        mean, variance = values[f"{norm}running_mean"], values[f"{norm}running_var"]
        if training:
            mean, variance = hidden.mean(0), hidden.var(0)
        hidden = (hidden - mean) / np.sqrt(variance + 1e-5)
        hidden = hidden * values[f"{norm}weight"] + values[f"{norm}bias"]
        found.append(np.maximum(hidden, 0))


def imported(tmp_path, values, name):
    encoder, _ = torch_networks.reference("resnet18")
    encoder = {f"backbone.{key}": value for key, value in encoder.items()}
    path = tmp_path / "weights.safetensors"
    heads = {f"{name}.{key}": value for key, value in values.items()}
    torch_networks.write_safetensors(path, encoder | heads)
    return export.import_checkpoint(str(path)).projection_head


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("units", [[8], [16, 8], [16, 16, 8]])
def test_layers_like_ours_give_the_same(units, bias, tmp_path):
    values = head(units, bias)
    found = imported(tmp_path, values, "projection_head.layers")
    for training in (False, True):
        expected = outputs(values, training)
        if training:  # our last batch norm has no offset
            expected[-1] = expected[-1] - values[f"{3 * len(units) - 2}.bias"]
        layers = found.hidden_layers(FEATURES, training=training)
        for layer, wanted in zip(layers[1:], expected, strict=True):
            np.testing.assert_allclose(layer, wanted, atol=1e-4 * np.abs(wanted).max())


def without(*names):
    return lambda values: {n: v for n, v in values.items() if n not in names}


@pytest.mark.parametrize(
    "change",
    [
        without("1.running_var"),
        without("4.weight", "4.bias", "4.running_mean", "4.running_var"),
        lambda values: {n.replace("3.", "2."): v for n, v in values.items()},
        lambda values: values | {"4.weight": np.zeros(8, "float32")},
        lambda values: values | {"6.weight": np.ones([8, 8], "float32")},
        lambda values: values | {"1.bias": np.ones(8, "float32")},
        lambda values: head([32, 8]),
        lambda values: {
            "0.weight": np.ones([16, 16], "f4"),
            "2.weight": values["3.weight"],
        },
    ],
)
def test_other_layers_are_left_over(change, tmp_path):
    values = head([16, 8])
    assert imported(tmp_path, values, "projector").num_layers == 2
    assert imported(tmp_path, change(values), "projector").mode == "none"


def test_the_offset_is_told(tmp_path):
    values = head([16, 8])
    imported(tmp_path, values, "projector")
    path = str(tmp_path / "weights.safetensors")
    (line,) = importing.read(path).found.changed
    assert "last batch norm is now in its moving mean" in line
    values["4.bias"] *= 0
    imported(tmp_path, values, "projector")
    assert importing.read(path).found.changed == []
