"""Evaluation beside a training, and features as files, from flags to files."""

import json
import os
import shutil
import threading

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import run
from simclr_tf.experiment import checkpoints, following
from tests import pictures

SMALL = (
    "--image_size=8 --resnet_depth=18 --width_multiplier=0.0625 --num_proj_layers=2 "
    "--proj_out_dim=8 --train_batch_size=8 --warmup_epochs=0 --eval_batch_size=8 "
    "--use_blur=False --color_jitter_strength=0 --seed=1 --eval_split=test "
    "--checkpoint_steps=1 --noreport"
).split()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """`data`, 8 training and 5 test pictures of two classes; `run`, 4 steps on them."""
    place = tmp_path_factory.mktemp("trained")
    folder = pictures.write_cats_and_dogs(place / "data")
    places = [f"--dataset={folder}", f"--model_dir={place / 'run'}"]
    assert run.main(["run.py", *SMALL, *places, "--train_steps=4"]) == 0
    return place


@pytest.fixture
def start(trained, tmp_path, capsys):
    """Runs the command; returns exit code, stdout and stderr."""

    def run_command(*flags, dataset=None, model_dir="run"):
        capsys.readouterr()
        dataset = dataset or trained / "data"
        places = [f"--dataset={dataset}", f"--model_dir={tmp_path / model_dir}"]
        code = run.main(["run.py", *SMALL, *places, *flags])
        out, err = capsys.readouterr()
        return code, out, err

    return run_command


@pytest.fixture
def bring(trained, tmp_path):
    """Makes the folder of the run what it was when these checkpoints were there."""

    def bring_checkpoints(*steps):
        (tmp_path / "run").mkdir(exist_ok=True)
        for step in steps:
            for file in (trained / "run").glob(f"ckpt-{step}.*"):
                shutil.copy(file, tmp_path / "run")
        paths = [str(tmp_path / "run" / f"ckpt-{step}") for step in steps]
        state = tf.compat.v1.train.update_checkpoint_state
        state(str(tmp_path / "run"), paths[-1], paths)

    return bring_checkpoints


@pytest.fixture
def quick(monkeypatch):
    """Looks into the folder often."""
    monkeypatch.setattr(following, "_PAUSE", 0.05)


def evaluated(out):
    """Steps of the checkpoints that an evaluation took, in order."""
    lines = [line for line in out.splitlines() if line.startswith("Evaluating ")]
    return [checkpoints.step_of(line.rstrip(".")) for line in lines]


