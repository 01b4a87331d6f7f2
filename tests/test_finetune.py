"""Fine-tuning, subsets of labels, linear evaluation and distillation, by command."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import flags
import run
from simclr_tf import data
from simclr_tf.experiment import cached_features, labels
from tests import programs

SMALL = (
    "--image_size=8 --resnet_depth=18 --width_multiplier=0.0625 --num_proj_layers=2 "
    "--proj_out_dim=8 --train_batch_size=8 --warmup_epochs=0 --eval_batch_size=8 "
    "--use_blur=False --color_jitter_strength=0 --eval_split=test --seed=1 --noreport"
).split()
LINEAR = (
    "--train_mode=finetune --fine_tune_after_block=4 --augmentation=none "
    "--checkpoint_scope=encoder --optimizer=momentum --learning_rate=30 "
    "--weight_decay=0 --zero_init_logits_layer=True"
).split()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Folder `data`: 20 training and 8 test pictures of two classes."""
    home = tmp_path_factory.mktemp("finetune")
    random = np.random.RandomState(0)
    for split, count in (("train", 10), ("test", 4)):
        for label in ("cat", "dog"):
            (home / "data" / split / label).mkdir(parents=True)
            for number in range(count):
                pixels = random.randint(0, 256, [9, 10, 3]).astype("uint8")
                path = home / "data" / split / label / f"{label}_{number}.png"
                Image.fromarray(pixels).save(path)
    return home


def command(home, *arguments, dataset="data"):
    return run.main(["run.py", *SMALL, f"--dataset={home / dataset}", *arguments])


@pytest.fixture(scope="module")
def pretrained(home):
    """Folder of a pre-trained run, with a linear head and a SavedModel."""
    folder = str(home / "pretrained")
    assert command(home, "--train_steps=2", f"--model_dir={folder}") == 0
    assert command(home, "--mode=export", f"--model_dir={folder}") == 0
    return folder


@pytest.fixture
def start(home, tmp_path, capsys):
    """Runs the command; returns exit code, stdout and stderr."""

    def run_command(*arguments, model_dir="run", dataset="data"):
        capsys.readouterr()
        folder = f"--model_dir={tmp_path / model_dir}"
        code = command(home, *arguments, folder, dataset=dataset)
        return code, *capsys.readouterr()

    return run_command


def worked(result, *words):
    code, out, err = result
    assert (code, err) == (0, ""), err
    for word in words:
        assert word in out
    return out


def refused(result, *words):
    code, _, err = result
    assert code == 2
    assert err.startswith("run.py: ") and err.count("\n") == 1, err
    for word in words:
        assert word in err


def saved(folder, part="model/"):
    """Variables of a run's last checkpoint by their path."""
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(folder)))
    keys = [key for key in reader.get_variable_to_shape_map() if "VALUE" in key]
    return {key: reader.get_tensor(key) for key in keys if key.startswith(part)}


def assert_same(one, two, **tolerance):
    assert one.keys() == two.keys() and one
    for key, value in one.items():
        np.testing.assert_allclose(value, two[key], **tolerance, err_msg=key)


def results(tmp_path, name="run"):
    return json.loads((tmp_path / name / "result.json").read_text())


@pytest.mark.parametrize("name", flags.presets())
def test_every_preset_runs_three_steps(start, pretrained, name):
    config, _ = flags.parse(
        ["run.py", f"--preset={name}", "--model_dir=r", "--mode=export"], print
    )
    mode = config.train.train_mode
    more = {"finetune": [f"--checkpoint={pretrained}"], "pretrain": []}
    more["distill"] = [f"--teacher={pretrained}"]
    if config.data.label_fraction < 1:
        more[mode] += ["--label_fraction=0.5"]
    out = worked(
        start(
            f"--preset={name}",
            *more[mode],
            "--train_steps=3",
            "--checkpoint_steps=3",
            "--train_summary_steps=3",
        ),
        "step 3/3",
    )
    assert ("10 images, 2 classes" in out) == (config.data.label_fraction < 1)


