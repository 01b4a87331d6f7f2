"""Ten wrong values and more of every flag: each is one line that names the flag."""

import re

import pytest
from PIL import Image

import run
from flags.values import FLAGS

# Of no type but text.
WORDS = ["", " ", "\t", "\n", "\0", "nan", "-", "値", "\x1b[31m", "🙂", "1 2"]
NUMBERS = ["", " ", "nan", "inf", "-inf", "x", "１２", "0x1F", "1 2", "1,2", "None"]
TEXTS = ["", " ", "\t", "\n", "a\nb", "a\0b", "\x1b[31m", "a\x7f", "\x85", "\u2028"]
HUGE = "a" * 5000
NO_FOLDERS = ["no/such", "0", "-1", "nan", "データ", "🙂/a", "a*b?[c]", HUGE, "C:\\a"]
FINETUNE = "--train_mode=finetune"
EVALUATE = "--mode=train_then_eval"
# What is text and must be something: its wrong values, and the flags beside them.
MEANINGS = {
    "dataset": ([*NO_FOLDERS, "cifar11", "no.csv", "no.npz", "no.tfrecord"], []),
    "train_split": ([*NO_FOLDERS, "bogus", "test[", "eval"], []),
    "eval_split": ([*NO_FOLDERS, "bogus", "train["], [EVALUATE]),
    "probe_dataset": ([*NO_FOLDERS, "no.parquet"], [EVALUATE]),
    "probe_split": ([*NO_FOLDERS, "bogus"], [EVALUATE, "--probe_dataset={data}"]),
    "encoder": ([*NO_FOLDERS, "resnet18", "mobilenetv2", "Sequential"], []),
    "augmentation": ([*NO_FOLDERS, "blur", "crop,crop", "crop,blur(nan)"], []),
    "preset": ([*NO_FOLDERS, "Demo", "demo.flags", "../presets/demo"], []),
    "checkpoint": ([*NO_FOLDERS, "{data}", "{data}/a/0.png"], [FINETUNE]),
    "teacher": ([*NO_FOLDERS, "{data}", "{data}/a/0.png"], ["--train_mode=distill"]),
    "label_file": ([*NO_FOLDERS, "{data}"], [FINETUNE, "--from_scratch"]),
    "variable_schema": ([*NO_FOLDERS, "head", "(?!conv)"], []),
    "model_dir": (
        ["gs://b/run", "/dev/null/run", "/proc/run", "{data}/a/0.png", HUGE],
        [],
    ),
}
CONTRADICTIONS = {
    "learn_temperature": [
        (FINETUNE, "--from_scratch"),
        ("--temperature_min=0.2",),
        ("--temperature_max=0.05",),
        ("--temperature_start=0.5", "--temperature_warmup_steps=1"),
        ("--loss=margin_triplet",),
        ("--loss=generalized", "--embedding_prior=normal"),
    ],
    "temperature_min": [("--learn_temperature", "--temperature_max=2")],
    "temperature_max": [("--learn_temperature", "--temperature_min=2")],
    "temperature_start": [()],
    "temperature_warmup_steps": [
        (),
        ("--temperature_start=0.5",),
        ("--temperature_start=0.5", "--loss=margin_triplet"),
    ],
    "label_fraction": [(FINETUNE, "--from_scratch", "--label_file=l"), ()],
    "from_scratch": [(), (FINETUNE, "--checkpoint=run")],
    "fine_tune_after_block": [(), ("--train_mode=distill", "--teacher=t")],
    "micro_batch_size": [("--train_mode=distill", "--teacher=t")],
    "memory_size": [("--train_mode=distill", "--teacher=t"), ("--train_batch_size=8",)],
    "warmup_epochs": [("--train_epochs=1", "--train_steps=0")],
    "use_blur": [("--augmentation=crop",)],
    "num_cpu_replicas": [("--distribution=none",)],
    "jit_compile": [("--micro_batch_size=2",)],
    "label_weight": [()],
    "margin": [()],
    "semi_hard": [("--loss=dcl",)],
    "negative_concentration": [("--loss=debiased",)],
    "temperature": [("--loss=margin_triplet",)],
    "sk_ratio": [("--encoder=VGG16",)],
    "se_ratio": [("--encoder=VGG16",)],
    "width_multiplier": [("--encoder=VGG16",)],
    "ft_proj_selector": [("--proj_head_mode=none",)],
}


def wrong_values(name):
    """Values outside the documented type and range of a flag."""
    allowed = FLAGS[name].parser.allowed
    if allowed.startswith("text"):
        return TEXTS
    if allowed.startswith("first,last"):
        return [*NUMBERS[:-2], "1", "0,1", "3,2", "1,2,3", "1.5,2", "1,inf", "１,２"]
    if "number" not in allowed:
        return WORDS + [f"{allowed.split()[-1]}x", "x,y"]
    bounds = re.findall(r"([<>]=?) (\S+)", allowed)
    assert {sign[0] for sign, _ in bounds} == {"<", ">"}, f"{name}: not bounded"
    step = {">": 0, ">=": -1, "<": 0, "<=": 1}
    outside = [f"{float(bound) + step[sign]:.0f}" for sign, bound in bounds]
    return [*NUMBERS, *outside, "1e999", "1" + "0" * 30, "-1" + "0" * 30] + (
        ["1.5", "1e3"] if "whole" in allowed else []
    )


@pytest.fixture
def start(tmp_path, capsys, monkeypatch):
    """Runs the command in an empty folder; returns exit code and stderr."""
    monkeypatch.chdir(tmp_path)
    for number in range(4):
        folder = tmp_path / "data" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / f"{number // 2}.png")

    def run_command(*arguments):
        data = str(tmp_path / "data")
        given = [argument.replace("{data}", data) for argument in arguments]
        code = run.main(
            [
                "run.py",
                f"--dataset={data}",
                "--model_dir=run",
                "--image_size=8",
                "--resnet_depth=18",
                "--train_batch_size=2",
                "--warmup_epochs=0",
                "--train_steps=1",
                *given,
            ]
        )
        return code, capsys.readouterr().err

    return run_command


def require_one_line(result, name, arguments):
    code, err = result
    assert code == 2, arguments
    assert err.startswith("run.py: "), (arguments, err)
    assert err.endswith("\n") and err[:-1].isprintable(), (arguments, err)
    assert f"--{name}" in err, (arguments, err)


@pytest.mark.parametrize("name", sorted(FLAGS))
def test_values_of_another_type_or_out_of_range(start, tmp_path, name):
    values = wrong_values(name)
    assert len(set(values)) >= 10
    for value in values:
        argument = f"--{name}={value}"
        require_one_line(start(argument), name, argument)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


@pytest.mark.parametrize("name", sorted(MEANINGS))
def test_text_that_means_nothing(start, tmp_path, name):
    values, beside = MEANINGS[name]
    for value in values:
        arguments = [*beside, f"--{name}={value}"]
        require_one_line(start(*arguments), name, arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


@pytest.mark.parametrize("name", sorted(CONTRADICTIONS))
def test_values_that_contradict_another_flag(start, name):
    allowed = FLAGS[name].parser.allowed
    value = "true" if allowed == "true or false" else "2"
    if name in ("label_fraction", "label_weight", "sk_ratio", "se_ratio"):
        value = "0.5"
    for beside in CONTRADICTIONS[name]:
        arguments = [*beside, f"--{name}={value}"]
        require_one_line(start(*arguments), name, arguments)
