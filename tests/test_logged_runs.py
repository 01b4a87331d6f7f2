"""What a run logs, from flags to files."""

import json
import sys

import pytest
import tensorflow as tf
from tensorflow import keras

import run
from simclr_tf.experiment import networks, saving
from tests.loggers import fakes

TINY = (
    "--image_size=8 --proj_head_mode=linear --proj_out_dim=4 --train_batch_size=8 "
    "--warmup_epochs=0 --augmentation=crop,flip --eval_batch_size=1000 --seed=1 "
    "--dataset=bundled --eval_split=test --eval_steps=1 --evaluators=head "
    "--train_summary_steps=1 --checkpoint_steps=2"
).split()


@pytest.fixture(scope="module", autouse=True)
def small_encoder():
    def build_encoder(config, resnet_stem=None):
        layers = [keras.layers.Input([8, 8, 3]), keras.layers.Conv2D(4, 3)]
        return keras.Sequential(layers + [keras.layers.GlobalAveragePooling2D()])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "build_encoder", build_encoder)
        yield


def start(folder, *flags):
    return run.main(["run.py", *TINY, f"--model_dir={folder}", *flags])


def lines(folder):
    text = (folder / "metrics.jsonl").read_text()
    found = [json.loads(line) for line in text.splitlines()]
    assert all(line.pop("wall_time") > 1e9 for line in found)
    return found


def events(folder):
    """Figures of the events of a folder, by step and name."""
    found = {}
    for path in sorted(folder.iterdir()):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    figure = float(tf.make_ndarray(value.tensor))
                    found.setdefault(event.step, {})[value.tag] = figure
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Folder of a run of four steps that nothing ended, evaluated."""
    folder = tmp_path_factory.mktemp("whole")
    assert start(folder, "--mode=train_then_eval", "--train_steps=4") == 0
    return folder


def test_lines_say_what_tensorboard_and_the_results_say(whole):
    *trained, judged = lines(whole)
    assert [line.pop("step") for line in trained] == [1, 2, 3, 4]
    assert {"train/contrast_loss", "train/total_loss", "learning_rate"} <= {*trained[0]}
    assert dict(enumerate(trained, 1)) == events(whole / "train")
    results = json.loads((whole / "result.json").read_text())
    assert results.pop("global_step") == judged.pop("step") == 4
    assert judged == results
    (of_tensorboard,) = events(whole / "eval").values()
    assert judged == pytest.approx(of_tensorboard, rel=1e-6)  # float32


def test_lines_of_a_run_that_died_are_those_of_one_that_did_not(
    whole, tmp_path, monkeypatch
):
    on_train_batch_end = saving.SaveRun.on_train_batch_end

    def dying(self, batch, logs=None):
        if self.step + 1 == 4:  # logged, not saved
            raise KeyboardInterrupt
        on_train_batch_end(self, batch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(saving.SaveRun, "on_train_batch_end", dying)
        assert start(tmp_path, "--train_steps=4") == 130
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4]
    with open(tmp_path / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write('{"step": 9, "wall')
    assert start(tmp_path, "--train_steps=4") == 0
    assert lines(tmp_path) == lines(whole)[:4]


def test_only_the_loggers_that_are_named_write(tmp_path, monkeypatch):
    client = fakes.wandb()
    monkeypatch.setitem(sys.modules, "wandb", client)
    for name in ("WANDB_NAME", "WANDB_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "run"
    assert start(folder, "--train_steps=2", "--loggers=wandb") == 0
    names = {path.name for path in folder.iterdir()}
    assert not names & {"train", "metrics.jsonl"} and "loggers.json" in names
    # `--mode=eval` knows the loggers of the run.
    code = run.main(
        ["run.py", "--mode=eval", f"--model_dir={folder}", "--eval_timeout=0"]
    )
    assert code == 0 and not (folder / "eval").exists()
    trained, judged = client.runs
    assert [row["global_step"] for row in trained.rows] == [1, 2]
    assert trained.asked["name"] == "run" and trained.asked["config"]["seed"] == 1
    (row,) = judged.rows
    assert row == json.loads((folder / "result.json").read_text())


def test_a_logger_that_is_not_installed_is_refused_at_once(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    folder = tmp_path / "run"
    assert start(folder, "--train_steps=2", "--loggers=jsonl,mlflow") == 2
    out, err = capsys.readouterr()
    assert "step" not in out and err.count("\n") == 1
    assert err.startswith("run.py: --loggers=mlflow needs the package mlflow")
    assert not folder.exists()
