"""What is exported gives the features of `predict`, whoever reads it."""

import io
import os
import subprocess
import sys
from importlib import util

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests import programs

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SIGNATURES = ("serving_default", "serve_image_bytes", "preprocessed")

RUN_SAVED_MODEL_CLI = """
import contextlib, os, sys
from absl import flags
from tensorflow.python.tools import saved_model_cli
folder, *signatures = sys.argv[1:]
for kind in os.listdir(folder):
    for signature in signatures:
        place = os.path.join(folder, kind)
        name = "image_bytes" if signature == "serve_image_bytes" else "images"
        sys.argv = [
            "saved_model_cli", "run", "--dir", place + "/model", "--tag_set", "serve",
            "--signature_def", signature, "--outdir", place + "/" + signature,
            "--inputs", f"{name}={place}/{signature}.npy",
        ]
        flags.FLAGS.unparse_flags()
        try:
            with open(os.devnull, "w") as quiet, contextlib.redirect_stdout(quiet):
                saved_model_cli.main()
        except SystemExit as done:
            assert not done.code, (kind, signature)
assert not any(name.split(".")[0] in ("simclr_tf", "tf_models") for name in sys.modules)
"""

LOAD_ENCODERS = """
import os, sys, numpy as np
import simclr_tf
folder = sys.argv[1]

def load(kind, **kwargs):
    place = os.path.join(folder, kind)
    encoder = simclr_tf.export.load_encoder(place + "/model", **kwargs)
    images = np.load(place + "/expected.npz")["preprocessed"]
    np.save(place + "/loaded.npy", encoder(images, training=False))

for kind in os.listdir(folder):
    try:
        load(kind)
    except simclr_tf.errors.UserError as error:
        with open(os.path.join(folder, kind, "error.txt"), "w") as file:
            file.write(str(error))
from export_kinds import Subclassed, SubclassedWithoutTraining
load("subclassed", custom_objects={"Subclassed": Subclassed})
load("subclassed_without_training", custom_objects={
    "SubclassedWithoutTraining": SubclassedWithoutTraining})
"""


def load_kinds():
    path = os.path.join(HERE, "export_kinds.py")
    spec = util.spec_from_file_location("export_kinds", path)
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


kinds = load_kinds()
every_kind = pytest.mark.parametrize("kind", kinds.KINDS)


def run(*arguments, **environment):
    subprocess.run(
        [sys.executable, *map(str, arguments)],
        check=True,
        cwd=HERE if "PYTHONPATH" in environment else "/",
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    programs.run("tests/export/export_kinds.py", folder)
    return folder


def expected(folder, kind, which):
    with np.load(folder / kind / "expected.npz") as arrays:
        return arrays[which]


def png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def served(exported):
    for kind in kinds.KINDS:
        inputs = {
            "serving_default": kinds.IMAGES,
            "serve_image_bytes": np.array([png(image) for image in kinds.IMAGES]),
            "preprocessed": expected(exported, kind, "preprocessed"),
        }
        for signature, values in inputs.items():
            np.save(exported / kind / f"{signature}.npy", values)
    run("-c", RUN_SAVED_MODEL_CLI, exported, *SIGNATURES)
    return exported


@pytest.fixture(scope="module")
def loaded(exported):
    run("-c", LOAD_ENCODERS, exported, PYTHONPATH=f"{ROOT}{os.pathsep}{HERE}")
    return exported


@pytest.mark.parametrize("signature", SIGNATURES)
@every_kind
def test_saved_model_cli_serves_what_predict_gives(served, kind, signature):
    features = np.load(served / kind / signature / "features.npy")
    which = "float32" if signature == "preprocessed" else "predict"
    np.testing.assert_allclose(features, expected(served, kind, which), atol=1e-4)
    outputs = {"features.npy"}
    if kinds.KINDS[kind][2]:
        outputs |= {"logits.npy", "probabilities.npy"}
    assert set(os.listdir(served / kind / signature)) == outputs


@every_kind
def test_a_session_of_graphs_serves_what_predict_gives(exported, kind):
    folder = str(exported / kind / "model")
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        graph = tf.compat.v1.saved_model.loader.load(session, ["serve"], folder)
        signature = graph.signature_def["serving_default"]
        for batch in (1, 3):
            features = session.run(
                signature.outputs["features"].name,
                {signature.inputs["images"].name: kinds.IMAGES[:batch]},
            )
            wanted = expected(exported, kind, "predict")[:batch]
            np.testing.assert_allclose(features, wanted, atol=1e-4)


@every_kind
def test_every_weight_is_written_once(exported, kind):
    folder = exported / kind / "model" / "variables"
    saved = tf.train.load_checkpoint(str(folder / "variables"))
    shapes = saved.get_variable_to_shape_map()
    written = sum(np.prod(shape) for name, shape in shapes.items() if ".ATTR" in name)
    assert written == expected(exported, kind, "num_weights")
    (data,) = folder.glob("*.data*")
    assert data.stat().st_size < 4 * written + 200 * len(shapes) + 1000


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
@every_kind
def test_lite_rt_gives_what_predict_gives(exported, kind):
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(exported / kind / "model"), signature_keys=["preprocessed"]
    )
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    serve = interpreter.get_signature_runner("preprocessed")
    images = expected(exported, kind, "preprocessed")
    for batch in (1, 3):
        features = serve(images=images[:batch])["features"]
        wanted = expected(exported, kind, "float32")[:batch]
        np.testing.assert_allclose(features, wanted, atol=1e-4)


@every_kind
def test_load_encoder_in_another_process_gives_what_predict_gives(loaded, kind):
    error = loaded / kind / "error.txt"
    if kind == "with_lambda":
        assert "has a Lambda layer" in error.read_text()
        return
    features = np.load(loaded / kind / "loaded.npy").astype("float32")
    if features.ndim == 4:
        features = features.mean(axis=(1, 2))
    wanted = expected(loaded, kind, "predict")
    np.testing.assert_allclose(features, wanted, atol=1e-4)
    assert error.exists() == kind.startswith("subclassed")


def test_load_encoder_says_which_class_it_does_not_know(loaded):
    text = (loaded / "subclassed" / "error.txt").read_text()
    assert "\n" not in text
    assert ": Subclassed is not known in this process. Import the code that" in text
    assert 'custom_objects={"Subclassed": <its class>}' in text
