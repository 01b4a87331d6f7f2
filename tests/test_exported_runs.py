"""Encoders of runs as files, from flags to files."""

import json
import os
import shutil
import sys

import numpy as np
import pytest

import run
from simclr_tf import export
from tests import pictures, saved_runs

EXPORTS_COMPARED = True

SMALL = (
    "--image_size=8 --resnet_depth=18 --width_multiplier=0.0625 --num_proj_layers=2 "
    "--proj_out_dim=8 --train_batch_size=8 --eval_batch_size=8 --eval_split=test "
    "--use_blur=False --seed=1 --train_steps=4 --warmup_epochs=0 --noreport "
    "--loggers=jsonl"
).split()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """`data`, 8 training and 5 test pictures of two classes; `run`, after 4 steps."""
    home = tmp_path_factory.mktemp("exported")
    folder = pictures.write_cats_and_dogs(home / "data")
    places = [f"--dataset={folder}", f"--model_dir={home / 'run'}"]
    saved_runs.save([*SMALL, *places], step=4, num_examples=8)
    return home


@pytest.fixture
def start(home, tmp_path, capsys):
    """Runs the command; returns exit code, stdout and stderr."""

    def run_command(*flags):
        capsys.readouterr()
        places = [f"--dataset={home / 'data'}", f"--model_dir={tmp_path / 'run'}"]
        code = run.main(["run.py", *SMALL, *places, *flags])
        return code, *capsys.readouterr()

    return run_command


@pytest.fixture
def copied(home, tmp_path):
    """A copy of the run, where `start` looks for it."""
    return shutil.copytree(home / "run", tmp_path / "run")


EXPORTED = {
    "onnx": "encoder.onnx",
    "onnx_raw": "encoder_raw.onnx",
    "litert": "encoder.tflite",
    "litert_raw": "encoder_raw.tflite",
    "litert_int8": "encoder_int8.tflite",
    "keras": "encoder.keras",
    "safetensors": "encoder.safetensors",
}


def test_every_format_is_written_and_compared(start, copied):
    for package in ("tf2onnx", "onnxruntime"):
        pytest.importorskip(package)
    code, out, err = start("--mode=export", f"--export_formats={','.join(EXPORTED)}")
    assert (code, err) == (0, "")
    folder = copied / "export" / "4"
    assert sorted(os.listdir(folder)) == sorted(EXPORTED.values())
    for name, file in EXPORTED.items():
        assert f"{name}: {folder / file} (features within " in out
    assert out.count("cosine similarity 1.0000") >= 4
    images = np.random.RandomState(0).rand(2, 8, 8, 3).astype("float32")
    of_keras, of_torch = (
        export.load_encoder(folder / f"encoder.{suffix}")(images, training=False)
        for suffix in ("keras", "safetensors")
    )
    np.testing.assert_allclose(of_keras, of_torch, atol=1e-6)
    assert not os.path.exists(copied / "saved_model")


def test_the_model_card_says_data_flags_and_accuracy(start, copied, home):
    def card(*flags):
        assert start(*flags, "--model_licence=CC0")[0] == 0
        path = copied / "saved_model" / "4" / "model.json"
        return json.loads(path.read_text(encoding="utf-8"))

    before = card("--mode=export")
    assert before["accuracy"] == "not stated"
    assert before["data"] == f"{home / 'data'}, split train, 8 images"
    assert (before["steps"], before["licence"]) == (4, "CC0")
    assert before["recipe"]["train_mode"] == "pretrain"
    assert before["recipe"]["width_multiplier"] == 0.0625
    evaluated = card("--mode=eval", "--eval_timeout=0")
    result = json.loads((copied / "result_4.json").read_text())
    name = "eval/label_top_1_accuracy"
    assert evaluated["accuracy"][name] == result[name]
    assert card("--mode=export") == evaluated  # from what the evaluation wrote


def test_what_cannot_be_exported_is_said_before_any_work(start, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    for flags, words in (
        (["--export_formats=onnx"], "needs the package tf2onnx, which"),
        (["--export_formats=keras,pickle"], "--export_formats must be a list of saved"),
        (
            ["--export_formats=safetensors", "--encoder=MobileNet"],
            "--export_formats must be without safetensors for --encoder=MobileNet",
        ),
    ):
        code, out, err = start("--mode=train_then_eval", *flags)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert words in err
    assert not os.path.exists(tmp_path / "run")
