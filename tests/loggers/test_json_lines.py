import errno
import json
import math
import os
import time

import pytest

from simclr_tf import loggers
from simclr_tf.errors import UserError


def strict(text):
    """One line, by the letter of JSON: Python would take NaN."""
    return json.loads(text, parse_constant=pytest.fail)


def lines(folder):
    return [
        strict(line) for line in (folder / "metrics.jsonl").read_text().splitlines()
    ]


def log(folder, *steps, first_step=0, part="train"):
    with loggers.Loggers() as opened:
        opened.open(["jsonl"], loggers.Run(str(folder), first_step))
        for step in steps:
            opened.scalars(part, step, {f"{part}/figure": step / 8})


def test_a_line_has_step_time_and_figures(tmp_path):
    before = time.time()
    log(tmp_path, 2)
    (line,) = lines(tmp_path)
    assert before <= line.pop("wall_time") <= time.time()
    assert line == {"step": 2, "train/figure": 0.25}


def test_what_is_not_finite_is_null(tmp_path):
    with loggers.Loggers() as opened:
        opened.open(["jsonl"], loggers.Run(str(tmp_path), 0))
        opened.scalars("train", 1, {"a": math.nan, "b": math.inf, "c": -math.inf})
    (line,) = lines(tmp_path)
    assert [line[name] for name in "abc"] == [None, None, None]


@pytest.mark.parametrize("torn", ["", '{"step": 8, "wall_', '{"step": 8}', "\0\0\n"])
def test_resuming_drops_what_a_dead_run_wrote_beyond(tmp_path, torn):
    log(tmp_path, 2, 4, 6)
    whole = (tmp_path / "metrics.jsonl").read_text()
    with open(tmp_path / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write(torn)
    log(tmp_path, first_step=6)
    assert (tmp_path / "metrics.jsonl").read_text() == whole
    log(tmp_path, 5, 6, first_step=4)
    assert [line["step"] for line in lines(tmp_path)] == [2, 4, 5, 6]
    log(tmp_path, 1, first_step=0)
    assert [line["step"] for line in lines(tmp_path)] == [1]


def test_an_evaluation_adds_lines_and_takes_none(tmp_path):
    log(tmp_path, 2, 4)
    with open(tmp_path / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write('{"step": 6, "wal')  # the training died here
    log(tmp_path, 4, first_step=None, part="eval")
    *_, torn, last = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert torn == '{"step": 6, "wal'
    assert strict(last)["eval/figure"] == 0.5
    log(tmp_path, first_step=4)
    assert [line["step"] for line in lines(tmp_path)] == [2, 4, 4]


def test_a_full_disk_is_said_once_and_the_run_goes_on(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    said = []
    opened = loggers.Loggers(said.append)
    opened.open(["jsonl", "tensorboard"], loggers.Run(str(tmp_path), 0))
    monkeypatch.setattr(os, "fsync", full)
    for step in (1, 2):
        opened.scalars("train", step, {"figure": 1.0})
    opened.close()
    assert said == [
        "Warning at step 1: --loggers=jsonl gets nothing from now on (No space left "
        "on device)."
    ]
    assert list((tmp_path / "train").iterdir())  # the other one goes on


def test_a_file_that_cannot_be_opened_is_refused(tmp_path):
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(UserError, match="--loggers=jsonl cannot be opened: Is a dir"):
        log(tmp_path, 1)
