"""Presets of KerasHub become runs that give the features of their backbones."""

import json
import sys

import numpy as np
import pytest
import tensorflow as tf

import run
from simclr_tf import keras_compat

IMAGES = np.random.RandomState(0).uniform(size=[2, 32, 32, 3]).astype("float32")
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@pytest.fixture
def keras_hub():
    if not keras_compat.IS_KERAS_3:
        pytest.skip("KerasHub needs Keras 3")
    reason = "keras-hub needs tensorflow-text, too large for CI"
    return pytest.importorskip("keras_hub", reason=reason)


def command(*arguments):
    return run.main(["run.py", *map(str, arguments)])


def refused(capsys, *arguments):
    """What `--mode=import` says in one line."""
    assert command("--mode=import", "--image_size=32", *arguments) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 1 and "Traceback" not in error
    return error


def resnet(keras_hub):
    """A small backbone with statistics as if it had been trained."""
    network = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
    )
    random = np.random.RandomState(1)
    network.set_weights(
        [w + 0.1 * random.uniform(size=w.shape) for w in network.get_weights()]
    )
    return network


def test_an_imported_backbone_gives_its_features(
    keras_hub, tmp_path, capsys, monkeypatch
):
    backbone = resnet(keras_hub)
    backbone.save_to_preset(str(tmp_path / "preset"))
    keras_hub.layers.ResNetImageConverter(
        image_size=(48, 48),
        scale=list(1 / (255 * DEVIATION)),
        offset=list(-MEAN / DEVIATION),
    ).save_to_preset(str(tmp_path / "preset"))
    monkeypatch.chdir(tmp_path)
    asked = ["--mode=import", "--encoder=preset", "--image_size=32"]
    assert command(*asked, "--source=preset", "--model_dir=run") == 0
    assert "KerasHub: preset" in (out := capsys.readouterr().out)
    assert "normalization imagenet" in out
    monkeypatch.chdir("/")  # the run knows where its preset is
    assert command("--mode=export", f"--model_dir={tmp_path / 'run'}") == 0
    served = tf.saved_model.load(str(tmp_path / "run" / "saved_model" / "0"))
    found = served.signatures["preprocessed"](images=tf.constant(IMAGES))["features"]
    normalized = ((IMAGES - MEAN) / DEVIATION).astype("float32")
    expected = np.asarray(backbone(normalized, training=False)).mean((1, 2))
    assert expected.std() > 0.01 * expected.max()
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.max())
    flags = json.loads((tmp_path / "run" / "flags.json").read_text())
    assert flags["encoder"] == str(tmp_path / "preset")


def test_other_presets_are_refused_in_one_line(keras_hub, tmp_path, capsys):
    preset, model_dir = tmp_path / "preset", f"--model_dir={tmp_path / 'run'}"
    asked = [model_dir, f"--encoder={preset}", f"--source={preset}"]
    vit = keras_hub.models.ViTBackbone((32, 32, 3), 16, 1, 2, 8, 8)
    vit.save_to_preset(str(preset))
    assert "must map images to [B, h, w, C]: ViTBackbone gives" in refused(
        capsys, *asked
    )
    resnet(keras_hub).save_to_preset(str(preset))
    (preset / "model.weights.h5").unlink()
    assert f"--source={preset}: a folder without model.w" in refused(capsys, *asked)
    (preset / "model.weights.h5").write_bytes(b"\x89HDF")
    assert "no weights of res_net_backbone" in refused(capsys, *asked)
    (preset / "config.json").write_text('{"registered_name": "nobody>Knows"}')
    assert f"--encoder={preset} is no backbone of KerasHub" in refused(capsys, *asked)
    assert not (tmp_path / "run").exists()


def test_what_is_absent_is_named(tmp_path, capsys, monkeypatch):
    asked = [f"--model_dir={tmp_path / 'run'}", "--source=weights.h5"]
    encoder = f"--encoder={tmp_path}"
    if not keras_compat.IS_KERAS_3:
        assert "needs Keras 3, as backbones of KerasHub do, and this is Keras 2." in (
            refused(capsys, *asked, encoder)
        )
        return
    assert "save_to_preset" in refused(capsys, *asked, encoder)
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    message = refused(capsys, *asked, encoder)
    assert message.startswith(f"run.py: {encoder} needs the package keras-hub")
    assert "pip install keras-hub" in message
