"""Each format, read by what reads it elsewhere, gives what the encoder gives."""

import dataclasses
import os
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import simclr_tf
import tf_models
from flags import export as export_flags
from simclr_tf import export
from simclr_tf.errors import UserError
from simclr_tf.export import formats

EXPORTS_COMPARED = True
SIZE = 40  # above 32 pixels images are cropped
PATHS = {
    "saved_model": "model",
    "onnx": "model.onnx",
    "onnx_raw": "model_raw.onnx",
    "litert": "model.tflite",
    "litert_raw": "model_raw.tflite",
    "litert_int8": "model_int8.tflite",
    "keras": "model.keras",
    "safetensors": "model.safetensors",
}


def stirred(network):
    """The network with every weight moved: a new ResNet's branches are trivial."""
    random = np.random.RandomState(0)
    weights = network.get_weights()
    network.set_weights([w + 0.1 * random.rand(*w.shape) for w in weights])
    return network


def resnet(**kwargs):
    return stirred(tf_models.ResNet(depth=18, width_multiplier=0.0625, **kwargs))


def functional():
    images = keras.Input([SIZE, SIZE, 3])
    hidden = keras.layers.Conv2D(4, 3)(images)
    hidden = keras.layers.ReLU()(keras.layers.BatchNormalization()(hidden))
    return stirred(keras.Model(images, hidden))


ENCODERS = {
    "resnet": lambda: resnet(stem="cifar"),
    "resnet_sk_se": lambda: stirred(
        tf_models.ResNet(50, 0.0625, sk_ratio=0.0625, se_ratio=0.25)
    ),
    "functional": functional,
}
RESNETS = {18: (False, (1, 1, 0, 1)), 50: (True, (1, 0, 0, 1))}


@pytest.fixture(scope="module", params=ENCODERS)
def model(request):
    model = simclr_tf.SimCLR(
        ENCODERS[request.param](),
        tf_models.ProjectionHead(num_layers=2, output_dim=8),
        augmentation=simclr_tf.augmentation.SimCLRAugmentation(SIZE, seed=0),
        num_classes=2,
    )
    stirred(model.linear_head)
    return model


@pytest.fixture
def images():
    return np.random.RandomState(1).rand(8, SIZE, SIZE, 3).astype("float32")


def save(model, folder, name, **kwargs):
    path = os.path.join(folder, PATHS[name])
    found = export.save(
        model.encoder,
        path,
        image_size=SIZE,
        projection_head=model.projection_head,
        linear_head=model.linear_head,
        format=name,
        **kwargs,
    )
    assert found.difference < 1e-4 or name == "litert_int8"
    assert os.listdir(folder) == [PATHS[name]]
    return path


def assert_served(model, serve, raw):
    """That all outputs are those of the model, in batches of 1 and 3."""
    images = np.random.RandomState(1).rand(3, SIZE, SIZE, 3).astype("float32")
    if raw:
        images = np.random.RandomState(1).randint(0, 256, (3, 50, 57, 3), "uint8")
    for batch in (images[:1], images):
        out = serve(batch)
        seen = model.augmentation(batch, training=False) if raw else batch
        features = np.asarray(model.features(seen))
        logits = np.asarray(model.classify(features))
        for name, expected in (("features", features), ("logits", logits)):
            largest = np.abs(expected).max()
            np.testing.assert_allclose(out[name], expected, atol=1e-4 * largest)
        np.testing.assert_allclose(
            out["probabilities"], tf.nn.softmax(logits), atol=1e-4
        )


@pytest.mark.parametrize("raw", [False, True])
def test_onnxruntime_serves_what_the_model_gives(model, raw, tmp_path):
    pytest.importorskip("tf2onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    path = save(model, tmp_path, "onnx_raw" if raw else "onnx")
    session = onnxruntime.InferenceSession(path)
    (taken,) = session.get_inputs()
    assert taken.name == "images"
    assert taken.type == ("tensor(uint8)" if raw else "tensor(float)")
    names = [output.name for output in session.get_outputs()]

    def serve(batch):
        return dict(zip(names, session.run(None, {"images": batch}), strict=True))

    assert_served(model, serve, raw)


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
@pytest.mark.parametrize("raw", [False, True])
def test_lite_rt_serves_what_the_model_gives(model, raw, tmp_path):
    path = save(model, tmp_path, "litert_raw" if raw else "litert")
    name = "serving_default" if raw else "preprocessed"
    serve = tf.lite.Interpreter(model_path=path).get_signature_runner(name)
    assert_served(model, lambda batch: serve(images=batch), raw)


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_lite_rt_in_8_bits_gives_about_what_the_model_gives(
    model, images, tmp_path, capfd
):
    path = save(model, tmp_path, "litert_int8", representative_images=images)
    assert "inference_type" not in capfd.readouterr().err  # as its C++ code prints
    interpreter = tf.lite.Interpreter(model_path=path)
    dtypes = [detail["dtype"] for detail in interpreter.get_tensor_details()]
    assert dtypes.count(np.int8) > dtypes.count(np.float32)
    serve = interpreter.get_signature_runner("preprocessed")
    for batch in (images[:1], images[1:4]):
        features = np.asarray(model.features(batch))
        found = serve(images=batch)["features"]
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, features, atol=0.1 * np.abs(features).max())


