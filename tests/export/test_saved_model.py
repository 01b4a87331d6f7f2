import io
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow import keras

import simclr_tf
import tf_models
from simclr_tf import augmentation, export
from simclr_tf.errors import UserError

EXPORTS_COMPARED = True
RESNETS = {18: (False, (1, 1, 1, 1))}  # every group is served

SERVE = """
import sys, numpy as np, tensorflow as tf
folder = sys.argv[1]
model = tf.saved_model.load(folder + "/model")
arrays = np.load(folder + "/in.npz", allow_pickle=True)
batch = model.signatures["serving_default"](images=tf.constant(arrays["images"]))
encoded = model.signatures["serve_image_bytes"](
    image_bytes=tf.constant(list(arrays["encoded"])))
layers = model.signatures["endpoints"](images=tf.constant(arrays["images"]))
assert not any(name.split(".")[0] in ("simclr_tf", "tf_models") for name in sys.modules)
np.savez(folder + "/out.npz", encoded=encoded["features"],
         **{"batch_" + k: v for k, v in batch.items()},
         **{"layer_" + k: v for k, v in layers.items()})
"""


@pytest.fixture(scope="module")
def model():
    model = simclr_tf.SimCLR(
        tf_models.ResNet(depth=18, width_multiplier=0.0625, stem="cifar"),
        tf_models.ProjectionHead(num_layers=2, output_dim=8),
        augmentation=augmentation.SimCLRAugmentation(16, seed=0),
        num_classes=2,
    )
    random = np.random.RandomState(0)
    for network in (model.encoder, model.projection_head, model.linear_head):
        # A new ResNet's residual branches give 0.
        weights = network.get_weights()
        network.set_weights([w + 0.1 * random.rand(*w.shape) for w in weights])
    return model


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved_model")
    export.save(
        model.encoder,
        path / "model",
        image_size=16,
        projection_head=model.projection_head,
        linear_head=model.linear_head,
    )
    return path


def encoded(image, kind):
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind)
    return file.getvalue()


def test_serves_what_predict_gives_without_our_code(model, photos, folder):
    images = photos[0]
    files = [encoded(image, "PNG") for image in images[:3]]
    files.append(encoded(images[3, :9], "BMP"))  # of another size
    files.append(encoded(images[4], "JPEG"))
    np.savez(folder / "in.npz", images=images, encoded=np.array(files, dtype=object))
    away = os.path.dirname(folder)  # none of our code on the path there
    subprocess.run([sys.executable, "-c", SERVE, str(folder)], check=True, cwd=away)
    out = np.load(folder / "out.npz")
    expected = model.predict(images, verbose=0)
    np.testing.assert_allclose(out["batch_features"], expected, atol=1e-4)
    logits = model.classify(expected)
    np.testing.assert_allclose(out["batch_logits"], logits, atol=1e-4)
    np.testing.assert_allclose(
        out["batch_probabilities"], tf.nn.softmax(logits), atol=1e-4
    )
    np.testing.assert_allclose(out["encoded"][:3], expected[:3], atol=1e-4)
    for row, image in ((3, images[3, :9]), (4, tf.io.decode_jpeg(files[4]).numpy())):
        alone = model.predict(image[None], verbose=0)
        np.testing.assert_allclose(out["encoded"][row], alone[0], atol=1e-4)
    layers = {key[6:]: out[key] for key in out if key.startswith("layer_")}
    assert {name: layer.shape for name, layer in layers.items()} == {
        "initial_conv": (16, 16, 16, 4),
        "initial_max_pool": (16, 16, 16, 4),
        "block_group1": (16, 16, 16, 4),
        "block_group2": (16, 8, 8, 8),
        "block_group3": (16, 4, 4, 16),
        "block_group4": (16, 2, 2, 32),
        "final_avg_pool": (16, 32),
        "proj_head_input": (16, 32),
        "proj_head_output": (16, 8),
        "logits_sup": (16, 2),
    }
    np.testing.assert_allclose(layers["final_avg_pool"], expected, atol=1e-4)


@pytest.mark.parametrize("size", [16, 24])
def test_preprocessed_images_of_any_size_are_taken_as_they_are(model, folder, size):
    views = np.random.RandomState(0).rand(3, size, size, 3).astype("float32")
    served = tf.saved_model.load(str(folder / "model"))
    out = served.signatures["preprocessed"](images=tf.constant(views))
    features = model.features(views)
    np.testing.assert_allclose(out["features"], features, atol=1e-4)
    logits = model.classify(features)
    np.testing.assert_allclose(out["logits"], logits, atol=1e-4)
    np.testing.assert_allclose(out["probabilities"], tf.nn.softmax(logits), atol=1e-4)


