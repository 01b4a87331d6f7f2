"""What a program beside ours is given, and what its failures mean."""

import importlib.util

import numpy as np
import pytest

import tf_models
from simclr_tf.errors import UserError
from simclr_tf.weights import comparison, torch_process

IMAGES = np.random.RandomState(0).uniform(size=[2, 4, 5, 3]).astype("float32")


@pytest.fixture(scope="module")
def encoder():
    return tf_models.ResNet(18, width_multiplier=1 / 64, normalization="imagenet")


def features(tmp_path, encoder, text, *arguments, **kwargs):
    program = tmp_path / "program.py"
    program.write_text(f"import os, sys\nimport numpy as np\n{text}\n")
    return torch_process.features(
        str(program), (), IMAGES, encoder, *arguments, **kwargs
    )


def test_it_gets_normalised_images_and_weights(encoder, tmp_path):
    program = """
os.chdir(sys.argv[1])
assert sys.argv[2:] == ["50"]
weights = np.load("weights.npz")["a"]
assert weights.dtype == np.float32
np.save("features.npy", weights * np.load("images.npy").mean((2, 3)))
"""
    weights = {"a": np.array([1, 2, 3])}
    found = features(tmp_path, encoder, program, "50", weights=weights)
    mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    expected = ((IMAGES - mean) / deviation).mean((1, 2)) * [1, 2, 3]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize(
    "program,kind,message",
    [
        ("{}['a']", torch_process.Refused, r"with these weights \(KeyError: 'a'\)"),
        ("sys.exit('2 are missing')", torch_process.Refused, r"\(2 are missing\)"),
        ("raise ImportError('no lib')", torch_process.CannotRun, "does not work here"),
        ("os.abort()", torch_process.CannotRun, "does not work here"),
    ],
)
def test_a_failure_is_told(program, kind, message, encoder, tmp_path):
    with pytest.raises(torch_process.CannotRun, match=message) as told:
        features(tmp_path, encoder, program)
    assert type(told.value) is kind


def test_why_a_source_cannot_run(encoder, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    wide = tf_models.ResNet(18, normalization="imagenet")
    for run, network, reason in (
        (comparison.of_checkpoint, encoder, "weights, but no graph"),
        (comparison.of_saved_model("nowhere"), encoder, "its graph does not run"),
        (comparison.of_torchvision({}), encoder, "no network of this width"),
        (comparison.of_torchvision({}), wide, "torch and torchvision would have to be"),
        (comparison.of_own_file("a"), encoder, "torch and safetensors would have to"),
    ):
        with pytest.raises(comparison.CannotRun, match=reason):
            comparison.compare(run, network)


def test_a_file_of_ours_that_pytorch_cannot_take_is_refused(encoder, monkeypatch):
    def refuse(*arguments):
        raise torch_process.Refused("no features")

    monkeypatch.setattr(torch_process, "features", refuse)
    with pytest.raises(UserError, match="no features"):
        comparison.compare(comparison.of_own_file("a"), encoder)
