"""Sweeps over flags; the trials are those of tests/tools/command.py."""

import csv
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest

import flags
from simclr_tf.errors import UserError
from tools.sweep import plan, presets, process, results
from tools.sweep.__main__ import main

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMAND = os.path.join(ROOT, "tests", "tools", "command.py")
FIVE = ["--preset=demo", "--grid", "temperature", "0.1", "0.3", "0.5", "0.7", "0.9"]
RANDOM = ["--preset=demo", "--range", "temperature", "0.1", "1", "--sampler=random"]
RANDOM += ["--trials=5"]


@pytest.fixture
def start(tmp_path, monkeypatch, capsys):
    """Runs a sweep in this process; returns its exit code, stdout and stderr."""
    pytest.importorskip("optuna", reason="The extra sweep is not installed.")
    monkeypatch.setattr(process, "_RUN", COMMAND)

    def run(*arguments):
        capsys.readouterr()
        code = main([f"--model_dir={tmp_path}", *arguments])
        return code, *capsys.readouterr()

    return run


def trials(folder):
    with open(folder / "trials.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def processes(folder):
    """How many processes each trial took, by the name of its folder."""
    return {
        path.parent.name: path.read_text().count("\n")
        for path in sorted(folder.glob("*/steps.txt"))
    }


def test_a_grid_is_run_once_and_its_best_is_known(start, tmp_path):
    code, out, err = start(*FIVE)
    assert (code, err) == (0, "")
    rows = trials(tmp_path)
    assert len(rows) == 5 and {row["state"] for row in rows} == {"complete"}
    for row in rows:
        expected = 0.901 - (float(row["temperature"]) - 0.5) ** 2
        assert float(row["eval/knn_top_1_accuracy"]) == pytest.approx(expected)
    assert (tmp_path / "table.md").read_text().splitlines()[:3] == [
        "| temperature | eval/knn_top_1_accuracy |",
        "| --- | --- |",
        "| 0.5 | 90.1 |",
    ]
    assert start(*FIVE)[0] == 0  # nothing is left to do
    assert list(processes(tmp_path).values()) == [1] * 5
    assert trials(tmp_path) == rows
    code, _, err = start(*FIVE, "1.1")
    assert code == 2 and "belongs to a sweep with other axes" in err


@pytest.mark.parametrize(
    ("arguments", "dies_by", "code"),
    [
        (FIVE, "kill", -signal.SIGKILL),
        (RANDOM, "kill", -signal.SIGKILL),
        (FIVE, "crash", 1),
        (FIVE, "stop", 128 + signal.SIGTERM),
        (RANDOM, "stop", 128 + signal.SIGTERM),
        (FIVE, "stop at its end", 128 + signal.SIGTERM),
    ],
)
def test_a_sweep_that_died_goes_on_where_it_was(
    start, tmp_path, arguments, dies_by, code
):
    program = (
        "import sys; from tools.sweep import __main__, process;"
        f"process._RUN = {COMMAND!r}; sys.exit(__main__.main(sys.argv[1:]))"
    )
    died = subprocess.run(
        [sys.executable, "-c", program, f"--model_dir={tmp_path}", *arguments],
        cwd=ROOT,
        env={**os.environ, "SECOND_DIES_BY": dies_by},
        capture_output=True,
        text=True,
    )
    assert died.returncode == code
    assert ("ended with exit code 1: no output" in died.stderr) == (dies_by == "crash")
    assert ("The same command continues." in died.stdout) == ("stop" in dies_by)
    begun = processes(tmp_path)
    assert list(begun.values()) == [1, 1]
    assert start(*arguments)[0] == 0
    # The second trial goes on in its folder, unless it was done; no other is repeated.
    after = processes(tmp_path)
    of_the_second = 1 if dies_by == "stop at its end" else 2
    assert sorted(after.values()) == [1] * 4 + [of_the_second]
    assert after.keys() >= begun.keys()
    rows = trials(tmp_path)
    assert len({row["temperature"] for row in rows}) == len(rows) == 5
    assert {row["state"] for row in rows} == {"complete"}


def test_a_signal_is_passed_on_and_the_trial_stays_open(tmp_path, monkeypatch):
    script = tmp_path / "sleeps.py"
    script.write_text(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        "open(sys.argv[1].split('=')[1] + '/ready', 'w').close()\n"
        "time.sleep(60)\n"
    )
    monkeypatch.setattr(process, "_RUN", str(script))
    folder = tmp_path / "trial"

    class Signal:
        @property
        def number(self):
            return signal.SIGTERM if (folder / "ready").exists() else 0

    since = time.monotonic()
    with pytest.raises(process.Stopped) as stopped:
        process.run(str(folder), [], "eval/knn_top_1_accuracy", Signal())
    assert stopped.value.number == signal.SIGTERM and time.monotonic() - since < 50


def test_a_trial_that_diverges_is_a_result(start, tmp_path):
    code, out, _ = start("--preset=demo", "--grid", "temperature", "0.5", "10")
    assert code == 0 and "failed: run.py: the loss is not finite at step 3." in out
    states = {row["temperature"]: row["state"] for row in trials(tmp_path)}
    assert states == {"0.5": "complete", "10": "fail"}
    assert "| 10 | failed |" in (tmp_path / "table.md").read_text()


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_ranges_are_drawn_from_and_more_trials_go_on(start, tmp_path, sampler):
    space = ["--preset=demo", "--range", "temperature", "0.1", "1", "log"]
    assert start(*space, f"--sampler={sampler}", "--trials=3")[0] == 0
    first = trials(tmp_path)
    assert start(*space, f"--sampler={sampler}", "--trials=6")[0] == 0
    rows = trials(tmp_path)
    drawn = [float(row["temperature"]) for row in rows]
    assert rows[:3] == first and len(set(drawn)) == 6  # none is drawn again
    assert all(0.1 <= value <= 1 for value in drawn)


def test_two_axes_make_a_grid_of_means_over_seeds(start, tmp_path):
    grid = ["temperature", "0.5", "0.6"], ["color_jitter_strength", "0", "1"]
    grid = [word for axis in (*grid, ["seed", "1", "3"]) for word in ("--grid", *axis)]
    assert start("--preset=demo", *grid)[0] == 0
    assert (tmp_path / "table.md").read_text().splitlines() == [
        "| temperature \\ color_jitter_strength | 0 | 1 |",
        "| --- | --- | --- |",
        "| 0.5 | 90.2 (90.1 to 90.3) | 90.2 (90.1 to 90.3) |",
        "| 0.6 | 89.2 (89.1 to 89.3) | 89.2 (89.1 to 89.3) |",
    ]
    pytest.importorskip("matplotlib", reason="The picture needs it.")
    assert (tmp_path / "heat_map.png").read_bytes().startswith(b"\x89PNG")


def test_of_a_loss_the_lowest_is_the_best_and_what_varies_is_shown():
    axes = {"a": ["x", "y"], "alike": ["1"], "seed": ["1", "2"]}
    grid = plan.Plan("", axes, [], presets.as_flags, "grid", None, "b_loss")
    found = {("x",): [2.0, 4.0], ("y",): [1.25]}
    assert results.table(grid, found).splitlines() == [
        "| a | b_loss |",
        "| --- | --- |",
        "| y | 1.25 |",
        "| x | 3 (2 to 4) |",
    ]


@pytest.mark.parametrize("name", presets.ABLATIONS)
def test_every_trial_of_an_ablation_parses(name):
    ablation = plan.read([f"--preset={name}", "--model_dir=new", "--train_steps=5"])
    configs = [
        flags.parse(["run.py", *ablation.command(params), "--model_dir=new"])[0]
        for params in ablation.grid()
        if params["seed"] == "1"
    ]
    assert len({str(config) for config in configs}) > 2
    assert all(config.train.train_steps == 5 for config in configs)
    assert all(config.mode == "train_then_eval" for config in configs)


def commands_of_the_guide():
    with open(os.path.join(ROOT, "docs", "ablations.md"), encoding="utf-8") as file:
        blocks = re.findall(r"```bash\n(.*?)```", file.read(), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if "tools.sweep" in line]


@pytest.mark.parametrize("command", commands_of_the_guide())
def test_commands_of_the_guide_parse(command):
    python, dash_m, name, *arguments = shlex.split(command)
    assert (python, dash_m, name) == ("python", "-m", "tools.sweep")
    assert plan.read(arguments).folder.startswith("runs/sweeps/")


def test_a_pair_of_transformations_is_of_one_view():
    def flag(first, second):
        pair = {"first": first, "second": second, "seed": "2"}
        return presets.ABLATIONS["augmentation_pairs"].flags_of(pair)

    assert flag("jitter", "rotate") == [
        "--augmentation=crop(1,1),jitter(probability=1),rotate|crop(1,1)",
        "--seed=2",
    ]
    assert flag("blur", "blur")[0] == "--augmentation=crop(1,1),blur(1)|crop(1,1)"
    assert flag("sobel", "crop")[0] == "--augmentation=crop,sobel(1)|crop(1,1)"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "The following arguments are required: --model_dir"),
        (["--model_dir=x"], "Give --preset, one of augmentation_pairs"),
        (
            ["--preset=dem"],
            "--preset must be an ablation, .*, or a recipe, .*, got dem",
        ),
        (["--grid", "temperature"], "--grid temperature must have .* one, got none"),
        (["--grid", "temperature", "1", "1"], "different values, .*, got 1 1"),
        (["--grid", "temperature", "1", "0"], "--temperature must be a number > 0"),
        (
            ["--grid", "temprature", "1"],
            "--temprature is no flag. Close: --temperature",
        ),
        (["--range", "temperature", "1", "0.5"], "got temperature 1 0.5"),
        (["--range", "momentum", "0", "0.5", "log"], "got momentum 0 0.5 log"),
        (
            ["--range", "momentum", "0", "0.5"],
            "--trials must be >= 1 with --sampler=tpe",
        ),
        (
            ["--range", "momentum", "0", "2", "--trials=9"],
            "--momentum must be .*, got 2",
        ),
        (["--preset=head", "--trials=2"], "--trials is for --sampler=random or tpe"),
        (
            ["--preset=head", "--objective=eval/head_top_1_accuracy"],
            "of --evaluators=knn",
        ),
    ],
)
def test_mistakes_are_one_line_before_anything_runs(arguments, words):
    if arguments and not arguments[0].startswith("--model_dir"):
        arguments = ["--model_dir=new", "--dataset=bundled", *arguments]
    with pytest.raises(UserError, match=words) as refusal:
        plan.read(arguments)
    assert "\n" not in str(refusal.value) and not os.path.exists("new")


def test_optuna_is_asked_for(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "optuna", None)
    folder = tmp_path / "sweep"
    assert main([f"--model_dir={folder}", *FIVE]) == 2
    assert 'pip install ".[sweep]"' in capsys.readouterr().err
    assert not folder.exists()
