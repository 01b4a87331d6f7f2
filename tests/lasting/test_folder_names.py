"""Names of folders with special characters, and links."""

import os
import re

import pytest

from simclr_tf.experiment import checkpoint_files
from simclr_tf.literal_paths import literal
from tests.lasting.runs import assert_same, variables


@pytest.mark.parametrize("name", ["lr[0.3] \\ a*b? größe/", "link"])
def test_names_of_folders_mean_themselves(start, tmp_path, monkeypatch, whole, name):
    folder = tmp_path / "here" / name
    os.makedirs(tmp_path / "real" if name == "link" else folder)
    if name == "link":
        os.makedirs(tmp_path / "here")
        os.symlink(tmp_path / "real", folder)
    for file in os.listdir(whole):
        if re.match(r"ckpt-[12]\.", file):
            os.link(whole / file, folder / file)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    code, out, err = start(
        "--train_steps=4",
        "--checkpoint_steps=1",
        "--keep_checkpoint_max=1",
        "--loggers=tensorboard,jsonl",
        model_dir=f"../here/{name}",
    )
    assert (code, err) == (0, "") and "steps      2 to 4" in out
    assert checkpoint_files.steps(folder) == [4]
    with literal(str(folder)) as path:
        assert_same(variables(path, 4), variables(whole, 4))
    assert os.listdir(folder / "train")


def test_a_run_in_a_folder_with_wildcards_is_judged_exported_and_started_from(
    start, tmp_path
):
    assert start("--train_steps=1", model_dir="lr[0.3]")[0] == 0
    there = str(tmp_path / "lr[0.3]")
    code, out, err = start(
        "--mode=eval", "--export_formats=saved_model", model_dir=there
    )
    assert (code, err) == (0, "") and "ckpt-1" in out
    common = ("--train_steps=1",)
    for flags in (
        ("--train_mode=finetune", f"--checkpoint={there}"),
        ("--train_mode=finetune", f"--checkpoint={there}/ckpt-1"),
        ("--train_mode=distill", f"--teacher={there}"),
        ("--train_mode=distill", f"--teacher={there}/saved_model/1"),
    ):
        code, _, err = start(*common, *flags, model_dir=f"[{len(flags[1])}]")
        assert (code, err) == (0, ""), flags
