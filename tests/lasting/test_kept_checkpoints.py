"""Which checkpoints a run writes and keeps, and what is logged before."""

import json
import re

import pytest
import tensorflow as tf

from simclr_tf.experiment import checkpoint_files, saving
from tests.lasting.runs import FOUR


class Clock:
    """Seconds that pass only when they are asked for."""

    def __init__(self, seconds):
        self._now, self._seconds = 0.0, seconds

    def __call__(self):
        self._now += self._seconds
        return self._now


def test_minutes_pass_between_checkpoints(start, tmp_path, monkeypatch):
    init = saving.SaveRun.__init__
    monkeypatch.setattr(
        saving.SaveRun,
        "__init__",
        lambda self, *a, **k: init(self, *a, **k, clock=Clock(25)),
    )
    # Asked for at each step, the clock has gone on by 25 s; the second time it is over.
    code, _, err = start("--train_steps=6", "--checkpoint_minutes=0.7")
    assert (code, err) == (0, "")
    assert checkpoint_files.steps(tmp_path / "run") == [2, 4, 6]


@pytest.mark.parametrize("metric", ["contrast_acc", "loss"])
def test_the_best_is_kept_too(start, tmp_path, monkeypatch, metric):
    figures = {1: 0.5, 2: 0.3, 3: 0.9, 4: 0.4, 5: 0.6, 6: 0.7}
    save = saving.Keeper.save
    monkeypatch.setattr(
        saving.Keeper,
        "save",
        lambda self, step, _: save(self, step, {metric: figures[step]}),
    )
    flags = ("--checkpoint_steps=1", "--keep_checkpoint_max=1", f"--keep_best={metric}")
    assert start("--train_steps=5", *flags)[0] == 0
    more = ("--train_steps=6", "--resume_with_other_flags")
    code, out, _ = start(*more, *flags)  # who resumes knows it still
    best = 3 if metric == "contrast_acc" else 2
    assert checkpoint_files.steps(tmp_path / "run") == [best, 6]
    assert re.search(rf"Best {metric}: .*ckpt-{best}\n", out)


def test_the_best_of_an_evaluation_beside_it_is_kept(start, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    folder.mkdir()
    for step, accuracy in ((1, 0.2), (2, 0.6), (3, 0.4)):
        text = json.dumps({"eval/knn_top_1_accuracy": accuracy})
        (folder / f"result_{step}.json").write_text(text)
    flags = ("--keep_checkpoint_max=1", "--keep_best=eval/knn_top_1_accuracy")
    assert start(*FOUR[:2], *flags)[0] == 0
    assert checkpoint_files.steps(folder) == [2, 4]


def test_a_figure_that_this_training_has_not_is_refused(start, tmp_path):
    code, _, err = start("--train_steps=2", "--keep_best=distill_loss")
    assert code == 2 and err.count("\n") == 1
    assert "--keep_best must be a figure of this training, " in err
    assert " contrast_acc, " in err
    code, _, err = start("--train_steps=2", "--keep_best=speed")
    assert code == 2 and "--keep_best must be a loss or accuracy" in err


def test_summaries_are_written_before_the_checkpoint_of_their_step(
    start, tmp_path, monkeypatch
):
    seen = {}
    save = saving.Keeper.save

    def with_look(self, step, figures):
        (file,) = (tmp_path / "run" / "train").iterdir()
        for record in tf.data.TFRecordDataset(str(file)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                if value.tag == "train/total_loss":
                    seen[event.step] = float(tf.make_ndarray(value.tensor))
        assert seen[step] == pytest.approx(figures["loss"])
        save(self, step, figures)

    monkeypatch.setattr(saving.Keeper, "save", with_look)
    assert start(*FOUR, "--train_summary_steps=1", "--loggers=tensorboard")[0] == 0
    assert sorted(seen) == [1, 2, 3, 4]
