"""The command on several replicas and workers, as processes of their own."""

import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from scripts import launch_workers
from tests.programs import Program

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUN = "tests/distribution/run_script.py"
SMALL = (
    "--dataset=bundled --eval_split=test --image_size=16 --resnet_depth=18 "
    "--width_multiplier=0.0625 --num_proj_layers=2 --proj_out_dim=8 --warmup_epochs=0 "
    "--train_batch_size=12 --eval_batch_size=100 --evaluators=head --seed=1 "
    "--keep_checkpoint_max=0 --optimizer=momentum --learning_rate=0.5 "
    "--temperature=0.5 --noreport --memory_size=20 --memory_momentum=0.5"
).split()
FOUR_STEPS = ["--train_steps=4", "--checkpoint_steps=2"]


def command(*flags, model_dir, workers=1):
    """Runs the command to its end; returns exit code and output."""
    flags = [*SMALL, *flags, f"--model_dir={model_dir}"]
    if workers == 1:
        return Program(RUN, *flags).wait()
    launcher = [sys.executable, "scripts/launch_workers.py", f"--workers={workers}"]
    result = subprocess.run(
        [*launcher, "--", sys.executable, RUN, *flags],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": ROOT, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    return result.returncode, result.stdout + result.stderr


def moved(folder):
    """How far the networks' variables and the memory moved from step 2 to 4."""
    two, four = (
        tf.train.load_checkpoint(os.path.join(folder, f"ckpt-{step}"))
        for step in (2, 4)
    )
    parts = ("model/", "memory/")
    keys = [k for k in four.get_variable_to_shape_map() if k.startswith(parts)]
    return {key: four.get_tensor(key) - two.get_tensor(key) for key in keys}


def assert_same_training(folder, of_one_device):
    """The last two of four steps; rounding is worth a few in a thousand of them."""
    found, expected = moved(folder), moved(of_one_device)
    assert found.keys() == expected.keys() and len(found) > 80
    for key, value in expected.items():
        largest = np.abs(value).max()
        assert largest > 0, key
        np.testing.assert_allclose(found[key], value, 0, 0.05 * largest, err_msg=key)


def files(folder):
    """Every file below a folder, less what a name says of host, time and process."""
    found = [
        os.path.relpath(os.path.join(at, name), folder)
        for at, _, names in os.walk(folder)
        for name in names
    ]
    return sorted(name.split(".out.tfevents")[0] for name in found)


@pytest.fixture(scope="module")
def of_one_device(tmp_path_factory):
    """Folder of a run of four steps, evaluated and exported."""
    folder = tmp_path_factory.mktemp("one")
    code, output = command(
        "--mode=train_then_eval", "--distribution=none", *FOUR_STEPS, model_dir=folder
    )
    assert code == 0, output
    return folder


def test_two_replicas_do_what_one_device_does_and_report(of_one_device, tmp_path):
    code, output = command(
        "--mode=train_then_eval",
        "--num_cpu_replicas=2",
        "--report",
        "--report_images=30",
        *FOUR_STEPS,
        model_dir=tmp_path,
    )
    assert code == 0, output
    assert "2 replicas on CPU" in output
    assert_same_training(tmp_path, of_one_device)
    reports = ["report.html", "report_pairs.csv"]
    assert files(tmp_path) == sorted([*files(of_one_device), *reports])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<p class="note"' not in page  # no part is missing
    assert page.count('role="img"') >= 8 and "--num_cpu_replicas</code>" in page
    one, two = (
        json.loads((folder / "result.json").read_text())
        for folder in (of_one_device, tmp_path)
    )
    assert two == pytest.approx(one, abs=5e-3)  # pictures on the border
    served = tf.saved_model.load(str(tmp_path / "saved_model" / "4"))
    images = tf.zeros([2, 20, 30, 3], tf.uint8)
    assert served.signatures["serving_default"](images=images)["logits"].shape == (
        2,
        10,
    )


def test_replicas_that_draw_their_views_draw_those_of_the_host(of_one_device, tmp_path):
    late = ["--num_cpu_replicas=2", "--augment_on=device"]
    code, output = command(*late, *FOUR_STEPS, model_dir=tmp_path)
    assert code == 0, output
    assert_same_training(tmp_path, of_one_device)


def test_resumes_with_another_number_of_replicas(of_one_device, tmp_path):
    for name in os.listdir(of_one_device):
        if name.startswith("ckpt-2"):
            shutil.copy(of_one_device / name, tmp_path / name)
    code, output = command("--num_cpu_replicas=3", *FOUR_STEPS, model_dir=tmp_path)
    assert code == 0, output
    assert "2 to 4, 12 images each" in output and "3 replicas on CPU" in output
    assert_same_training(tmp_path, of_one_device)


def test_of_two_workers_the_chief_alone_prints_and_writes(of_one_device, tmp_path):
    code, output = command(
        "--mode=train_then_eval", *FOUR_STEPS, model_dir=tmp_path, workers=2
    )
    assert code == 0, output
    assert "2 workers, 2 replicas on CPU" in output
    assert output.count("linear head") == output.count("\n[0] linear head")
    assert_same_training(tmp_path, of_one_device)
    assert files(tmp_path) == files(of_one_device)
    lines = [(at / "metrics.jsonl").read_text() for at in (tmp_path, of_one_device)]
    assert lines[0].count("\n") == lines[1].count("\n") == 2


def start_workers(count, *flags, model_dir):
    """Starts the workers and returns them."""
    addresses = launch_workers.free_addresses(count)
    flags = [*SMALL, *flags, f"--model_dir={model_dir}"]
    return [
        Program(RUN, *flags, TF_CONFIG=launch_workers.tf_config(addresses, index))
        for index in range(count)
    ]


def wait_for(path, seconds):
    deadline = time.monotonic() + seconds
    while not os.path.exists(path):
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.1)


def test_a_signal_to_one_worker_saves_and_stops_all_at_one_step(tmp_path):
    flags = ["--train_steps=1000000", "--checkpoint_steps=1000000"]
    flags += ["--checkpoint_minutes=0.05", "--keep_checkpoint_max=1"]
    workers = start_workers(2, *flags, model_dir=tmp_path)
    wait_for(tmp_path / "checkpoint", 150)  # by the chief's clock
    workers[1].process.terminate()
    codes, outputs = zip(*[worker.wait(timeout=60) for worker in workers], strict=True)
    assert codes == (143, 143), outputs
    (prefix,) = (name[:-6] for name in os.listdir(tmp_path) if name.endswith(".index"))
    for output in outputs:
        assert f"saved to {tmp_path / prefix}: the same command" in output
        assert "Traceback" not in output


def test_when_a_worker_is_killed_the_other_says_so_and_all_resume(tmp_path):
    flags = ["--train_steps=1000000", "--checkpoint_steps=3"]
    step = 0
    for killed in (0, 1):
        workers = start_workers(2, *flags, model_dir=tmp_path)
        wait_for(tmp_path / f"ckpt-{step + 6}.index", 150)
        workers[killed].process.kill()
        code, output = workers[1 - killed].wait(timeout=60)
        workers[killed].wait()
        assert code == 1
        lines = [line for line in output.splitlines() if "run.py:" in line]
        assert len(lines) == 1 and "Another worker has stopped" in lines[0], output
        assert "Traceback" not in output
        if killed:  # the chief, which prints, is left
            assert f"{step} to 1000000" in output
        # Not the file `checkpoint`: the chief may be killed before it is written.
        step = max(int(file.stem[5:]) for file in tmp_path.glob("ckpt-*.index"))
