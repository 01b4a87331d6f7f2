"""Weights & Biases and MLflow, in memory and, where installed, offline."""

import json
import os
import struct
import sys
import time

import pytest

from simclr_tf import loggers
from simclr_tf.errors import UserError
from tests.loggers import fakes


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    """The settings of whoever runs the tests do not count."""
    for name in os.environ:
        if name.startswith(("WANDB_", "MLFLOW_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """The address of one that MLflow makes, which takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture(params=["fake", "real"])
def mlflow(request, database, monkeypatch):
    """The client."""
    if request.param == "fake":
        monkeypatch.setitem(sys.modules, "mlflow", fakes.mlflow())
        return sys.modules["mlflow"]
    client = pytest.importorskip("mlflow", reason="The extra mlflow is not installed.")
    client.set_tracking_uri(database)
    return client


@pytest.fixture
def wandb(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", fakes.wandb())
    return sys.modules["wandb"]


def log(service, folder, *steps, first_step=0, part="train", flags=None, error=None):
    """A process that logs some steps; returns what it printed."""
    said = []
    os.makedirs(folder, exist_ok=True)
    opened = loggers.Loggers(said.append)
    opened.open([service], loggers.Run(str(folder), first_step, flags or {}))
    for step in steps:
        opened.scalars(part, step, {f"{part}/a@b": step / 8, "learning_rate": 0.5})
    opened.close(error)
    return said


def known(folder):
    return json.loads((folder / "loggers.json").read_text())


def test_mlflow_goes_on_in_the_same_run(mlflow, tmp_path):
    folder = tmp_path / "small"
    flags = {f"flag{number}": number for number in range(150)} | {"not_given": None}
    log("mlflow", folder, 2, 4, 6, flags=flags, error=KeyboardInterrupt())
    run_id, client = known(folder)["mlflow"], mlflow.MlflowClient()

    def steps(name):
        return [point.step for point in client.get_metric_history(run_id, name)]

    run = client.get_run(run_id)
    assert (run.info.run_name, run.info.status) == ("small", "KILLED")
    assert len(run.data.params) == 150 and run.data.params["flag149"] == "149"
    # The dead process was at step 6, its last checkpoint at 4.
    assert log("mlflow", folder, 6, 8, first_step=4, flags={"flag0": "new"}) == []
    assert known(folder)["mlflow"] == run_id
    assert client.get_run(run_id).info.status == "FINISHED"
    # An evaluation adds to it, and may be repeated.
    for _ in range(2):
        assert not log("mlflow", folder, 4, first_step=None, part="eval")
    assert steps("train/a_b") == [2, 4, 6, 8]  # no name with @ there
    assert steps("eval/a_b") == [4, 4]
    values = client.get_metric_history(run_id, "train/a_b")
    assert [point.value for point in values] == [0.25, 0.5, 0.75, 1.0]


def test_mlflow_keeps_a_training_apart_that_begins_anew(mlflow, tmp_path):
    log("mlflow", tmp_path, 2)
    first = known(tmp_path)["mlflow"]
    log("mlflow", tmp_path, 2, error=ValueError())
    second = known(tmp_path)["mlflow"]
    assert first != second
    assert mlflow.MlflowClient().get_run(second).info.status == "FAILED"


def test_wandb_goes_on_in_the_same_run(wandb, tmp_path):
    folder = tmp_path / "small"
    log("wandb", folder, 2, 4, 6, flags={"seed": 3}, error=KeyboardInterrupt())
    log("wandb", folder, 6, 8, first_step=4)
    log("wandb", folder, 4, 4, first_step=None, part="eval")
    log("wandb", folder, 2)
    first, second, judged, anew = wandb.runs
    run_id = first.asked["id"]
    assert first.asked == {
        "project": "simclr-tf",
        "name": "small",
        "id": run_id,
        "group": run_id,
        "job_type": "train",
        "dir": str(folder),
        "config": {"seed": 3},
        "resume": "allow",
    }
    assert first.axes == {"*": "global_step"}
    assert first.rows[0] == {"global_step": 2, "train/a@b": 0.25, "learning_rate": 0.5}
    assert second.asked["id"] == run_id
    steps = [[row["global_step"] for row in run.rows] for run in wandb.runs]
    assert steps == [[2, 4, 6], [8], [4, 4], [2]]  # 6 was sent before
    assert [run.exit_code for run in wandb.runs] == [1, 0, 0, 0]
    # The service takes one writer a run.
    assert judged.asked["id"] == f"{run_id}-eval" and judged.asked["group"] == run_id
    assert judged.asked["job_type"] == "eval"
    assert anew.asked["id"] == known(folder)["wandb"] != run_id


def test_wandb_is_told_by_its_own_variables(wandb, tmp_path, monkeypatch):
    names = {"PROJECT": "p", "NAME": "n", "RUN_ID": "i", "RUN_GROUP": "g", "DIR": "d"}
    for name, value in names.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    log("wandb", tmp_path, 2)
    asked = wandb.runs[0].asked
    assert [asked[name] for name in ("project", "name", "id", "group", "dir")] == [
        *"pnigd"
    ]


def test_a_service_that_is_lost_does_not_end_the_run(wandb, tmp_path, monkeypatch):
    def lost(self, values):
        raise ConnectionError("Gone away.\nTraceback")

    monkeypatch.setattr(fakes.WandbRun, "log", lost)
    assert log("wandb", tmp_path, 2, 4) == [
        "Warning at step 2: --loggers=wandb gets nothing from now on (Gone away)."
    ]


def test_a_service_that_cannot_be_reached_is_refused(wandb, tmp_path, monkeypatch):
    def refused(**asked):
        raise RuntimeError("No API key configured.\nand more")

    monkeypatch.setattr(wandb, "init", refused)
    words = "--loggers=wandb cannot be opened: No API key configured. Set it up, or"
    with pytest.raises(UserError, match=words):
        log("wandb", tmp_path, 2)


def test_ids_that_cannot_be_read_are_refused(wandb, tmp_path):
    (tmp_path / "loggers.json").write_text("[1]")
    with pytest.raises(UserError, match="loggers.json must be as a run wrote it"):
        log("wandb", tmp_path, 4, first_step=2)
    assert not wandb.runs


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_client_that_is_not_there_is_one_line(name, monkeypatch):
    loggers.require(["tensorboard", "jsonl"])
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=rf'pip install "\.\[{name}\]"') as refusal:
        loggers.require(["jsonl", name])
    assert str(refusal.value).startswith(f"--loggers={name} needs the package {name}")


def records(path):
    """Records of a file of `wandb`: as in logs of LevelDB, in blocks of 32 KiB."""
    content, place, record = path.read_bytes(), 7, b""
    while place + 7 <= len(content):
        if (left := 2**15 - place % 2**15) < 7:  # no room for a head
            place += left
            continue
        size, kind = struct.unpack_from("<HB", content, place + 4)
        record += content[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or the last piece
            yield record
            record = b""


def test_wandb_writes_offline(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="The extra wandb is not installed.")
    from wandb.proto import wandb_internal_pb2

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    log("wandb", tmp_path, 2, 4, flags={"seed": 3})
    log("wandb", tmp_path, 6, first_step=4)

    def written():
        found = []
        for path in sorted(tmp_path.glob("wandb/offline-run-*/*.wandb")):
            assert path.name == f"run-{known(tmp_path)['wandb']}.wandb"
            for record in records(path):
                row = wandb_internal_pb2.Record.FromString(record).history.item
                row = {tuple(item.nested_key): item.value_json for item in row}
                if row:
                    found.append((row["global_step",], row["train/a@b",]))
        return found

    expected = [("2", "0.25"), ("4", "0.5"), ("6", "0.75")]
    deadline = time.monotonic() + 60  # a process of the client writes it
    while written() != expected and time.monotonic() < deadline:
        time.sleep(0.1)
    assert written() == expected