def curve(directory):
    """`{(tag, step)}` of the scalars in a folder of events."""
    points = set()
    for name in os.listdir(directory):
        for record in tf.data.TFRecordDataset(os.path.join(directory, name)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            points |= {(value.tag, event.step) for value in event.summary.value}
    return points


def test_evaluation_follows_a_training_to_its_last_step(
    start, bring, tmp_path, monkeypatch, quick
):
    bring(1, 2)
    look = following._step_after

    def look_and_go_on(folder, last, *told):
        found = look(folder, last, *told)
        if (last, found) == (2, following._NONE):  # it waits: the training goes on
            bring(1, 2, 3, 4)
        return found

    monkeypatch.setattr(following, "_step_after", look_and_go_on)
    code, out, err = start("--mode=eval", "--eval_timeout=60", "--compare_untrained")
    assert (code, err) == (0, "")
    assert evaluated(out) == [2, 3, 4]  # the newest, then each new one once
    assert out.count("waiting up to") == 1
    assert "ckpt-2 of 4 steps; waiting up to 60 s for the next one." in out
    results = {
        step: json.loads((tmp_path / "run" / f"result_{step}.json").read_text())
        for step in (2, 3, 4)
    }
    assert not os.path.exists(tmp_path / "run" / "result_1.json")
    newest = json.loads((tmp_path / "run" / "result.json").read_text())
    assert newest == results[4] and newest["global_step"] == 4.0
    # Random weights are judged once; every checkpoint has weights of its own.
    untrained = "eval/untrained_label_top_1_accuracy"
    assert len({result[untrained] for result in results.values()}) == 1
    penalty = "eval/regularization_loss"
    assert len({result[penalty] for result in results.values()}) == 3
    assert os.listdir(tmp_path / "run" / "saved_model") == ["4"]
    points = curve(tmp_path / "run" / "eval")
    assert {step for _, step in points} == {2, 3, 4}
    assert {tag for tag, _ in points} == newest.keys() - {"global_step"}


def test_a_checkpoint_that_is_named_is_all_there_is(start, trained, tmp_path):
    code, out, _ = start("--mode=eval", f"--checkpoint={trained / 'run' / 'ckpt-1'}")
    assert code == 0 and evaluated(out) == [1] and "waiting" not in out
    assert os.listdir(tmp_path / "run" / "saved_model") == ["1"]


def test_evaluation_ends_when_no_checkpoint_comes(start, bring, monkeypatch, quick):
    bring(1)
    code, out, _ = start("--mode=eval", "--eval_timeout=0.2")
    assert code == 0 and evaluated(out) == [1]
    assert "ckpt-1 of 4 steps; waiting up to 0.2 s for the next one." in out
    assert "No new checkpoint in 0.2 s." in out
    bring(1, 2)
    fill = checkpoints.fill

    def fill_while_the_training_goes_on(*arguments):
        fill(*arguments)
        bring(1, 2, 3)

    monkeypatch.setattr(checkpoints, "fill", fill_while_the_training_goes_on)
    code, out, _ = start("--mode=eval", "--eval_timeout=0")
    assert code == 0 and evaluated(out) == [2] and "waiting" not in out


def test_evaluation_waits_for_the_first_checkpoint(start, bring, tmp_path, quick):
    appear = threading.Timer(0.5, bring, (4,))
    appear.start()
    code, out, _ = start("--mode=eval", "--eval_timeout=20")
    appear.join()
    assert code == 0 and evaluated(out) == [4]
    assert f"No checkpoint in {tmp_path / 'run'} yet; waiting up to 20 s" in out


@pytest.mark.parametrize("timeout", ["0", "0.1"])
def test_no_checkpoint_is_one_line_and_writes_nothing(start, tmp_path, quick, timeout):
    code, _, err = start("--mode=eval", f"--eval_timeout={timeout}")
    assert code == 2 and err.count("\n") == 1
    assert err.startswith("run.py: --model_dir=") and "no checkpoint there" in err
    assert not os.path.exists(tmp_path / "run")


def test_a_checkpoint_that_is_deleted_before_it_is_read_is_left_out(
    start, bring, tmp_path, monkeypatch, quick
):
    bring(1, 2, 3, 4)
    fill, look = checkpoints.fill, following._step_after

    def fill_or_lose(prefix, *networks):
        if prefix.endswith("ckpt-2"):
            for file in tmp_path.glob("run/ckpt-2.*"):
                file.unlink()
        fill(prefix, *networks)

    def from_the_first(folder, last, *told):
        return 1 if last == following._NONE else look(folder, last, *told)

    monkeypatch.setattr(checkpoints, "fill", fill_or_lose)
    monkeypatch.setattr(following, "_step_after", from_the_first)
    code, out, err = start("--mode=eval")
    assert (code, err) == (0, "")
    assert evaluated(out) == [1, 3, 4]
    assert "ckpt-2 was deleted before it was read: left out." in out


def test_a_damaged_checkpoint_is_not_taken_for_a_deleted_one(start, bring, tmp_path):
    bring(4)
    (data,) = tmp_path.glob("run/ckpt-4.data-*")
    os.truncate(data, 10)
    code, _, err = start("--mode=eval")
    assert code == 2 and "damaged" in err


def test_ctrl_c_ends_the_waiting_in_words(start, bring, monkeypatch):
    def press(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(following.time, "sleep", press)
    bring(1)
    code, out, err = start("--mode=eval")
    assert (code, err) == (130, "") and evaluated(out) == [1]
    assert out.splitlines()[-1].startswith("Stopped.")


def test_checkpoints_that_do_not_say_their_last_step_are_finished(
    start, bring, monkeypatch
):
    describe = checkpoints.describe

    def as_of_old(*arguments):
        return {k: v for k, v in describe(*arguments).items() if k != "train_steps"}

    monkeypatch.setattr(checkpoints, "describe", as_of_old)
    bring(1)
    code, out, _ = start("--mode=eval", "--eval_timeout=20")
    assert code == 0 and evaluated(out) == [1] and "waiting" not in out


def test_embed_writes_features_of_the_encoder_in_every_format(
    start, bring, trained, tmp_path
):
    bring(4)
    before = set(os.listdir(tmp_path / "run"))
    code, out, err = start("--mode=embed", "--embed_formats=npz,parquet,projector")
    assert (code, err) == (0, "")
    assert "5 of 5 images, 32 features each." in out
    written = set(os.listdir(tmp_path / "run")) - before
    assert written == {"embeddings", "projector"}
    folder = tmp_path / "run" / "embeddings"
    assert sorted(os.listdir(folder)) == ["test_4.npz", "test_4.parquet"]
    arrays = np.load(folder / "test_4.npz")
    files = sorted(str(path) for path in trained.glob("data/test/*/*.png"))
    assert arrays["file_names"].tolist() == files
    names = arrays["class_names"][arrays["labels"]].tolist()
    assert names == [os.path.basename(os.path.dirname(file)) for file in files]
    start("--mode=export")
    served = tf.saved_model.load(str(tmp_path / "run" / "saved_model" / "4"))
    encoded = tf.stack([tf.io.read_file(file) for file in files])
    outputs = served.signatures["serve_image_bytes"](image_bytes=encoded)
    np.testing.assert_allclose(arrays["features"], outputs["features"], atol=1e-4)
    lines = (tmp_path / "run" / "projector" / "test_4.tsv").read_text().splitlines()
    rows = [[float(value) for value in line.split("\t")] for line in lines]
    np.testing.assert_array_equal(np.float32(rows), arrays["features"])


def test_embed_takes_unlabelled_images_and_any_checkpoint(start, trained, tmp_path):
    code, out, err = start(
        "--mode=embed",
        "--eval_split=train",
        f"--checkpoint={trained / 'run' / 'ckpt-1'}",
        "--eval_steps=1",
        "--eval_batch_size=3",
        dataset=trained / "data" / "train" / "cat",
    )
    assert (code, err) == (0, "")
    assert os.listdir(tmp_path / "run") == ["embeddings"]
    arrays = np.load(tmp_path / "run" / "embeddings" / "train_1.npz")
    assert sorted(arrays) == ["features", "file_names"]
    assert arrays["features"].shape == (3, 32)
    names = [os.path.basename(name) for name in arrays["file_names"]]
    assert names == ["0.png", "2.png", "4.png"]


def test_embed_of_images_that_are_no_files_has_no_file_names(start, bring, tmp_path):
    bring(4)
    code, _, err = start("--mode=embed", "--eval_steps=1", dataset="bundled")
    assert (code, err) == (0, "")
    arrays = np.load(tmp_path / "run" / "embeddings" / "test_4.npz")
    assert sorted(arrays) == ["class_names", "features", "labels"]
    assert arrays["class_names"][9] == "ankle boot"


def test_embed_without_a_checkpoint_is_one_line_and_writes_nothing(start, tmp_path):
    code, _, err = start("--mode=embed")
    assert code == 2 and "no checkpoint there" in err and err.count("\n") == 1
    assert not os.path.exists(tmp_path / "run")


def test_training_logs_whether_it_learns_and_says_when_it_does_not(start, tmp_path):
    for number in range(8):
        label = tmp_path / "black" / ("cat", "dog")[number % 2]
        label.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(label / f"{number}.png")
    code, out, err = start(
        "--train_steps=30",
        "--train_summary_steps=10",
        "--checkpoint_steps=30",
        "--micro_batch_size=4",
        dataset=tmp_path / "black",
    )
    assert (code, err) == (0, "")
    assert "contrast_loss 2.708 (chance 2.708)" in out  # ln 15
    assert out.count("Warning at step 20: the embeddings have collapsed") == 1
    assert out.count("Warning at step 20: it does not learn") == 1
    assert out.count("collapsed") == 1
    tags = {tag for tag, _ in curve(tmp_path / "run" / "train")}
    assert {
        "train/embedding_std",
        "train/alignment",
        "train/uniformity",
        "train/hardest_negative",
        "train/likely_false_negatives",
        "train/contrast_loss_chance",
        "train/supervised_acc",
    } <= tags


def test_another_run_is_judged_on_the_same_images(start, bring, tmp_path):
    bring(4)
    other = ["--width_multiplier=0.125", "--image_size=12", "--evaluators=knn"]
    code, out, err = start(
        "--mode=train_then_eval", "--train_steps=1", *other, model_dir="other"
    )
    assert code == 0, err
    path = str(tmp_path / "other")
    compare = ["--mode=eval", "--evaluators=knn", "--eval_timeout=0"]
    code, out, err = start(*compare, f"--compare={path}")
    assert code == 0, err
    assert f"  {path}" in out
    here, there = (
        json.loads((tmp_path / name / "result.json").read_text())
        for name in ("run", "other")
    )
    for figure in ("knn_top_1_accuracy", "knn_mean_per_class_accuracy"):
        assert here[f"eval/{path}/{figure}"] == there[f"eval/{figure}"]
    code, out, err = start(*compare, f"--compare={path},{tmp_path / 'nowhere'}")
    assert code == 2 and "--compare=" in err and "nowhere: no checkpoint there" in err
