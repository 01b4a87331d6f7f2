"""Weights of `keras.applications` become runs that see images as these do."""

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import run
from simclr_tf.errors import UserError
from simclr_tf.experiment import applications
from tf_models import input_normalization

IMAGES = np.random.RandomState(0).uniform(size=[2, 32, 32, 3]).astype("float32")
FAMILIES = {
    "ResNet50": (keras.applications.resnet50, "caffe"),
    "VGG16": (keras.applications.vgg16, "caffe"),
    "DenseNet121": (keras.applications.densenet, "imagenet"),
    "MobileNetV2": (keras.applications.mobilenet_v2, "0.5,0.5,0.5,0.5,0.5,0.5"),
    "EfficientNetB0": (keras.applications.efficientnet, None),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_images_become_what_the_family_makes_of_them(name):
    module, word = FAMILIES[name]
    text = applications.own_normalization(name)
    assert word in (None, text)
    expected = module.preprocess_input(255 * IMAGES)
    found = input_normalization.normalize(IMAGES, text)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.fixture(scope="module")
def network():
    """MobileNetV2 with statistics as if it had been trained."""
    keras.utils.set_random_seed(0)
    network = keras.applications.MobileNetV2(
        include_top=False, weights=None, pooling="avg", input_shape=(32, 32, 3)
    )
    random = np.random.RandomState(1)
    weights = [
        w * (1 + 0.2 * random.uniform(size=w.shape)) for w in network.get_weights()
    ]
    network.set_weights(weights)
    return network


def command(*arguments):
    return run.main(["run.py", *map(str, arguments)])


@pytest.mark.parametrize("kind", ["network.weights.h5", "network.h5"])
def test_an_imported_network_gives_its_features(kind, network, tmp_path, capsys):
    source, folder = tmp_path / kind, tmp_path / "run"
    save = network.save_weights if "weights" in kind else network.save
    save(str(source))
    asked = ["--mode=import", "--encoder=MobileNetV2", "--image_size=32"]
    assert command(*asked, f"--source={source}", f"--model_dir={folder}") == 0
    assert "normalization 0.5,0.5,0.5,0.5,0.5,0.5" in capsys.readouterr().out
    assert command("--mode=export", f"--model_dir={folder}") == 0
    served = tf.saved_model.load(str(folder / "saved_model" / "0"))
    found = served.signatures["preprocessed"](images=tf.constant(IMAGES))["features"]
    # What MobileNetV2 is given elsewhere: [-1, 1].
    expected = network(2 * IMAGES - 1, training=False).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
    flags = json.loads((folder / "flags.json").read_text())
    assert (flags["encoder"], flags["image_size"]) == ("MobileNetV2", 32)


def test_other_files_are_refused_in_one_line(network, tmp_path, capsys, recwarn):
    whole = tmp_path / "network.weights.h5"
    network.save_weights(str(whole))
    cut = tmp_path / "cut.weights.h5"
    cut.write_bytes(whole.read_bytes()[:-1000])
    network.get_layer("Conv1").kernel.assign(np.full([3, 3, 3, 32], np.nan))
    diverged = tmp_path / "diverged.weights.h5"
    network.save_weights(str(diverged))
    asked = ["--mode=import", "--image_size=32", f"--model_dir={tmp_path / 'run'}"]
    for encoder, source, reason in (
        ("MobileNetV2", tmp_path / "nowhere.h5", "no file"),
        ("MobileNetV2", cut, "no weights of mobilenetv2"),
        ("MobileNetV2", diverged, "values that are not finite"),
        ("VGG16", whole, "no weights of vgg16 without its top"),
        ("resnet", whole, "an HDF5 file. For weights of keras.applications"),
        ("resnet", tmp_path / "nowhere", "--encoder=NAME, weights of keras.applicat"),
        ("Resnet50", whole, "run.py: --encoder must be resnet, a network of keras"),
    ):
        assert command(*asked, f"--encoder={encoder}", f"--source={source}") == 2
        error = capsys.readouterr().err
        assert reason in error and "Traceback" not in error
        assert len(error.strip().splitlines()) == 1 and error.strip()[-1] != ":"
        assert not [one for one in recwarn if issubclass(one.category, UserWarning)]
        assert not (tmp_path / "run").exists()


def test_weights_that_keras_leaves_random_are_named(network, tmp_path, monkeypatch):
    path = tmp_path / "network.weights.h5"
    network.save_weights(str(path))
    encoder = applications.build("MobileNetV2", 32)
    load_weights = keras.Model.load_weights

    def load_all_but_one(model, path):
        kernel = model.get_layer("block_3_expand").kernel
        random = np.array(tf.convert_to_tensor(kernel))
        load_weights(model, path)
        kernel.assign(random)

    monkeypatch.setattr(keras.Model, "load_weights", load_all_but_one)
    with pytest.raises(UserError, match="not all weights of mobilenetv2.*: it lacks "):
        applications.load_weights(encoder, str(path))
