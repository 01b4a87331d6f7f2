"""The configuration of a run travels with it: what need not be said again."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

import flags
import run

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
    """Folder `data` of two classes, and `pretrained`, a run on it."""
    home = tmp_path_factory.mktemp("configuration")
    random = np.random.RandomState(0)
    for split in ("train", "test"):
        for number in range(16):
            folder = home / "data" / split / ("cat", "dog")[number % 2]
            folder.mkdir(parents=True, exist_ok=True)
            pixels = random.randint(0, 256, [9, 10, 3]).astype("uint8")
            Image.fromarray(pixels).save(folder / f"{number}.png")
    networks = [f"--{name}={value}" for name, value in NETWORKS.items()]
    assert command(home, *networks, "--use_blur=False", model_dir="pretrained") == 0
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
def mine(home, tmp_path):
    """A copy of the pre-trained run."""
    return shutil.copytree(home / "pretrained", tmp_path / "mine")


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


def files_of(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


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


def test_an_image_size_beside_the_checkpoint_wins_and_the_stem_stays(start, home):
    again = ["--train_mode=finetune", f"--checkpoint={home / 'pretrained'}"]
    out = worked(start(*again, "--image_size=36"))
    assert "--image_size=36 instead of the 8 of " in out
    assert "ResNet-18 x 0.0625 at 36 px" in out


def test_other_networks_are_refused_in_a_table(start, home, tmp_path):
    again = ["--train_mode=finetune", f"--checkpoint={home / 'pretrained'}"]
    err = refused(start(*again, "--proj_out_dim=16", "--resnet_depth=18"))
    assert "pretrained/ckpt-2 holds other networks than the flags ask for.\n" in err
    assert "\n proj_out_dim           8         16\n" in err
    assert "resnet_depth" not in err
    assert not os.path.exists(tmp_path / "run")
    # A head that is not read may be another.
    worked(start(*again, "--proj_out_dim=16", "--checkpoint_scope=encoder"))


def test_a_student_has_the_networks_of_its_checkpoint_or_the_size_of_its_teacher(
    start, home, tmp_path
):
    distill = ["--train_mode=distill", f"--teacher={home / 'pretrained'}"]
    out = worked(start(*distill, f"--checkpoint={home / 'pretrained'}"))
    assert "ResNet-18 x 0.0625 at 8 px" in out
    small = ["--resnet_depth=18", "--width_multiplier=0.03"]
    out = worked(start(*distill, *small, model_dir=tmp_path / "new"))
    assert "ResNet-18 x 0.03 at 8 px" in out


def test_resuming_says_flags_that_do_no_harm(start, mine):
    flags = ["--cache_dataset", "--checkpoint_steps=1", "--on_bad_image=fail"]
    out = worked(start(*flags, "--use_blur=False", model_dir=mine))
    assert "at the last step already" in out
    (line,) = [line for line in out.splitlines() if "Resumed with other flags" in line]
    for text in (
        "cache_dataset=True (it was False)",
        "checkpoint_steps=1 (it was 0)",
        "on_bad_image=fail (it was skip)",
    ):
        assert text in line


@pytest.mark.parametrize(
    ("flag", "row"),
    [
        ("--learning_rate=1", "learning_rate             0.3        1.0"),
        ("--use_blur", "use_blur                False       True"),
        ("--seed=2", "seed                        1          2"),
        ("--train_steps=3", "train_steps                 2          3"),
        ("--optimizer=adam", "optimizer                lars       adam"),
        ("--eval_split=train", None),
    ],
)
def test_resuming_refuses_flags_that_make_it_another_run(start, mine, flag, row):
    before = files_of(mine)
    result = start("--use_blur=False", flag, model_dir=mine)
    if row is None:
        worked(result)
        return
    err = refused(result)
    shown = " ".join(row.split())
    assert shown in [" ".join(line.split()) for line in err.splitlines()]
    assert files_of(mine) == before
    hopeless = flag == "--optimizer=adam"
    assert ("--resume_with_other_flags" in err) != hopeless
    result = start(
        "--use_blur=False", flag, "--resume_with_other_flags", model_dir=mine
    )
    if hopeless:
        refused(result)
    else:
        assert "Resumed with other flags: " in worked(result)


def test_fewer_images_are_another_run(start, home, mine, tmp_path):
    data = shutil.copytree(home / "data", tmp_path / "data")
    os.remove(data / "train" / "cat" / "0.png")
    changed = [f"--dataset={data}", "--use_blur=False"]
    err = refused(start(*changed, model_dir=mine))
    assert "num_examples" in err and "dataset" in err


def test_a_selector_counts_the_layers_of_the_checkpoints_head(home, tmp_path):
    known = [f"--checkpoint={home / 'pretrained'}", "--train_mode=finetune"]
    known += [f"--model_dir={tmp_path}", f"--dataset={home / 'data'}"]
    with pytest.raises(ValueError, match="--ft_proj_selector must be at most 2, "):
        flags.parse(["run.py", *known, "--ft_proj_selector=3"], print)
