"""Examples and README run as they stand, on fewer images."""

import os
import re
import runpy
import shlex

import numpy as np
import pytest

import flags
import simclr_tf
from examples import judge_features
from simclr_tf import export

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(simclr_tf.__file__)))


def test_fit_example(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    load = simclr_tf.data.load
    monkeypatch.setattr(simclr_tf.data, "load", lambda *a, **k: load(*a, **k).take(512))
    runpy.run_module("examples.fit")
    assert "label_top_1_accuracy" in capsys.readouterr().out
    assert export.load_encoder(tmp_path / "runs" / "example").feature_dim == 128


def test_features_of_any_origin_are_judged(tmp_path, capsys):
    random = np.random.RandomState(0)
    labels = np.arange(60) % 3
    features = np.eye(3)[labels] + 0.1 * random.randn(60, 3)
    for name, rows in (("train", slice(40)), ("test", slice(40, 60))):
        np.savez(tmp_path / f"{name}.npz", features=features[rows], labels=labels[rows])
    judge_features.main(tmp_path / "train.npz", tmp_path / "test.npz")
    assert capsys.readouterr().out.splitlines() == [
        "nearest neighbours  100.0  (83.9 to 100.0)",
        "logistic            100.0  (83.9 to 100.0)",
    ]


def readme_commands():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        blocks = re.findall(r"```bash\n(.*?)```", file.read(), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if "run.py" in line and "--help" not in line]


@pytest.mark.parametrize("command", readme_commands())
def test_commands_of_the_readme_parse(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("runs/demo", "runs/mine"):  # that an earlier command wrote
        os.makedirs(folder)
        with open(f"{folder}/flags.json", "w", encoding="utf-8") as file:
            file.write('{"dataset": "bundled"}')
    config, _ = flags.parse(shlex.split(command)[1:])
    assert config.mode == "check" or config.model_dir.startswith("runs/")


def test_links_of_the_readme_exist():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        text = re.sub(r"```.*?```", "", file.read(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#]+)\)", text)
    local = [link for link in links if not link.startswith("http")]
    assert local
    for link in local:
        assert os.path.exists(os.path.join(ROOT, link)), link
