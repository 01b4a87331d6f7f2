"""Several runs side by side."""

import json

import pytest

import run
import simclr_tf
from simclr_tf.errors import UserError
from simclr_tf.report import comparison
from tests.report.test_folder import write_events


@pytest.fixture
def runs(tmp_path):
    """Two runs that differ in a flag; the second was not evaluated."""
    for name, temperature in (("a", 0.1), ("b", 0.5)):
        points = [(10, 3.0), (20, 2.0 - temperature)]
        write_events(tmp_path / name / "train", points, "train/contrast_loss")
        flags = {"mode": "train", "model_dir": name, "temperature": temperature}
        flags |= {"train_batch_size": 8, "evaluators": ["knn"]}
        (tmp_path / name / "flags.json").write_text(json.dumps(flags))
    result = {"global_step": 20.0, "eval/knn_top_1_accuracy": 0.75}
    (tmp_path / "a" / "result.json").write_text(json.dumps(result))
    return tmp_path


def test_curves_are_overlaid_and_what_differs_is_listed(runs, capsys, monkeypatch):
    monkeypatch.chdir(runs)
    assert run.main(["run.py", "--mode=report", "--runs=a, b"]) == 0
    assert capsys.readouterr().out == "Report: comparison.html\n"
    text = (runs / "comparison.html").read_text()
    assert "Contrastive loss at the end: a 1.9, b 1.5" in text
    assert "75.0%" in text and text.count("--temperature") == 1
    assert "train_batch_size" not in text and "<script>" in text
    found = [comparison._read(str(runs / name), name) for name in "ab"]
    assert comparison.differing(found) == [("temperature", ["0.1", "0.5"])]


def test_runs_of_one_name_are_told_apart_by_their_folders(runs, tmp_path):
    (runs / "c").mkdir()
    (runs / "b").rename(runs / "c" / "a")
    path = tmp_path / "new" / "page.html"
    simclr_tf.report.compare([str(runs / "a"), str(runs / "c" / "a")], str(path))
    assert f">{runs / 'c' / 'a'}</th>" in path.read_text()


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (["a"], "two or more different"),
        (["a", "a"], "two or more different"),
        (["a", "nothing"], "nothing is not the folder of a run"),
    ],
)
def test_what_is_no_run_is_refused_and_nothing_written(runs, named, words):
    path = runs / "page.html"
    with pytest.raises(UserError, match=words):
        simclr_tf.report.compare([str(runs / name) for name in named], str(path))
    assert not path.exists()


def test_runs_are_of_the_report_alone(capsys):
    flags = ["--mode=train", "--dataset=bundled", "--model_dir=x", "--runs=a,b"]
    assert run.main(["run.py", *flags]) == 2
    assert "--runs must not be given with --mode=train" in capsys.readouterr().err
