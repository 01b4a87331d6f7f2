"""The command, from flags to files."""

import json
import os
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import run
from simclr_tf import export
from simclr_tf.experiment import training
from simclr_tf.training import memory

SMALL = (
    "--image_size=8 --resnet_depth=18 --width_multiplier=0.0625 --num_proj_layers=2 "
    "--proj_out_dim=8 --train_batch_size=8 --warmup_epochs=0 --eval_batch_size=8 "
    "--use_blur=False --color_jitter_strength=0 --seed=1 --noreport"
).split()


@pytest.fixture
def folder(tmp_path):
    """Folder of 20 training and 8 test pictures in two classes; `train` has 3 too."""
    random = np.random.RandomState(0)
    for split, count in (("train", 10), ("test", 4)):
        for label in ("cat", "dog"):
            (tmp_path / "data" / split / label).mkdir(parents=True)
            for number in range(count):
                pixels = random.randint(0, 256, [9, 10, 3]).astype("uint8")
                path = tmp_path / "data" / split / label / f"{number}.png"
                Image.fromarray(pixels).save(path)
    return str(tmp_path / "data")


@pytest.fixture
def start(folder, tmp_path, capsys):
    """Runs the command on the folder; returns exit code, stdout and stderr."""

    def run_command(*flags, model_dir="run", dataset=folder, common=SMALL):
        capsys.readouterr()
        code = run.main(
            [
                "run.py",
                *common,
                f"--dataset={dataset}",
                "--eval_split=test",
                f"--model_dir={tmp_path / model_dir}",
                *flags,
            ]
        )
        out, err = capsys.readouterr()
        return code, out, err

    return run_command


def saved(tmp_path, name="run", step=None):
    """Variables of a checkpoint by their path."""
    folder = str(tmp_path / name)
    prefix = f"{folder}/ckpt-{step}" if step else tf.train.latest_checkpoint(folder)
    reader = tf.train.load_checkpoint(prefix)
    keys = [key for key in reader.get_variable_to_shape_map() if "VALUE" in key]
    return {key: reader.get_tensor(key) for key in keys}


def networks(values, part="model/encoder/"):
    return {key: value for key, value in values.items() if key.startswith(part)}


def test_pretrain_writes_all_that_a_run_promises(start, tmp_path):
    code, out, err = start(
        "--mode=train_then_eval",
        "--train_steps=5",
        "--color_jitter_strength=1",
        "--evaluators=head,knn,logistic",
        "--compare_untrained",
    )
    assert (code, err) == (0, "")
    assert "step 5/5" in out and "mean per class" in out
    for title in ("linear head", "nearest neighbours", "logistic regression"):
        assert re.search(f"{title} .*\\n  untrained .* to ", out)
    assert "20 images, 2 classes" in out
    assert re.search(r"memory +about .* for a step, .* are left\n", out)
    results = json.loads((tmp_path / "run" / "result.json").read_text())
    assert results == json.loads((tmp_path / "run" / "result_5.json").read_text())
    assert results["global_step"] == 5.0  # defect B7: exact, no overshoot
    assert isinstance(results["eval/regularization_loss"], float)
    for prefix in ("eval/", "eval/untrained_"):
        for k in (1, 5):
            label = results[f"{prefix}label_top_{k}_accuracy"]  # the published name
            assert label == results[f"{prefix}head_top_{k}_accuracy"]
        for name in ("head", "knn", "logistic"):
            low, middle, high = (
                results[f"{prefix}{name}_top_1_accuracy{end}"]
                for end in ("_low", "", "_high")
            )
            assert 0 <= low <= middle <= high <= 1
            assert 0 <= results[f"{prefix}{name}_mean_per_class_accuracy"] <= 1
        assert results[f"{prefix}logistic_l2"] > 0
    flags = json.loads((tmp_path / "run" / "flags.json").read_text())
    assert flags["image_size"] == 8 and flags["train_steps"] == 5
    served = tf.saved_model.load(str(tmp_path / "run" / "saved_model" / "5"))
    outputs = served.signatures["serving_default"](
        images=tf.zeros([2, 20, 30, 3], tf.uint8)
    )
    assert outputs["features"].shape == (2, 32) and outputs["logits"].shape == (2, 2)
    assert os.path.exists(tmp_path / "run" / "ckpt-5.index")


