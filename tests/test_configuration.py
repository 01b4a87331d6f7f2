"""The configuration of a run travels with it: what need not be said again."""

import json
import os
import shutil
import types

import numpy as np
import pytest
from PIL import Image

import flags
import run
from simclr_tf import optimizers
from simclr_tf.errors import UserError
from simclr_tf.experiment import checkpoints, files, networks, resuming, saving

SHORT = "--train_batch_size=8 --warmup_epochs=0 --train_steps=2 --seed=1".split()
NETWORKS = {
    "image_size": 8,
    "resnet_depth": 18,
    "width_multiplier": 0.0625,
    "num_proj_layers": 2,
    "proj_out_dim": 8,
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Folder `data` of two classes, and `pretrained`, a run after its last step."""
    home = tmp_path_factory.mktemp("configuration")
    random = np.random.RandomState(0)
    for split in ("train", "test"):
        for number in range(16):
            folder = home / "data" / split / ("cat", "dog")[number % 2]
            folder.mkdir(parents=True, exist_ok=True)
            pixels = random.randint(0, 256, [9, 10, 3]).astype("uint8")
            Image.fromarray(pixels).save(folder / f"{number}.png")
    arguments = [*SHORT, f"--dataset={home / 'data'}", "--eval_split=test"]
    arguments += [f"--{name}={value}" for name, value in NETWORKS.items()]
    arguments += ["--use_blur=False", f"--model_dir={home / 'pretrained'}"]
    config, values = flags.parse(["run.py", *arguments], print)
    model = networks.build_model(config, optimizers.WarmupCosine(1.0, 0, 2), 2)
    about = checkpoints.description(config, model, 1, train_steps=2, num_examples=16)
    os.makedirs(config.model_dir)
    saving.Keeper(model, about, config.model_dir, keep=1).save(2, figures={})
    files.write_json(f"{config.model_dir}/flags.json", values)
    return home


def command(home, *arguments, model_dir):
    data = [f"--dataset={home / 'data'}", "--eval_split=test"]
    return run.main(
        ["run.py", *SHORT, *data, f"--model_dir={home / model_dir}", *arguments]
    )


@pytest.fixture
def start(home, tmp_path, capsys):
    """Runs the command; returns exit code, stdout and stderr."""

    def run_command(*arguments, model_dir=tmp_path / "run"):
        capsys.readouterr()
        code = command(home, *arguments, model_dir=model_dir)
        return code, *capsys.readouterr()

    return run_command


@pytest.fixture
def parse(tmp_path):
    """Reads a command line; returns the configuration and what was said."""

    def parse_arguments(*arguments):
        said = []
        places = ["--dataset=bundled", f"--model_dir={tmp_path / 'run'}"]
        config, _ = flags.parse(["run.py", *places, *arguments], said.append)
        return config, "".join(said)

    return parse_arguments


def worked(result):
    code, out, err = result
    assert (code, err) == (0, ""), err
    return out


def refused(result):
    code, _, err = result
    assert code == 2 and err.startswith("run.py: "), err
    return err


def remembered(folder):
    with open(folder / "flags.json", encoding="utf-8") as file:
        return json.load(file)


def test_finetuning_and_all_that_follows_need_no_flag_of_the_networks(
    start, home, tmp_path, capsys
):
    finetune = ["--train_mode=finetune", f"--checkpoint={home / 'pretrained'}"]
    out = worked(start(*finetune, "--preset=demo_finetune_10pct", "--train_steps=1"))
    assert f"As in {home / 'pretrained' / 'ckpt-2'}: image_size=8, " in out
    assert "ResNet-18 x 0.0625 at 8 px" in out
    found = remembered(tmp_path / "run")
    assert NETWORKS.items() <= found.items() and found["stem"] == "cifar"
    moved = shutil.move(tmp_path / "run", tmp_path / "elsewhere")
    judge = ["run.py", "--mode=eval", f"--model_dir={moved}", "--eval_timeout=0"]
    assert run.main(judge) == 0
    results = (moved / "result.json").read_text()
    os.remove(moved / "result.json")
    os.remove(moved / "flags.json")  # the checkpoint is enough
    capsys.readouterr()
    assert run.main(judge) == 0
    assert capsys.readouterr().err == ""
    assert (moved / "result.json").read_text() == results


def test_an_image_size_beside_the_checkpoint_wins_and_the_stem_stays(parse, home):
    again = ["--train_mode=finetune", f"--checkpoint={home / 'pretrained'}"]
    config, said = parse(*again, "--image_size=36")
    assert "--image_size=36 instead of the 8 of " in said
    assert "stem=cifar" in said
    assert (config.data.image_size, config.model.stem) == (36, "cifar")
    assert config.model.resnet_depth == 18


def test_networks_of_a_preset_do_not_win(parse, home):
    again = ["--train_mode=finetune", f"--checkpoint={home / 'pretrained' / 'ckpt-2'}"]
    config, said = parse(*again, "--preset=cifar10_linear_eval")
    assert NETWORKS["image_size"] == config.data.image_size
    assert NETWORKS["width_multiplier"] == config.model.width_multiplier
    assert config.model.proj_out_dim == 128  # the head is not read
    assert "ckpt-2: image_size=8, resnet_depth=18, width_multiplier=0.0625." in said


def test_other_networks_are_refused_in_a_table(start, parse, home, tmp_path):
    again = ["--train_mode=finetune", f"--checkpoint={home / 'pretrained'}"]
    err = refused(start(*again, "--proj_out_dim=16", "--resnet_depth=18"))
    assert "pretrained/ckpt-2 holds other networks than the flags ask for.\n" in err
    assert "\n proj_out_dim           8         16\n" in err
    assert "resnet_depth" not in err
    assert not os.path.exists(tmp_path / "run")
    # A head that is not read may be another.
    config, _ = parse(*again, "--proj_out_dim=16", "--checkpoint_scope=encoder")
    assert config.model.proj_out_dim == 16


def test_a_student_has_the_networks_of_its_checkpoint_or_the_size_of_its_teacher(
    parse, home
):
    distill = ["--train_mode=distill", f"--teacher={home / 'pretrained'}"]
    config, _ = parse(*distill, f"--checkpoint={home / 'pretrained'}")
    assert NETWORKS.items() <= config.flags().items()
    config, _ = parse(*distill)
    assert (config.data.image_size, config.model.resnet_depth) == (8, 50)


def test_a_selector_counts_the_layers_of_the_checkpoints_head(parse, home):
    known = [f"--checkpoint={home / 'pretrained'}", "--train_mode=finetune"]
    with pytest.raises(UserError, match="--ft_proj_selector must be at most 2, "):
        parse(*known, "--ft_proj_selector=3")


def test_a_run_goes_on_under_harmless_flags_alone(start, home, tmp_path):
    mine = shutil.copytree(home / "pretrained", tmp_path / "mine")
    before = {path: path.stat().st_mtime_ns for path in mine.rglob("[!.]*")}
    err = refused(start("--learning_rate=1", model_dir=mine))
    assert "mine/ckpt-2 is of a run with other flags.\n" in err
    shown = [" ".join(line.split()) for line in err.splitlines()]
    assert "learning_rate 0.3 1.0" in shown and "use_blur False True" in shown
    assert before == {path: path.stat().st_mtime_ns for path in mine.rglob("[!.]*")}
    out = worked(start("--use_blur=False", "--cache_dataset", model_dir=mine))
    assert "Resumed with other flags: cache_dataset=True (it was False).\n" in out
    assert "at the last step already" in out


def resume(then, now, steps=(4, 4), images=(9, 9), classes=(2, 2)):
    """What is said when a run that began with some flags goes on with others."""
    described = []
    for number, arguments in enumerate((then, now)):
        data = ["--dataset=bundled", "--model_dir=no/such"]
        config, _ = flags.parse(["run.py", *data, *arguments.split()], print)
        model = types.SimpleNamespace(num_classes=classes[number])
        seed = config.train.seed or 1
        described.append(
            checkpoints.description(config, model, seed, steps[number], images[number])
        )
    said = []
    resuming.require_same_run(config, "ckpt-1", *described, said.append)
    return "".join(said)


@pytest.mark.parametrize(
    "now",
    [
        "--data_dir=d --on_bad_image=fail --max_bad_fraction=0.5",
        "--checkpoint_steps=1 --keep_checkpoint_max=2 --train_summary_steps=5",
        "--evaluators=knn --eval_split=test --distribution=none --jit_compile",
        "--on_nonfinite=rewind --cache_dataset",
    ],
)
def test_what_changes_nothing_is_said(now):
    said = resume("", now)
    for word in now.split():
        assert f"{word[2:].split('=')[0]}=" in said


def test_nothing_is_said_where_nothing_differs():
    assert resume("--seed=1", "--mode=train_then_eval --train_epochs=3") == ""
    described = {"seed": 1}  # by an earlier version
    config, _ = flags.parse(["run.py", "--dataset=bundled", "--model_dir=r"], print)
    about = checkpoints.description(config, types.SimpleNamespace(num_classes=2), 1)
    resuming.require_same_run(config, "ckpt-1", described, about, print)


@pytest.mark.parametrize(
    ("now", "row"),
    [
        ("--learning_rate=1", "learning_rate 0.3 1.0"),
        ("--dataset=other", "dataset bundled other"),
        ("--probe_dataset=p", "probe_dataset none p"),
        ("--augmentation=crop", "augmentation crop_and_flip crop"),
        ("--loss=dcl", "loss nt_xent dcl"),
        ("--batch_norm_decay=0.5", "batch_norm_decay 0.9 0.5"),
        ("--seed=2", "seed 1 2"),
        ({"steps": (4, 5)}, "train_steps 4 5"),
        ({"images": (10, 9)}, "num_examples 10 9"),
        ({"classes": (3, 2)}, "num_classes 3 2"),
        ("--optimizer=adam", "optimizer lars adam"),
        ("--ft_proj_selector=1", "ft_proj_selector 0 1"),
        ("--nolineareval_while_pretraining", "lineareval_while_pretraining True False"),
    ],
)
def test_what_makes_it_another_run_is_refused(now, row):
    more = now if isinstance(now, dict) else {}
    now = "" if more else now
    with pytest.raises(UserError) as caught:
        resume("--seed=1", now, **more)
    lines = [" ".join(line.split()) for line in str(caught.value).splitlines()]
    assert row in lines
    anyway = f"{now} --resume_with_other_flags"
    other_variables = ("num_classes", "optimizer", "ft_proj", "lineareval")
    if row.startswith(other_variables):
        assert "--resume_with_other_flags" not in lines[-1]
        with pytest.raises(UserError):
            resume("--seed=1", anyway, **more)
    else:
        assert "--resume_with_other_flags" in lines[-1]
        assert f"{row.split()[0]}=" in resume("--seed=1", anyway, **more)
