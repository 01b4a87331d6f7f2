"""What docs/serving.md says of servers, of Keras 3 models and of the model card."""

import base64
import http.server
import io
import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow import keras

import simclr_tf
import tf_models
from examples import rest_features
from simclr_tf import export
from simclr_tf.errors import UserError

RESNETS = {18: (False, (1, 0, 0, 1))}
RUN_SAVED_MODEL_CLI = """
import sys
from tensorflow.python.tools import saved_model_cli
sys.argv[0] = "saved_model_cli"
saved_model_cli.main()
"""


@pytest.fixture(scope="module")
def model():
    return simclr_tf.SimCLR(
        tf_models.ResNet(depth=18, width_multiplier=0.0625, stem="cifar"),
        tf_models.ProjectionHead(num_layers=2, output_dim=8),
        augmentation=simclr_tf.augmentation.SimCLRAugmentation(16, seed=0),
        num_classes=2,
    )


@pytest.fixture(scope="module")
def version(model, tmp_path_factory):
    """The folder of a version, in that of a model, as TensorFlow Serving has them."""
    folder = tmp_path_factory.mktemp("simclr") / "300"
    export.save(
        model.encoder,
        folder,
        image_size=16,
        linear_head=model.linear_head,
        card={"data": "noise", "steps": 300, "accuracy": {"head": 0.5}},
    )
    return folder


@pytest.fixture
def files(photos, tmp_path):
    """Paths of three pictures, one of another size."""
    paths = []
    for number, image in enumerate((photos[0][0], photos[0][1], photos[0][2, :9])):
        paths.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(image).save(paths[-1])
    return paths


def as_tensorflow_serving(serve, body):
    """Its answer to a request in row format, by its documentation of its REST API.

    An object with the one key b64 stands for bytes.
    """
    signature = serve.signatures[body.get("signature_name", "serving_default")]
    _, inputs = signature.structured_input_signature

    def decoded(value):
        is_bytes = isinstance(value, dict) and set(value) == {"b64"}
        return base64.b64decode(value["b64"], validate=True) if is_bytes else value

    columns = {
        name: tf.constant([decoded(row[name]) for row in body["instances"]], spec.dtype)
        for name, spec in inputs.items()
    }
    outputs = {name: out.numpy().tolist() for name, out in signature(**columns).items()}
    rows = [
        dict(zip(outputs, row, strict=True))
        for row in zip(*outputs.values(), strict=True)
    ]
    return {"predictions": rows}


@pytest.fixture
def server(version):
    """The address of a server that answers as TensorFlow Serving does."""
    served = tf.saved_model.load(str(version))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            assert self.path == "/v1/models/simclr:predict"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = as_tensorflow_serving(served, json.loads(body))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/models/simclr"
        server.shutdown()


def test_a_rest_request_gets_what_saved_model_cli_gives(
    model, version, files, server, tmp_path
):
    np.save(tmp_path / "in.npy", [open(path, "rb").read() for path in files])
    arguments = (
        f"run --dir {version} --tag_set serve --signature_def serve_image_bytes "
        f"--inputs image_bytes={tmp_path}/in.npy --outdir {tmp_path}"
    )
    subprocess.run(
        [sys.executable, "-c", RUN_SAVED_MODEL_CLI, *arguments.split()],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    found = rest_features.features(server, files)
    np.testing.assert_allclose(found, np.load(tmp_path / "features.npy"), atol=1e-6)
    pixels = np.asarray(Image.open(files[0]))
    wanted = model.predict(pixels[None], verbose=0)
    np.testing.assert_allclose(found[:1], wanted, atol=1e-4)


def test_the_only_output_has_no_name_in_an_answer(files, monkeypatch):
    answer = io.BytesIO(b'{"predictions": [[0.5, 1.0], [2.0, 3.0]]}')
    monkeypatch.setattr(rest_features.urllib.request, "urlopen", lambda _: answer)
    found = rest_features.features("http://server/v1/models/simclr", files[:2])
    assert found == [[0.5, 1.0], [2.0, 3.0]]


@pytest.mark.skipif(
    not hasattr(keras.layers, "TFSMLayer"), reason="Keras 2 has no TFSMLayer."
)
def test_a_model_of_keras_3_has_it_as_a_layer(model, version, photos):
    encoder = keras.layers.TFSMLayer(
        str(version), call_endpoint="serving_default", trainable=False
    )
    images = keras.Input([None, None, 3], dtype="uint8")
    dense = keras.layers.Dense(10, use_bias=False)
    served = keras.Model(images, dense(encoder(images)["features"]))
    wanted = model.predict(photos[0], verbose=0) @ np.asarray(dense.kernel)
    found = served.predict(photos[0], verbose=0)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert len(served.trainable_variables) == 1


def test_the_model_card_says_what_is_known(model, version):
    with open(version / "model.json", encoding="utf-8") as file:
        card = json.load(file)
    assert (card["data"], card["steps"]) == ("noise", 300)
    assert card["recipe"] == card["licence"] == "not stated"
    assert card["encoder"]["name"] == "ResNet" and card["encoder"]["depth"] == 18
    assert card["preprocessing"] == {
        "image_size": 16,
        "crop_proportion": None,
        "resampling": "bicubic",
        "range": [0.0, 1.0],
    }
    assert card["versions"]["tensorflow"] == tf.__version__
    served = tf.saved_model.load(str(version))
    assert set(card["signatures"]) == set(served.signatures)
    taken = {"images": {"dtype": "uint8", "shape": [None, None, None, 3]}}
    assert card["signatures"]["serving_default"]["inputs"] == taken
    outputs = card["signatures"]["serving_default"]["outputs"]
    assert outputs["features"] == {"dtype": "float32", "shape": [None, 32]}
    assert set(outputs) == {"features", "logits", "probabilities"}
    text = (version / "README.md").read_text(encoding="utf-8")
    for words in ("- Data: noise\n", "- Steps: 300\n", "- Licence: not stated\n"):
        assert words in text
    assert "| `serve_image_bytes` | `image_bytes` string [any] | `features`" in text
    assert "- head: 0.5\n" in text
    # Pictures of up to 32 pixels are not cropped.
    assert "central" not in text


def test_a_card_of_larger_images_names_the_crop(tmp_path):
    encoder = keras.Sequential([keras.Input([40, 40, 3]), keras.layers.Conv2D(4, 3)])
    export.save(encoder, tmp_path / "model", 40)
    text = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "central 87.5% of the largest square" in " ".join(text.split())


def test_a_card_with_an_unknown_key_leaves_nothing_behind(tmp_path):
    encoder = keras.Sequential([keras.Input([16, 16, 3]), keras.layers.Conv2D(4, 3)])
    with pytest.raises(UserError, match="the keys data, recipe, .*got license"):
        export.save(encoder, tmp_path / "model", 16, card={"license": "MIT"})
    assert os.listdir(tmp_path) == []