def test_load_encoder_gives_back_a_trainable_encoder(model, photos, folder):
    encoder = export.load_encoder(folder / "model")
    unit = photos[0].astype("float32") / 255
    np.testing.assert_allclose(
        encoder(unit, training=False), model.encoder(unit, training=False), atol=1e-6
    )
    classifier = simclr_tf.Classifier(encoder, 2)
    classifier.compile(
        keras.optimizers.SGD(0.1),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    before = encoder.get_weights()
    classifier.fit(unit, photos[1], verbose=0)
    assert all(
        np.any(old != new)
        for old, new in zip(before, encoder.get_weights(), strict=True)
    )


def test_a_foreign_encoder_is_exported_too(photos, tmp_path):
    encoder = keras.Sequential([keras.layers.Conv2D(4, 3)])  # not built
    export.save(encoder, tmp_path / "model", image_size=16)
    served = tf.saved_model.load(str(tmp_path / "model"))
    features = served.signatures["serving_default"](images=tf.constant(photos[0]))
    assert features["features"].shape == (16, 4)
    assert set(features) == {"features"}
    crop = augmentation.EvaluationCrop(16)(photos[0])
    expected = tf.reduce_mean(encoder(crop), axis=[1, 2])
    np.testing.assert_allclose(features["features"], expected, atol=1e-5)


def test_never_overwrites_and_leaves_nothing_half_written(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    encoder = keras.Sequential([keras.Input([16, 16, 3]), keras.layers.Conv2D(4, 3)])
    for overwrite in (False, True):
        with pytest.raises(UserError, match="mine exists"):
            export.save(encoder, tmp_path / "mine", 16, overwrite=overwrite)

    class Broken(keras.Model):
        built = True
        feature_dim = 3

        def call(self, images, training=False):
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError):
        export.save(Broken(), tmp_path / "broken", image_size=16)
    assert os.listdir(tmp_path) == ["mine"]
    export.save(encoder, tmp_path / "model", 16)
    with pytest.raises(UserError, match="overwrite=True"):
        export.save(encoder, tmp_path / "model", 16)
    export.save(encoder, tmp_path / "model", 16, overwrite=True)
    assert sorted(os.listdir(tmp_path)) == ["mine", "model"]


def test_load_encoder_elsewhere_says_what_it_expects(tmp_path):
    with pytest.raises(UserError, match="No encoder in .*--mode=export"):
        export.load_encoder(tmp_path)


def test_policies_of_mixed_precision_stay_and_come_back(tmp_path):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    encoder = tf_models.ResNet(depth=18, width_multiplier=0.0625, stem="cifar")
    head = tf_models.ProjectionHead(num_layers=2, output_dim=8)
    head(tf.zeros([1, encoder.feature_dim]))
    keras.mixed_precision.set_global_policy("float32")
    export.save(encoder, tmp_path / "model", image_size=16, projection_head=head)
    assert encoder.compute_dtype == head.compute_dtype == "bfloat16"
    again = export.load_encoder(tmp_path / "model")
    layers = [layer.compute_dtype for layer in again.layers]
    assert layers and set(layers) == {"bfloat16"}
    assert keras.mixed_precision.global_policy().name == "float32"
    assert keras.layers.Dense(1).compute_dtype == "float32"


@keras.utils.register_keras_serializable(package="test_saved_model")
class WithoutConfig(keras.Model):
    """Keras cannot tell what it was made from."""

    def __init__(self, convolution):
        super().__init__()
        self.convolution = convolution

    def call(self, images, training=False):
        return self.convolution(images)


def test_an_encoder_that_cannot_be_made_again_is_refused(tmp_path):
    encoder = WithoutConfig(keras.layers.Conv2D(4, 3))
    encoder(tf.zeros([1, 16, 16, 3]))
    # Keras 3 says so when it saves, Keras 2 when it loads.
    with pytest.raises(UserError, match="get_config"):
        export.save(encoder, tmp_path / "model", image_size=16)
        export.load_encoder(tmp_path / "model")
    assert set(os.listdir(tmp_path)) <= {"model"}


def test_a_variable_that_keras_does_not_train_is_refused_or_served(photos, tmp_path):
    class Scaled(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.scale = tf.Variable(2.0)

        def call(self, images):
            return self.scale * images

    encoder = Scaled()
    encoder(tf.zeros([1, 16, 16, 3]))
    if not encoder.variables:  # Keras 3
        with pytest.raises(UserError, match="Scaled reads a variable.*add_weight"):
            export.save(encoder, tmp_path / "model", image_size=16)
        return
    export.save(encoder, tmp_path / "model", image_size=16)
    served = tf.saved_model.load(str(tmp_path / "model"))
    out = served.signatures["serving_default"](images=tf.constant(photos[0]))
    crop = augmentation.EvaluationCrop(16)(photos[0])
    expected = 2.0 * tf.reduce_mean(crop, axis=[1, 2])
    np.testing.assert_allclose(out["features"], expected, atol=1e-5)


def test_what_is_no_keras_file_says_so_in_one_line(tmp_path):
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "encoder.keras").write_text("no archive")
    with pytest.raises(UserError, match="cannot be created here") as caught:
        export.load_encoder(tmp_path)
    assert "\n" not in str(caught.value)
