"""`--mode=import` makes a run like any other."""

import json

import numpy as np
import pytest
import tensorflow as tf

import run
from tests.weights import torch_networks

RESNETS = torch_networks.RESNETS  # see tests/conftest.py
IMAGES = torch_networks.images()


def command(*arguments):
    return run.main(["run.py", *map(str, arguments)])


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """`network.safetensors` of solo-learn's kind, and `run`, what is made of it."""
    home = tmp_path_factory.mktemp("import")
    values, _ = torch_networks.reference("resnet18_cifar_padded")
    values = {f"backbone.{name}": value for name, value in values.items()}
    random = np.random.RandomState(0)
    values["classifier.weight"] = random.normal(size=[10, 16]).astype("float32")
    values["classifier.bias"] = random.normal(size=[10]).astype("float32")
    values["projector.0.bias"] = np.ones([4], "float32")
    torch_networks.write_safetensors(home / "network.safetensors", values)
    source = f"--source={home / 'network.safetensors'}"
    assert command("--mode=import", source, f"--model_dir={home / 'run'}") == 0
    return home


def served(folder, images):
    loaded = tf.saved_model.load(str(folder))
    return loaded.signatures["preprocessed"](images=tf.constant(images))


def test_the_run_is_exported_with_its_normalization(home, capsys):
    assert command("--mode=export", f"--model_dir={home / 'run'}") == 0
    _, expected = torch_networks.reference("resnet18_cifar_padded")
    features = served(home / "run" / "saved_model" / "0", IMAGES)["features"]
    scale = np.abs(expected).max()
    np.testing.assert_allclose(features, expected, atol=1e-4 * scale)


def test_flags_json_has_what_the_weights_say(home):
    flags = json.loads((home / "run" / "flags.json").read_text())
    expected = {
        "resnet_depth": 18,
        "width_multiplier": 1 / 32,
        "stem": "cifar_padded",
        "resnet_variant": "torchvision",
        "input_normalization": "imagenet",
        "proj_head_mode": "none",
        "image_size": 32,
    }
    assert {name: flags[name] for name in expected} == expected


BUNDLED = "--dataset=bundled --eval_split=test --eval_steps=1 --eval_batch_size=8"
SHORT = "--train_batch_size=8 --warmup_epochs=0 --train_steps=1 --augmentation=crop"


@pytest.mark.parametrize(
    "arguments,written",
    [
        (f"--mode=eval {BUNDLED} --model_dir=run", "run/result_0.json"),
        (f"--mode=embed {BUNDLED} --model_dir=run", "run/embeddings/test_0.npz"),
        (
            f"--mode=train --train_mode=finetune --checkpoint=run {BUNDLED} {SHORT} "
            "--model_dir=finetuned",
            "finetuned/ckpt-1.index",
        ),
        (
            f"--mode=train --train_mode=distill --teacher=run {BUNDLED} {SHORT} "
            "--resnet_depth=18 --width_multiplier=0.03125 --model_dir=student",
            "student/ckpt-1.index",
        ),
    ],
)
def test_every_mode_takes_it(arguments, written, home, monkeypatch):
    monkeypatch.chdir(home)
    assert command(*arguments.split()) == 0
    assert (home / written).exists()
    flags = json.loads((home / written.split("/")[0] / "flags.json").read_text())
    if "teacher" not in arguments:
        assert flags["input_normalization"] == "imagenet"


def test_the_report(home, tmp_path, capsys):
    source = f"--source={home / 'network.safetensors'}"
    arguments = ["--mode=import", source, f"--model_dir={tmp_path / 'run'}"]
    assert command(*arguments, "--input_normalization=none", "--image_size=64") == 0
    out = capsys.readouterr().out
    assert "ResNet-18 x 0.03125, stem cifar_padded" in out
    assert "heads      linear head of 10 classes" in out
    assert "images     64 px, normalization none" in out
    # Of the stem 5, of five blocks 10, of three shortcuts 5, of the head 2.
    assert "matched    72 variables" in out
    assert "assumed    images normalised as for ImageNet" in out
    assert "the stem cifar_padded (else --stem)" in out
    assert "left over  projector.0.bias" in out
    assert "compared   no: torchvision has no network of this width" in out
    before = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert command(*arguments) == 2
    assert "holds a run: --mode=import needs a new folder" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == before


def test_a_stem_or_a_layer_that_is_not_there_is_refused(home, tmp_path, capsys):
    source = f"--source={home / 'network.safetensors'}"
    folder = tmp_path / "run"
    arguments = ["--mode=import", source, f"--model_dir={folder}"]
    assert command(*arguments, "--stem=imagenet") == 2
    assert "1 are of another shape" in capsys.readouterr().err
    assert command(*arguments, "--ft_proj_selector=1") == 2
    assert "its projection head has 0 layers" in capsys.readouterr().err
    assert not folder.exists()
