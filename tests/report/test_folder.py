"""What is read of a run's folder."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import report
from simclr_tf.errors import UserError
from simclr_tf.report import folder, machine, repeating


def write_events(path, points, name="train/loss"):
    writer = tf.summary.create_file_writer(str(path))
    with writer.as_default():
        for step, value in points:
            tf.summary.scalar(name, value, step)
            tf.summary.image("train/view", np.zeros([1, 2, 2, 3]), step)
            tf.summary.text("note", "no number", step)
    writer.close()


def test_curves_are_the_scalars_and_the_last_of_a_step_counts(tmp_path):
    write_events(tmp_path / "[a]", [(10, 3.0), (20, 2.0), (30, 9.0)])
    write_events(tmp_path / "[a]", [(20, 1.5), (30, 1.0)])  # it went on from step 10
    (name,) = curves = report.read_curves(str(tmp_path / "[a]"))
    assert name == "train/loss"
    assert curves[name].steps.tolist() == [10, 20, 30]
    np.testing.assert_allclose(curves[name].values, [3.0, 1.5, 1.0])
    assert (np.diff(curves[name].times) >= 0).all()


def test_a_file_that_breaks_off_is_read_up_to_there(tmp_path):
    write_events(tmp_path, [(1, 1.0), (2, 2.0)])
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-40])
    assert report.read_curves(str(tmp_path))["train/loss"].steps[0] == 1
    path.write_bytes(b"no events")
    assert report.read_curves(str(tmp_path)) == {}
    assert report.read_curves(str(tmp_path / "nothing")) == {}


def test_results_by_encoder(tmp_path):
    found = {
        "global_step": 4.0,
        "eval/knn_top_1_accuracy": 0.5,
        "eval/untrained_knn_top_1_accuracy": 0.25,
        "eval/runs/a/head_top_1_accuracy": 0.75,
        "eval/label_top_1_accuracy": 0.5,
        "eval/regularization_loss": 1.0,
    }
    (tmp_path / "result.json").write_text(json.dumps(found))
    assert report.read_results(str(tmp_path)) == (
        4,
        {
            "trained": {"knn_top_1_accuracy": 0.5},
            "untrained": {"knn_top_1_accuracy": 0.25},
            "runs/a": {"head_top_1_accuracy": 0.75},
        },
    )
    assert report.read_results(str(tmp_path / "nothing")) == (None, {})


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_a_file_that_no_run_wrote_is_named(tmp_path, text):
    (tmp_path / "flags.json").write_bytes(text.encode("latin1"))
    with pytest.raises(UserError, match="flags.json must be as a run wrote it"):
        report.read_flags(str(tmp_path))


def test_speed_leaves_pauses_out():
    # Ten seconds for 20 steps, but for a night between steps 40 and 60.
    steps = np.array([20, 40, 60, 80])
    times = np.array([0.0, 10.0, 30_010.0, 30_020.0])
    curve = folder.Curve(steps, steps, times)
    assert machine.speed({"train/total_loss": curve}, batch_size=64) == {
        "Training time": "40 s",
        "Speed": "128 images/s",
    }
    assert machine.speed({}, 64) == {}


def test_the_command_has_what_differs_from_the_defaults():
    defaults = {"dataset": "imagenet", "temperature": 0.1, "evaluators": ["head"]}
    flags = {"mode": "train", "model_dir": "runs/a b", "temperature": 0.1}
    flags |= {"dataset": None, "evaluators": ["knn", "head"], "master": "x"}
    assert repeating.changed(flags, defaults) == {"evaluators": ["knn", "head"]}
    command = repeating.command(flags, defaults, seed=7)
    assert command.replace(" \\\n ", "") == (
        "python run.py --mode=train --evaluators=knn,head --seed=7 "
        "'--model_dir=runs/a b-again'"
    )
    assert repeating.command({}, defaults, seed=7) == ""
    assert os.linesep not in repeating.shell()
