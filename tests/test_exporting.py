"""`--export_formats`, from flags to files."""

import json
import os
import sys

import numpy as np
import pytest
from PIL import Image

import run
from simclr_tf import export

SMALL = (
    "--image_size=8 --resnet_depth=18 --width_multiplier=0.0625 --num_proj_layers=2 "
    "--proj_out_dim=8 --train_batch_size=8 --warmup_epochs=0 --eval_batch_size=8 "
    "--use_blur=False --color_jitter_strength=0 --seed=1 --eval_split=test "
    "--train_steps=1 --model_licence=CC0"
).split()
FILES = {
    "onnx": "encoder.onnx",
    "litert": "encoder.tflite",
    "litert_int8": "encoder_int8.tflite",
    "keras": "encoder.keras",
    "safetensors": "encoder.safetensors",
}
PACKAGES = {"onnx": "onnxruntime", "safetensors": "safetensors"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """`data`, 8 training and 2 test pictures of two classes; `run`, a step on them."""
    place = tmp_path_factory.mktemp("trained")
    random = np.random.RandomState(0)
    for number in range(10):
        split = "train" if number < 8 else "test"
        label = place / "data" / split / ("cat", "dog")[number % 2]
        label.mkdir(parents=True, exist_ok=True)
        pixels = random.randint(0, 256, [9, 10, 3]).astype("uint8")
        Image.fromarray(pixels).save(label / f"{number}.png")
    places = [f"--dataset={place / 'data'}", f"--model_dir={place / 'run'}"]
    assert run.main(["run.py", *SMALL, *places, "--mode=train_then_eval"]) == 0
    return place


@pytest.fixture
def start(place, capsys):
    """Runs the command on what was trained; returns exit code, stdout and stderr."""

    def run_command(*flags):
        capsys.readouterr()
        code = run.main(["run.py", f"--model_dir={place / 'run'}", *flags])
        out, err = capsys.readouterr()
        return code, out, err

    return run_command


def test_every_format_is_written_and_compared(place, start):
    for package in PACKAGES.values():
        pytest.importorskip(package)
    code, out, err = start("--mode=export", f"--export_formats={','.join(FILES)}")
    assert (code, err) == (0, "")
    folder = place / "run" / "export" / "1"
    assert sorted(os.listdir(folder)) == sorted(FILES.values())
    assert os.listdir(folder.parent) == ["1"]
    for name, file in FILES.items():
        assert f"{name}: {folder / file} (features within " in out
    assert out.count("cosine similarity 1.0000") >= 4
    encoder = export.load_encoder(folder / "encoder.keras")
    images = np.random.RandomState(0).rand(2, 8, 8, 3).astype("float32")
    features = export.load_encoder(folder / "encoder.safetensors")(images)
    np.testing.assert_allclose(features, encoder(images), atol=1e-6)


def test_the_model_card_of_a_run_says_its_data_flags_and_accuracy(place, start):
    folder = place / "run" / "saved_model" / "1"

    def card():
        return json.loads((folder / "model.json").read_text(encoding="utf-8"))

    of_evaluation = card()
    assert of_evaluation["data"] == f"{place / 'data'}, split train, 8 images"
    assert (of_evaluation["steps"], of_evaluation["licence"]) == (1, "CC0")
    recipe = of_evaluation["recipe"]
    assert (recipe["train_mode"], recipe["width_multiplier"]) == ("pretrain", 0.0625)
    result = json.loads((place / "run" / "result.json").read_text(encoding="utf-8"))
    name = "eval/label_top_1_accuracy"
    assert of_evaluation["accuracy"][name] == result[name]
    assert start("--mode=export")[0] == 0
    assert card() == of_evaluation  # from what the evaluation wrote


def test_what_cannot_be_written_is_said_before_any_work(place, start, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    before = os.listdir(place / "run")
    for flags, words in (
        (["--export_formats=safetensors"], "needs the package safetensors, which"),
        (["--export_formats=keras,pickle"], "--export_formats must be a list of saved"),
        (
            ["--export_formats=safetensors", "--encoder=MobileNet"],
            "--export_formats must be without safetensors for --encoder=MobileNet",
        ),
    ):
        code, out, err = start("--mode=export", *flags)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert words in err
    assert os.listdir(place / "run") == before