def test_finetuning_learns_from_the_labelled_part_alone(start, pretrained, tmp_path):
    out = worked(
        start(
            "--mode=train_then_eval",
            "--train_mode=finetune",
            f"--checkpoint={pretrained}",
            "--label_fraction=0.5",
            "--train_batch_size=5",
            "--train_epochs=2",
            "--evaluators=head,knn",
        ),
        "Labels: 10 of 20 images.",
        "train, 10 images, 2 classes",
        "0 to 5, 5 images",  # 10 x 2 // 5 + 1, the published rule
    )
    assert "Warning" not in out
    assert results(tmp_path)["global_step"] == 5


def test_a_list_of_names_chooses_the_images(start, pretrained, tmp_path):
    listing = tmp_path / "list.txt"
    listing.write_text("cat_3.png\ntrain/dog/dog_7.png\ndog_1.png\n")
    finetune = ["--train_mode=finetune", f"--checkpoint={pretrained}"]
    few = [*finetune, f"--label_file={listing}", "--train_steps=1"]
    worked(start(*few), "Labels: 3 of 20 images.")
    listing.write_text("".join(f"{number}.JPEG\n" for number in range(9)))
    refused(
        start(*few, model_dir="b"),
        f"--label_file={listing}: no image is called 0.JPEG, 1.JPEG, 2.JPEG (and 6",
    )
    refused(start(*few, "--label_fraction=0.5"), "--label_fraction must be 1 with")
    refused(
        start(*finetune, "--label_file=no.txt", "--train_steps=1", model_dir="b"),
        "--label_file=no.txt cannot be read",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("simclr_tf.data.FileSource.file_names", lambda self: None)
        refused(start(*few, model_dir="b"), "needs images that have file names")
    assert not os.path.exists(tmp_path / "b")


def test_classes_without_a_label_are_named(start, pretrained):
    finetune = ("--train_mode=finetune", f"--checkpoint={pretrained}")
    out = worked(start(*finetune, "--label_fraction=0.05", "--train_steps=1"))
    assert "Warning: 1 of 2 classes have no labelled image: " in out
    refused(
        start(*finetune, "--label_fraction=0.01", "--train_steps=1", model_dir="b"),
        "--label_fraction=0.01 of 20 images is none; it must be at least 0.05 here",
    )


def test_evaluators_learn_from_the_labelled_part(start, pretrained, tmp_path):
    # The only labelled image votes alone: all are of its class, half of them rightly.
    out = worked(
        start(
            "--mode=eval",
            f"--checkpoint={pretrained}",
            "--evaluators=knn",
            "--label_fraction=0.05",
        ),
        "Labels: 1 of 20 images.",
    )
    assert "Warning: 1 of 2 classes" in out
    assert results(tmp_path)["eval/knn_top_1_accuracy"] == 0.5


def test_the_supervised_baseline_starts_from_random_weights(start, tmp_path):
    baseline = ("--train_mode=finetune", "--from_scratch", "--train_steps=2")
    out = worked(start(*baseline, "--mode=train_then_eval"), "step 2/2")
    assert "Initialised" not in out
    assert "eval/label_top_1_accuracy" in results(tmp_path)
    worked(start("--mode=eval"))  # remembers --from_scratch, which hinders nothing
    worked(start("--mode=eval", f"--checkpoint={tmp_path / 'run'}", model_dir="b"))


@pytest.fixture(scope="module")
def tfrecord(home):
    """The training pictures as a source without random access."""
    with tf.io.TFRecordWriter(str(home / "train.tfrecord")) as writer:
        for number, path in enumerate(sorted((home / "data" / "train").rglob("*.png"))):
            image = tf.train.BytesList(value=[path.read_bytes()])
            label = tf.train.Int64List(value=[number // 10])
            feature = {
                "image/encoded": tf.train.Feature(bytes_list=image),
                "image/class/label": tf.train.Feature(int64_list=label),
            }
            features = tf.train.Features(feature=feature)
            writer.write(tf.train.Example(features=features).SerializeToString())
    return "train.tfrecord"


@pytest.mark.parametrize("kind", ["folder", "tfrecord", "projection"])
def test_cached_features_change_nothing_but_speed(
    start, pretrained, tmp_path, tfrecord, kind, monkeypatch, smooth
):
    linear = [*LINEAR, f"--checkpoint={pretrained}", "--train_steps=7"]
    if kind == "projection":
        linear += ["--checkpoint_scope=model", "--ft_proj_selector=1"]
    dataset = tfrecord if kind == "tfrecord" else "data"
    out = worked(start(*linear, model_dir="cached", dataset=dataset))
    assert "features are computed once" in out
    monkeypatch.setattr(cached_features, "applies", lambda *arguments: False)
    out = worked(start(*linear, model_dir="plain", dataset=dataset))
    assert "features are computed once" not in out
    cached, plain = saved(tmp_path / "cached"), saved(tmp_path / "plain")
    assert_same(cached, plain, rtol=1e-4, atol=1e-4)
    head = saved(tmp_path / "cached", "model/linear_head/kernel")
    assert np.max(next(iter(head.values()))) > 1e-3  # it began at 0


@pytest.mark.parametrize("extra", ["--global_bn=True", "--global_bn=False"])
@pytest.mark.parametrize("augmentation", ["none", "crop_and_flip"])
def test_linear_evaluation_trains_the_head_alone(
    start, pretrained, tmp_path, extra, augmentation
):
    linear = [*LINEAR, f"--checkpoint={pretrained}", "--train_steps=3", extra]
    worked(start(*linear, f"--augmentation={augmentation}"))
    assert_same(
        saved(pretrained, "model/encoder/"), saved(tmp_path / "run", "model/encoder/")
    )
    state = saved(tmp_path / "run", "optimizer/")
    shapes = {np.shape(value) for value in state.values()}
    assert shapes == {(), (32, 2), (2,)}  # numbers, and momenta of kernel and bias


def test_linear_evaluation_under_two_replicas(
    home, start, pretrained, tmp_path, smooth
):
    linear = [*LINEAR, f"--checkpoint={pretrained}", "--train_steps=4"]
    worked(start(*linear))
    arguments = [*SMALL, *linear, f"--dataset={home / 'data'}"]
    arguments += [f"--model_dir={tmp_path / 'two'}", "--num_cpu_replicas=2"]
    printed = programs.run("tests/distribution/run_script.py", *arguments)
    assert "features are computed once" in printed
    encoder = "model/encoder/"
    assert_same(saved(pretrained, encoder), saved(tmp_path / "two", encoder))
    assert_same(saved(tmp_path / "run"), saved(tmp_path / "two"), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mode", ["linear", "distill"])
def test_a_killed_run_resumes_bit_identical(
    start, pretrained, tmp_path, killed_after_a_save, mode
):
    distill = ["--train_mode=distill", f"--teacher={pretrained}", "--label_weight=0.3"]
    linear = [*LINEAR, f"--checkpoint={pretrained}"]
    arguments = {"linear": linear, "distill": distill}[mode]
    arguments += ["--train_steps=4", "--checkpoint_steps=2"]
    worked(start(*arguments, model_dir="whole"))
    with killed_after_a_save():
        assert start(*arguments)[0] == 130
    worked(start(*arguments), "2 to 4")
    for part in ("model/", "optimizer/"):
        assert_same(saved(tmp_path / "whole", part), saved(tmp_path / "run", part))


def test_distillation_writes_all_that_a_run_promises(start, pretrained, tmp_path):
    another = ("--resnet_depth=34", "--width_multiplier=0.03")  # network: the student
    out = worked(
        start(
            "--mode=train_then_eval",
            "--train_mode=distill",
            f"--teacher={pretrained}",
            *another,
            "--label_weight=0.5",
            "--label_fraction=0.5",
            "--evaluators=head,knn",
            "--train_steps=2",
            "--train_summary_steps=1",
        ),
        "Labels: 10 of 20 images.",
        "train, 20 images, 2 classes",  # all train
        "ResNet-34 x 0.03",
        "temperature 1, labels weigh 0.5",
    )
    assert "Initialised" not in out
    assert {"eval/label_top_1_accuracy", "eval/knn_top_1_accuracy"} <= set(
        results(tmp_path)
    )
    served = tf.saved_model.load(str(tmp_path / "run" / "saved_model" / "2"))
    views = served.signatures["preprocessed"](images=tf.zeros([3, 8, 8, 3]))
    assert views["logits"].shape == (3, 2) and views["features"].shape == (3, 15)
    names = set()
    (file,) = (tmp_path / "run" / "train").iterdir()
    for record in tf.data.TFRecordDataset(str(file)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        names |= {value.tag for value in event.summary.value}
    assert {
        "train/distill_loss",
        "train/supervised_loss",
        "train/supervised_acc",
        "train/total_loss",
        "train/view_a",
    } <= names
    worked(start("--mode=eval", *another), "linear head  ")  # needs no teacher


@pytest.mark.parametrize(
    "mode", [["--train_mode=distill", "--teacher=t"], ["--loss=supcon"]]
)
def test_distillation_and_supcon_hide_the_other_labels(home, mode):
    arguments = [f"--dataset={home / 'data'}", "--model_dir=r", "--label_fraction=0.5"]
    config, _ = flags.parse(["run.py", *mode, *arguments])
    source = labels.open_training_split(config, lambda line: None)
    every = np.repeat([0, 1], 10)
    hidden = np.full(20, -1)
    chosen = data.balanced_subset(every, 0.5)
    hidden[chosen] = every[chosen]
    assert [int(label) for _, label in source.as_dataset()] == hidden.tolist()


def test_images_without_labels_learn_from_a_saved_model(start, pretrained, tmp_path):
    distill = ["--train_mode=distill", "--train_steps=2"]
    distill += [f"--teacher={pretrained}/saved_model/2"]
    flat = "data/train/cat"
    worked(start(*distill, dataset=flat), "no labels", "step 2/2")
    kernel = saved(tmp_path / "run", "model/linear_head/kernel")
    assert next(iter(kernel.values())).shape == (32, 2)  # classes of the teacher
    refused(
        start(*distill, "--label_weight=0.5", dataset=flat, model_dir="b"),
        "--label_weight=0.5 needs labels, and --dataset=",
    )
    refused(
        start(*distill, "--label_fraction=0.5", dataset=flat, model_dir="b"),
        "--label_fraction needs labels, and --dataset=",
    )
    assert not os.path.exists(tmp_path / "b")


def test_a_student_may_begin_as_its_teacher(start, pretrained):
    distill = ["--train_mode=distill", f"--teacher={pretrained}", "--train_steps=1"]
    out = worked(start(*distill, f"--checkpoint={pretrained}"))
    assert "Initialised the encoder from" in out


def test_wrong_teachers_are_one_line_and_write_nothing(
    start, home, pretrained, tmp_path
):
    distill = ["--train_mode=distill", "--train_steps=1"]
    nothing = tmp_path / "nothing"
    refused(start(*distill, f"--teacher={nothing}"), f"--teacher={nothing}: nothing")
    data_folder = home / "data"
    refused(start(*distill, f"--teacher={data_folder}"), "no checkpoint there")
    off = "--lineareval_while_pretraining=False"
    worked(start("--train_steps=1", off, model_dir="headless"))
    headless = tmp_path / "headless"
    refused(start(*distill, f"--teacher={headless}"), "has no linear head")
    assert start("--mode=export", off, model_dir="headless")[0] == 0
    teacher = f"--teacher={headless}/saved_model/1"
    refused(start(*distill, teacher), "gives no logits")
    three = tmp_path / "three"
    for label in ("cat", "dog", "owl"):
        (three / "train" / label).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(three / "train" / label / "0.png")
    for teacher in (pretrained, f"{pretrained}/saved_model/2"):
        refused(
            start(*distill, f"--teacher={teacher}", dataset=three),
            "knows 2 classes, and the labels of --dataset=",
            "are of 3: they must be the same",
        )
    assert not os.path.exists(tmp_path / "run")
