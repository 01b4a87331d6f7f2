"""What torchvision computes of the file, and what comes back of it."""

import json
import os

import numpy as np
import pytest

import tf_models
from simclr_tf import export
from simclr_tf.errors import UserError
from simclr_tf.export import torchvision_names
from tests.export import torchvision_weights

safetensors = pytest.importorskip("safetensors")
pytest.importorskip("safetensors.numpy")

EXPORTS_COMPARED = True
RESNETS = {
    18: (False, torchvision_weights.BASIC),
    50: (True, torchvision_weights.BOTTLENECK),
}
TORCHVISION = os.path.join(os.path.dirname(__file__), "torchvision_features.npz")


def metadata(path):
    with safetensors.safe_open(path, "np") as file:
        return file.metadata()


@pytest.mark.parametrize(("depth", "kind"), [(18, "basic"), (50, "bottleneck")])
def test_the_file_is_what_torchvision_gives_the_same_features_with(
    depth, kind, tmp_path
):
    images = torchvision_weights.images()
    encoder = tf_models.ResNet(depth, stem="imagenet")
    head = tf_models.LinearHead(torchvision_weights.NUM_CLASSES)
    head(np.zeros([1, encoder.feature_dim], "float32"))
    for name, variable in torchvision_names.variables(encoder, head).items():
        axes = {4: [3, 2, 0, 1], 2: [1, 0], 1: [0]}[len(variable.shape)]
        shape = [variable.shape[axis] for axis in axes]
        values = torchvision_weights.values(name, shape)
        variable.assign(values.transpose(np.argsort(axes)))
    path = tmp_path / "model.safetensors"
    export.save(encoder, path, 40, linear_head=head, format="safetensors")
    with np.load(TORCHVISION) as torchvision:
        features = encoder(images, training=False)
        wanted = torchvision[f"{kind}_features"]
        assert wanted.std() > 0.1
        np.testing.assert_allclose(features, wanted, atol=1e-4 * wanted.max())
        logits = torchvision[f"{kind}_logits"]
        np.testing.assert_allclose(head(features), logits, atol=1e-4 * logits.max())
        names = set(torchvision[f"{kind}_names"].tolist())
    with safetensors.safe_open(path, "np") as file:
        assert set(file.keys()) == names
        for name in names:
            found = file.get_tensor(name)
            np.testing.assert_array_equal(
                found, torchvision_weights.values(name, found.shape)
            )


@pytest.mark.parametrize(
    ("kwargs", "differences"),
    [
        ({"depth": 18, "stem": "cifar"}, ["stem cifar", "layer1.0 has a downsample"]),
        (
            {"depth": 50, "sk_ratio": 0.0625, "se_ratio": 0.25},
            ["max pooling", "conv1 is three", "average pooling", "with sk", "by se"],
        ),
        ({"depth": 50}, ["max pooling"]),
        ({"depth": 18, "variant": "torchvision", "normalization": "imagenet"}, []),
        (  # whose selective kernels leave no trace in the shapes
            {"depth": 18, "stem": "cifar", "sk_ratio": 0.0625},
            ["stem cifar", "layer1.0 has a downsample", "average pooling"],
        ),
    ],
)
def test_comes_back_with_what_differs_from_torchvision(kwargs, differences, tmp_path):
    encoder = tf_models.ResNet(**{"width_multiplier": 0.0625, **kwargs})
    random = np.random.RandomState(0)
    weights = encoder.get_weights()
    encoder.set_weights([w + 0.1 * random.rand(*w.shape) for w in weights])
    path = str(tmp_path / "model.safetensors")
    export.save(encoder, path, 16, format="safetensors")
    images = random.rand(2, 18, 16, 3).astype("float32")
    for back in (export.load_encoder(path), export.import_checkpoint(path).encoder):
        weights = zip(back.get_weights(), encoder.get_weights(), strict=True)
        for found, wanted in weights:
            np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(back(images), encoder(images))
    config = json.loads(metadata(path)["tf_models.ResNet"])
    assert {name: config[name] for name in kwargs} == kwargs
    told = metadata(path)["differs_from_torchvision"].split("; ")
    told.remove("0.0625 times the channels")
    assert len(told) == len(differences)
    for line, words in zip(told, differences, strict=True):
        assert words in line


def test_a_head_on_other_than_the_features_is_left_out(tmp_path):
    encoder = tf_models.ResNet(18, 0.0625)
    projection = tf_models.ProjectionHead(num_layers=2, output_dim=8)
    projection(np.zeros([1, encoder.feature_dim], "float32"))
    head = tf_models.LinearHead(2)
    head(np.zeros([1, 8], "float32"))
    path = tmp_path / "model.safetensors"
    export.save(encoder, path, 16, projection, head, 2, format="safetensors")
    with safetensors.safe_open(path, "np") as file:
        assert not any(name.startswith("fc") for name in file.keys())


def test_other_networks_and_files_are_refused_in_one_line(tmp_path):
    from safetensors.numpy import save_file
    from tensorflow import keras

    path = tmp_path / "model.safetensors"
    encoder = keras.Sequential([keras.Input([16, 16, 3]), keras.layers.Conv2D(4, 3)])
    with pytest.raises(UserError, match="for tf_models.ResNet.*got Sequential"):
        export.save(encoder, path, 16, format="safetensors")
    assert os.listdir(tmp_path) == []
    save_file({"a": np.zeros(3, "float32")}, path)
    with pytest.raises(UserError, match="must be a complete file that .*save` wrote"):
        export.load_encoder(path)
    export.save(
        tf_models.ResNet(18, 0.0625), path, 16, overwrite=True, format="safetensors"
    )
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="must be a complete file that .*save` wrote"):
        export.load_encoder(path)
