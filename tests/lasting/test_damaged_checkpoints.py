"""Checkpoints that cannot be read, and the commands that meet them."""

import os

import pytest

from simclr_tf.experiment import checkpoint_files, following
from tests.lasting.runs import FOUR, assert_same, copy_of, variables


def test_a_damaged_newest_is_said_and_the_one_before_goes_on(start, tmp_path, whole):
    folder = copy_of(whole, tmp_path / "run", 1, 2, 3)
    os.truncate(folder / "ckpt-3.data-00000-of-00001", 1000)
    code, out, err = start(*FOUR[:2], "--keep_checkpoint_max=1")
    assert (code, err) == (0, "") and "steps      2 to 4" in out
    assert out.count("ckpt-3 is damaged and left out") == 1
    assert checkpoint_files.steps(folder) == [4]
    assert_same(variables(folder, 4), variables(whole, 4))


@pytest.mark.parametrize("fault", ["truncated", "index deleted"])
def test_damaged_beyond_use_is_refused_and_nothing_changes(
    start, tmp_path, monkeypatch, whole, fault
):
    folder = copy_of(whole, tmp_path / "run", 1, 2)
    (folder / "flags.json").write_bytes((whole / "flags.json").read_bytes())
    os.truncate(folder / "ckpt-1.index", 100)
    if fault == "truncated":
        os.truncate(folder / "ckpt-2.index", 100)
    else:
        os.remove(folder / "ckpt-2.index")
    before = sorted(os.listdir(folder))
    monkeypatch.setattr(following, "_PAUSE", None)  # whoever waited would fail
    follow = ("--mode=eval", "--eval_timeout=1000")
    for flags in (FOUR, follow, ("--mode=export",), ("--mode=embed",)):
        code, _, err = start(*flags)
        assert code == 2 and err.count("\n") == 1, err
        assert "of 2 checkpoints there none can be read (ckpt-2: " in err
    assert sorted(set(os.listdir(folder)) - {".lock"}) == before
    for mode in ("eval", "export", "embed"):
        code, _, err = start(f"--mode={mode}", f"--checkpoint={folder}/ckpt-1")
        assert code == 2 and "it is damaged" in err and err.count("\n") == 1


def test_evaluation_leaves_a_damaged_newest_out(start, tmp_path, whole):
    folder = copy_of(whole, tmp_path / "run", 1, 2)
    os.truncate(folder / "ckpt-2.data-00000-of-00001", 1000)
    code, out, err = start("--mode=eval")
    assert (code, err) == (0, "") and "ckpt-2 is damaged and left out" in out
    assert (folder / "result_1.json").exists()


def test_a_checkpoint_of_a_later_format_is_refused(start, tmp_path, monkeypatch):
    monkeypatch.setattr("simclr_tf.experiment.checkpoints.FORMAT", 3)
    assert start("--train_steps=1")[0] == 0
    monkeypatch.undo()
    code, _, err = start("--train_steps=2")
    assert code == 2 and "is of format 3, and this release reads up to 2" in err
