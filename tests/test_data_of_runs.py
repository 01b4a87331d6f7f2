"""Data sets of many kinds through the command."""

import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

import run
from tests import pictures

SMALL = (
    "--image_size=8 --resnet_depth=18 --width_multiplier=0.125 --train_batch_size=4 "
    "--train_steps=1 --warmup_epochs=0 --use_blur=False --color_jitter_strength=0 "
    "--seed=1 --noreport --loggers=jsonl --export_formats=safetensors"
).split()


@pytest.fixture
def start(tmp_path, capsys):
    def call(*arguments):
        code = run.main(["run.py", *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def pets(tmp_path):
    folder = tmp_path / "pets"
    names = ("cat", "dog")
    pictures.write(folder / names[n % 2] / f"{n}.png" for n in range(20))
    return folder


def test_a_part_is_held_out_where_there_is_no_split_to_judge_on(start, pets, tmp_path):
    words = [*SMALL, f"--dataset={pets}", f"--model_dir={tmp_path / 'run'}"]
    code, out, err = start("--mode=train_then_eval", "--evaluators=knn", *words)
    assert (code, err) == (0, "")
    assert "Held out to evaluate on" in out and "2 of 20 images" in out
    assert "18 images, 2 classes" in out and "smallest class cat 9" in out
    first = json.loads((tmp_path / "run" / "result.json").read_text())
    code, out, _ = start("--mode=eval", f"--model_dir={tmp_path / 'run'}")
    assert code == 0 and "Warning: the images" not in out
    assert json.loads((tmp_path / "run" / "result.json").read_text()) == first


def test_pretraining_alone_takes_all_and_evaluation_says_so(start, pets, tmp_path):
    words = [*SMALL, f"--dataset={pets}", f"--model_dir={tmp_path / 'run'}"]
    code, out, _ = start(*words)
    assert code == 0 and "all 20 images are trained on" in out
    code, out, _ = start("--mode=eval", f"--model_dir={tmp_path / 'run'}")
    assert code == 0 and "were trained on as well" in out


def test_another_data_set_for_the_evaluators(start, pets, tmp_path):
    code, out, err = start(
        "--mode=train_then_eval",
        f"--dataset={pets / 'cat'}",
        f"--probe_dataset={pets}",
        f"--model_dir={tmp_path / 'run'}",
        *SMALL,
    )
    assert (code, err) == (0, "")
    assert "10 images, no labels" in out
    assert "2 classes, for the linear head" in out and "does not judge" not in out
    results = json.loads((tmp_path / "run" / "result.json").read_text())
    assert "eval/head_top_1_accuracy" in results


def test_a_probe_folder_that_changed_changes_no_resumed_run(
    start, pets, tmp_path, killed_after_a_save
):
    shutil.copytree(pets, tmp_path / "probe")
    words = [f"--dataset={pets / 'cat'}", f"--probe_dataset={tmp_path / 'probe'}"]
    words += [*SMALL, "--train_steps=4", "--checkpoint_steps=2"]
    assert start(*words, f"--model_dir={tmp_path / 'whole'}")[0] == 0
    words += [f"--model_dir={tmp_path / 'run'}"]
    with killed_after_a_save():
        assert start(*words)[0] == 130
    shutil.copy(pets / "dog" / "1.png", tmp_path / "probe" / "cat" / "new.png")
    code, out, err = start(*words)
    assert (code, err) == (0, "")
    whole, resumed = (
        tf.train.load_checkpoint(str(tmp_path / run / "ckpt-4"))
        for run in ("whole", "run")
    )
    keys = [k for k in whole.get_variable_to_shape_map() if k.startswith("model/")]
    assert any("linear_head" in key for key in keys)
    for key in keys:
        np.testing.assert_array_equal(whole.get_tensor(key), resumed.get_tensor(key))


def test_a_probe_array_that_changed_is_refused(
    start, pets, tmp_path, killed_after_a_save
):
    images = np.zeros([20, 9, 8, 3], "uint8")
    path = tmp_path / "probe.npz"
    np.savez(path, images=images, labels=np.arange(20) % 2)
    words = [f"--dataset={pets / 'cat'}", f"--probe_dataset={path}", *SMALL]
    words += [
        "--train_steps=2",
        "--checkpoint_steps=1",
        f"--model_dir={tmp_path / 'run'}",
    ]
    with killed_after_a_save():
        assert start(*words)[0] == 130
    np.savez(path, images=images[:10], labels=np.arange(10) % 2)
    code, _, err = start(*words)
    assert code == 2 and "num_probe_examples" in err


def test_unlabelled_images_among_labelled_ones(start, pets, tmp_path):
    os.rename(pets / "cat" / "0.png", pets / "stray.png")
    both = (f"--dataset={pets}", f"--model_dir={tmp_path / 'run'}", *SMALL)
    code, out, err = start("--mode=train_then_eval", "--train_steps=5", *both)
    assert (code, err) == (0, "")
    assert "1 unlabelled" in out and "nan" not in out


def test_check_needs_no_folder_of_a_run_and_writes_nothing(start, pets, tmp_path):
    code, out, err = start("--mode=check", f"--dataset={pets}")
    assert (code, err) == (0, "")
    assert "20 images, 2 classes" in out and "formats: 20 PNG" in out
    _, start_with = out.split("A start for 20 images of ")
    assert f"--dataset={pets}" in start_with and "--train_batch_size=4 " in start_with
    assert os.listdir(tmp_path) == ["pets"]


def test_test_is_judged_on_where_there_is_no_validation(start, pets, tmp_path):
    for split in ("Train", "Test"):
        shutil.copytree(pets, tmp_path / "split" / split)
    words = [f"--dataset={tmp_path / 'split'}", f"--model_dir={tmp_path / 'run'}"]
    code, out, err = start("--mode=train_then_eval", "--evaluators=knn", *words, *SMALL)
    assert (code, err) == (0, "")
    assert "No split validation: the split Test is taken." in out
    assert "all 20 images are trained" not in out and "Held out" not in out
    code, out, err = start("--eval_split=dev_2", "--mode=eval", *words)
    assert code == 0 and "the split Test" in out
    code, out, err = start("--eval_split=others", "--mode=eval", *words)
    assert code == 2 and "no split others" in err