def test_keras_loads_what_the_model_gives(model, images, tmp_path):
    path = save(model, tmp_path, "keras")
    wanted = model.encoder(images, training=False)
    for load in (keras.models.load_model, export.load_encoder):
        found = load(path)(images, training=False)
        np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("name", ["keras", "safetensors"])
def test_files_of_mixed_precision_compute_in_float32(name, images, tmp_path):
    path = tmp_path / PATHS[name]
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    encoder = resnet(stem="cifar")
    export.save(encoder, path, SIZE, format=name)
    assert encoder.compute_dtype == "bfloat16"
    loaded = export.load_encoder(path)
    assert keras.mixed_precision.global_policy().name == "mixed_bfloat16"
    keras.mixed_precision.set_global_policy("float32")
    float32 = resnet(stem="cifar")
    float32.set_weights(encoder.get_weights())
    np.testing.assert_allclose(
        loaded(images, training=False), float32(images, training=False), atol=1e-6
    )


def test_the_flag_has_the_formats_that_there_are():
    assert export_flags.FORMATS == tuple(export.FORMATS)


def test_other_features_than_the_encoders_are_refused(tmp_path, monkeypatch):
    kind = formats.FORMATS["keras"]

    def read(path):
        features = kind.read(path)
        return lambda images: np.asarray(features(images)) * 1.0015

    changed = dataclasses.replace(kind, read=read)
    monkeypatch.setitem(formats.FORMATS, "keras", changed)
    path = tmp_path / "model.keras"
    with pytest.raises(UserError, match="differ from the encoder's by 0.0015") as told:
        export.save(functional(), path, SIZE, format="keras")
    assert "\n" not in str(told.value)
    assert os.listdir(tmp_path) == []
    monkeypatch.setitem(
        formats.FORMATS, "keras", dataclasses.replace(changed, bound=0.002)
    )
    assert 0.001 < export.save(functional(), path, SIZE, format="keras").difference


def test_features_that_are_no_numbers_are_refused(tmp_path):
    encoder = functional()
    encoder.set_weights([np.full_like(w, np.nan) for w in encoder.get_weights()])
    with pytest.raises(UserError, match="differ from the encoder's by nan"):
        export.save(encoder, tmp_path / "model.keras", SIZE, format="keras")


@pytest.mark.parametrize(
    ("name", "package"),
    [("onnx", "tf2onnx"), ("onnx_raw", "onnxruntime")],
)
def test_an_absent_package_is_named_before_anything_is_done(
    name, package, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, package, None)
    other = {"tf2onnx", "onnxruntime"} - {package}
    for module in other:  # there or not
        monkeypatch.setitem(sys.modules, module, np)
    with pytest.raises(UserError, match=rf"{name} needs the package {package}") as told:
        export.save(None, tmp_path / "new" / PATHS[name], format=name)
    assert 'pip install ".[onnx]"' in str(told.value)
    assert "\n" not in str(told.value)
    assert os.listdir(tmp_path) == []


def test_wrong_arguments_are_one_line(images, tmp_path):
    encoder = functional()
    with pytest.raises(UserError, match="one of saved_model, onnx, .*got 'pickle'"):
        export.save(encoder, tmp_path / "model", SIZE, format="pickle")
    with pytest.raises(UserError, match=r"keras must end in .keras, got .*model.h5"):
        export.save(encoder, tmp_path / "model.h5", SIZE, format="keras")
    path = tmp_path / "model.tflite"
    with pytest.raises(UserError, match="litert_int8 needs representative_images"):
        export.save(encoder, path, SIZE, format="litert_int8")
    for wrong in (images[:, 1:], (255 * images).astype("uint8")):
        with pytest.raises(UserError, match=r"must be float \[N, 40, 40, 3\].*got "):
            export.save(
                encoder,
                path,
                SIZE,
                format="litert_int8",
                representative_images=wrong,
            )
    assert os.listdir(tmp_path) == []


def test_a_file_is_replaced_only_if_that_is_said(tmp_path):
    path = tmp_path / "model.keras"
    path.write_text("mine")
    with pytest.raises(UserError, match="exists.*overwrite=True"):
        export.save(functional(), path, SIZE, format="keras")
    assert path.read_text() == "mine"
    export.save(functional(), path, SIZE, format="keras", overwrite=True)
    assert keras.models.load_model(path) is not None
    assert os.listdir(tmp_path) == ["model.keras"]
