"""Saves and logs that fail, and weights that must not be saved."""

import os
import sys

import numpy as np
import pytest
import tensorflow as tf

import run
from simclr_tf import keras_compat
from simclr_tf.experiment import checkpoint_files, saving
from tests.lasting.runs import FOUR, TINY, after_step, assert_same, variables


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_save_that_fails_is_said_and_the_next_succeeds(
    start, tmp_path, monkeypatch, whole, fault
):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    mkdir = os.mkdir

    def read_only(path, *mode):
        if ".ckpt-2." in str(path):
            raise OSError(30, "Read-only file system", path)
        mkdir(path, *mode)

    if fault == "full":
        limit = (2_000, hard)
        after_step(
            monkeypatch, 2, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        )
        after_step(
            monkeypatch,
            3,
            lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard)),
        )
    else:  # the superuser may write to any folder, so that its mode changes nothing
        monkeypatch.setattr(os, "mkdir", read_only)
    try:
        code, out, err = start(*FOUR)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (code, err) == (0, "")
    assert out.count("Warning at step 2: it cannot be saved (") == 1
    assert checkpoint_files.steps(tmp_path / "run") == [1, 3, 4]
    assert_same(variables(tmp_path / "run", 4), variables(whole, 4))


@pytest.mark.parametrize("of", ["network", "optimizer"])
@pytest.mark.parametrize("reaction", ["stop", "rewind"])
def test_weights_that_are_not_finite_are_not_saved(
    start, tmp_path, monkeypatch, of, reaction
):
    on_train_batch_end = saving.SaveRun.on_train_batch_end
    overflown = []

    def overflow(self, batch, logs=None):  # of step 3, where loss and gradient are fine
        if self.step == 2 and not overflown:
            found = self.model.projection_head.weights
            if of == "optimizer":
                found = keras_compat.state_variables(self.model.optimizer)
            variable = next(v for v in found if len(v.shape) > 1)
            variable.assign(tf.fill(variable.shape, np.inf))
            overflown.append(of)
        on_train_batch_end(self, batch, logs)

    monkeypatch.setattr(saving.SaveRun, "on_train_batch_end", overflow)
    code, out, err = start(*FOUR, f"--on_nonfinite={reaction}")
    said, last = (err, 2) if reaction == "stop" else (out, 4)
    assert "A weight, or the optimizer's state, is not finite at step 3: learn" in said
    assert (code, err.count("\n")) == ((2, 1) if reaction == "stop" else (0, 0))
    steps = checkpoint_files.steps(tmp_path / "run")
    assert steps == list(range(1, last + 1))
    for step in steps:
        for key, value in variables(tmp_path / "run", step).items():
            assert value.dtype != np.float32 or np.isfinite(value).all(), (step, key)


def test_a_last_save_that_fails_is_one_line(start, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    assert start("--train_steps=1")[0] == 0
    monkeypatch.setattr(checkpoint_files, "write", full)
    code, _, err = start("--train_steps=2", "--resume_with_other_flags")
    assert code == 2 and err.count("\n") == 1
    assert "step 2 cannot be saved: No space left on device. Make room" in err
    assert checkpoint_files.steps(tmp_path / "run") == [1]


def test_summaries_that_cannot_be_written_do_not_end_training(start, monkeypatch):
    create = tf.summary.create_file_writer

    def full():
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    def on_a_full_disk(folder):
        writer = create(folder)
        writer.flush = full
        return writer

    monkeypatch.setattr(tf.summary, "create_file_writer", on_a_full_disk)
    flags = ("--train_steps=2", "--train_summary_steps=1", "--loggers=tensorboard")
    code, out, err = start(*flags)
    assert (code, err) == (0, "")
    words = "--loggers=tensorboard gets nothing from now on (No space left on device)"
    assert out.count(words) == 1


def test_a_closed_log_pipe_does_not_end_a_run(tmp_path, monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        monkeypatch.setattr(sys, "stderr", closed)
        folder = tmp_path / "run"
        code = run.main(["run.py", *TINY, f"--model_dir={folder}", *FOUR])
    assert code == 0 and checkpoint_files.steps(folder) == [1, 2, 3, 4]