def test_events_have_the_promised_names(start, tmp_path):
    start("--train_steps=4", "--train_summary_steps=2")
    names, steps = set(), set()
    (file,) = (tmp_path / "run" / "train").iterdir()
    for record in tf.data.TFRecordDataset(str(file)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        names |= {value.tag for value in event.summary.value}
        steps |= {event.step} if event.summary.value else set()
    assert {
        "train/contrast_loss",
        "train/contrast_acc",
        "train/contrast_entropy",
        "train/supervised_loss",
        "train/supervised_acc",
        "train/weight_decay",
        "train/total_loss",
        "learning_rate",
        "train/view_a",
        "train/view_b",
    } <= names
    assert steps == {0, 2, 4}


def test_a_killed_run_resumes_bit_identical(start, tmp_path, killed_after_a_save):
    flags = (
        "--train_steps=4",
        "--checkpoint_steps=2",
        "--keep_checkpoint_max=0",
        "--color_jitter_strength=1",
    )
    start(*flags, model_dir="whole")

    with killed_after_a_save():
        code, out, _ = start(*flags)
    assert code == 130 and "resumes" in out
    assert not os.path.exists(tmp_path / "run" / "ckpt-4.index")
    assert start(*flags)[0] == 0
    whole, resumed = saved(tmp_path, "whole", 4), saved(tmp_path, "run", 4)
    assert whole.keys() == resumed.keys()
    for key, value in networks(whole, "model/").items():
        np.testing.assert_array_equal(value, resumed[key], err_msg=key)
    code, out, _ = start(*flags)
    assert code == 0 and "at the last step already" in out


def test_a_run_whose_files_vanish_ends_and_resumes_bit_identical(
    start, tmp_path, folder, monkeypatch, killed_after_a_save
):
    flags = (
        "--train_steps=4",
        "--checkpoint_steps=2",
        "--keep_checkpoint_max=0",
        "--max_bad_fraction=0.05",
    )
    cats = os.path.join(folder, "train", "cat")
    with open(os.path.join(cats, "7.png"), "wb") as file:
        file.write(b"<html>")  # bad from the start: left out
    shutil.copytree(folder, tmp_path / "copy")
    train = training.train

    def train_without_two(session, log, say):
        for name in ("1.png", "2.png"):
            path = os.path.join(session.config.data.dataset, "train", "cat", name)
            if os.path.exists(path):
                os.remove(path)
        return train(session, log, say)

    monkeypatch.setattr(training, "train", train_without_two)
    code, out, err = start(*flags, model_dir="whole", dataset=str(tmp_path / "copy"))
    assert (code, err) == (0, "")
    for text in ("skipped 1: it", "7.png", "Skipped the image", "cat/1.png"):
        assert text in out
    with killed_after_a_save():
        assert start(*flags)[0] == 130
    code, out, _ = start(*flags)
    assert code == 0 and "19 images" in out  # of the list, though 17 are there
    whole, resumed = saved(tmp_path, "whole", 4), saved(tmp_path, "run", 4)
    for key, value in networks(whole, "model/").items():
        np.testing.assert_array_equal(value, resumed[key], err_msg=key)
    named = (tmp_path / "run" / "bad_images.txt").read_text()
    assert all(f"{number}.png" in named for number in (1, 2, 7))


def test_a_batch_of_more_images_than_there_are_is_refused(start, tmp_path):
    # Defect B14: fewer images than half a batch looped for ever.
    code, _, err = start("--train_batch_size=64", "--train_epochs=3")
    assert code == 2 and "--train_batch_size must be at most 20, got 64" in err
    assert not os.path.exists(tmp_path / "run")
    assert start("--train_batch_size=20", "--train_steps=1")[0] == 0


def test_a_step_that_memory_does_not_hold_is_refused(start, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 100_000)
    code, _, err = start("--train_steps=1")
    assert code == 2 and len(err.splitlines()) == 1
    assert re.search(r"--train_batch_size=8 needs about .* 100 kB are left", err)
    assert not os.path.exists(tmp_path / "run")


@pytest.mark.parametrize("mode", ["none", "linear"])
def test_every_projection_head_runs(start, mode):
    # Defect B3: both crashed.
    code, _, err = start("--train_steps=1", f"--proj_head_mode={mode}")
    assert (code, err) == (0, "")


def test_eval_without_a_head_uses_nearest_neighbours(start, tmp_path):
    # Defect B4: it crashed, and nothing was exported.
    start("--train_steps=2", "--lineareval_while_pretraining=False")
    code, out, err = start("--mode=eval")
    assert (code, err) == (0, "")
    assert "nearest neighbours judge" in out
    results = json.loads((tmp_path / "run" / "result.json").read_text())
    assert "eval/knn_top_1_accuracy" in results
    assert "eval/label_top_1_accuracy" not in results
    assert os.path.isdir(tmp_path / "run" / "saved_model" / "2")


def test_linear_evaluation_keeps_the_encoder_bit_identical(start, tmp_path):
    # Defects B1, B2, B5: from a folder, frozen with its batch statistics, head at zero.
    start("--train_steps=2")
    code, out, err = start(
        "--mode=train_then_eval",
        "--train_mode=finetune",
        "--fine_tune_after_block=4",
        "--zero_init_logits_layer=True",
        f"--checkpoint={tmp_path / 'run'}",
        "--variable_schema=(?!global_step|(?:.*/|^)Momentum|head)",
        "--global_bn=False",
        "--optimizer=momentum",
        "--weight_decay=0",
        "--train_steps=2",
        model_dir="linear",
    )
    assert (code, err) == (0, "")
    assert "Initialised the encoder from" in out and "zero weights" in out
    before = networks(saved(tmp_path, "run"))
    after = networks(saved(tmp_path, "linear"))
    assert before.keys() == after.keys() and before
    for key, value in before.items():
        np.testing.assert_array_equal(value, after[key], err_msg=key)


def test_finetuning_takes_a_prefix_and_another_class_count(start, folder, tmp_path):
    # Defects B5 and B6.
    start("--train_steps=2", "--checkpoint_steps=1")
    extra = os.path.join(folder, "train", "owl")
    os.makedirs(extra)
    Image.new("RGB", (8, 8)).save(os.path.join(extra, "0.png"))
    code, out, err = start(
        "--train_mode=finetune",
        f"--checkpoint={tmp_path / 'run' / 'ckpt-1'}",
        "--ft_proj_selector=1",
        "--train_steps=2",
        model_dir="finetuned",
    )
    assert (code, err) == (0, "")
    assert "Initialised the encoder and projection head" in out
    assert "3 classes (that of the checkpoint has 2), random weights" in out
    kernel = networks(saved(tmp_path, "finetuned"), "model/linear_head/kernel")
    assert next(iter(kernel.values())).shape == (32, 3)


def test_export_from_any_checkpoint_and_load_again(start, tmp_path):
    start("--train_steps=2", "--checkpoint_steps=1")
    code, out, _ = start("--mode=export", f"--checkpoint={tmp_path / 'run' / 'ckpt-1'}")
    assert code == 0 and "saved_model" in out
    encoder = export.load_encoder(tmp_path / "run" / "saved_model" / "1")
    expected = networks(saved(tmp_path, "run", 1))
    assert len(encoder.weights) == len(expected)
    total = sum(float(np.sum(np.array(weight))) for weight in encoder.weights)
    wanted = sum(float(np.sum(value)) for value in expected.values())
    assert total == pytest.approx(wanted, rel=1e-5)


def test_another_keras_network_is_an_encoder(start):
    code, out, err = start(
        "--encoder=MobileNet",
        "--image_size=32",
        "--train_steps=1",
        common=[flag for flag in SMALL if "width" not in flag and "depth" not in flag],
    )
    assert (code, err) == (0, "")
    assert "MobileNet at 32 px" in out


def test_unlabelled_images_pretrain(start, folder, tmp_path):
    flat = os.path.join(folder, "train", "cat")
    code, out, err = start("--train_steps=1", dataset=flat)
    assert (code, err) == (0, "")
    assert "no labels" in out


def refused(result, *words, lines=1):
    code, _, err = result
    assert code == 2
    assert err.startswith("run.py: ") and err.count("\n") == lines, err
    for word in words:
        assert word in err


def test_wrong_data_is_one_line_and_writes_nothing(start, folder, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(start(dataset="cifar11"), "--dataset=cifar11 is unknown", "cifar10")
    refused(start(dataset=str(empty)), "no image there")
    refused(start(dataset=str(tmp_path / "missing")), "no such folder")
    refused(start("--train_split=bogus"), "no split bogus; there are: test, train")
    broken = os.path.join(folder, "train", "cat", "3.png")
    with open(broken, "r+b") as file:
        file.truncate(100)
    refused(start("--max_bad_fraction=0"), "Cannot read 1 of 20 images", broken)
    with open(broken.replace("3.png", "4.png"), "wb"):
        pass
    refused(start(), "Cannot read 2 of 20 images", broken, "--max_bad_fraction=0.01")
    flat = tmp_path / "flat"
    for split in ("train", "test"):
        (flat / split).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(flat / split / "0.png")
    both = "--mode=train_then_eval"
    refused(start(both, dataset=str(flat)), "head needs labels", "--eval_split=test")
    refused(start(both, dataset=str(flat / "train")), "head needs labels")
    assert not os.path.exists(tmp_path / "run")


def test_evaluators_without_labels_to_learn_from_end_before_training(
    start, folder, tmp_path
):
    for name in os.listdir(os.path.join(folder, "train", "cat")):
        os.rename(
            os.path.join(folder, "train", "cat", name),
            os.path.join(folder, "train", name),
        )
    shutil.rmtree(os.path.join(folder, "train", "dog"))
    both = ("--mode=train_then_eval", "--train_steps=1")
    for evaluators in ("knn", "head,logistic", "head"):  # no labels, so no head
        refused(
            start(*both, f"--evaluators={evaluators}"),
            f"--evaluators={evaluators} learns from labels",
            f"--dataset={folder} --train_split=train has none",
        )
    refused(
        start("--loss=supcon", "--train_steps=1"),
        f"--loss=supcon needs labels, and --dataset={folder} split train has none",
    )
    assert not os.path.exists(tmp_path / "run")


def test_labels_that_are_all_minus_one_are_none(start, tmp_path):
    feature = tf.train.Feature
    pixels = tf.io.encode_png(np.zeros([8, 8, 3], "uint8")).numpy()
    example = tf.train.Example(
        features=tf.train.Features(
            feature={
                "image/encoded": feature(bytes_list=tf.train.BytesList(value=[pixels])),
                "image/class/label": feature(int64_list=tf.train.Int64List(value=[-1])),
            }
        )
    )
    path = str(tmp_path / "unlabelled.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(example.SerializeToString())
    refused(start("--mode=train_then_eval", dataset=path), "has none")


def test_wrong_checkpoints_are_one_line_and_write_nothing(start, tmp_path):
    finetune = ("--train_mode=finetune", "--train_steps=1")
    refused(start(*finetune), "finetune needs --checkpoint")
    missing = f"--checkpoint={tmp_path / 'nothing'}"
    refused(start(*finetune, missing), "no checkpoint there")
    assert not os.path.exists(tmp_path / "run")
    start("--train_steps=1", model_dir="other")
    refused(
        start(
            *finetune,
            f"--checkpoint={tmp_path / 'other'}",
            "--resnet_depth=34",
            "--width_multiplier=0.125",
        ),
        "other/ckpt-1 holds other networks than the flags ask for.",
        " resnet_depth              18         34\n",
        " width_multiplier      0.0625      0.125\n",
        lines=5,
    )
    assert not os.path.exists(tmp_path / "run")
    before = sorted(os.listdir(tmp_path / "other"))
    refused(
        start("--train_steps=2", "--sk_ratio=0.5", model_dir="other"),
        " sk_ratio         0.0        0.5\n",
        lines=4,
    )
    assert sorted(os.listdir(tmp_path / "other")) == before
    refused(
        start("--mode=eval", "--eval_timeout=0", model_dir="none"),
        "--model_dir=",
        "no checkpoint",
    )


def test_a_folder_that_cannot_be_written_is_one_line(start, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    refused(start("--train_steps=1", model_dir="file/run"), "cannot be written")


def test_help_lists_the_flags_without_running(capsys):
    assert run.main(["run.py", "--help"]) == 0
    assert "--temperature=0.1" in capsys.readouterr().out
