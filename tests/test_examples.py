"""Examples run as they stand, on fewer images."""

import runpy

import numpy as np

import simclr_tf
from examples import judge_features
from simclr_tf import export


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
