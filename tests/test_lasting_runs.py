"""What ends or harms a run, and the command that goes on."""

import json
import os
import re
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import run
from simclr_tf import keras_compat
from simclr_tf.experiment import (
    checkpoint_files,
    checkpoints,
    following,
    locking,
    networks,
    preparing,
    saving,
)
from simclr_tf.literal_paths import literal

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TINY = (
    "--image_size=8 --proj_head_mode=linear --proj_out_dim=4 --train_batch_size=8 "
    "--warmup_epochs=0 --augmentation=crop,flip --eval_batch_size=1000 --seed=1 "
    "--dataset=bundled --eval_split=test --eval_timeout=0"
).split()


@pytest.fixture(scope="module", autouse=True)
def small_encoder():
    """A network that is traced in no time."""

    def build_encoder(config, resnet_stem=None):
        layers = [
            keras.layers.Input([8, 8, 3]),
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.GlobalAveragePooling2D(),
        ]
        return keras.Sequential(layers, name="encoder")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "build_encoder", build_encoder)
        yield


@pytest.fixture
def start(tmp_path, capsys):
    """Runs the command; returns exit code, stdout and stderr."""

    def command(*flags, model_dir="run"):
        capsys.readouterr()
        folder = model_dir if "/" in model_dir else tmp_path / model_dir
        code = run.main(["run.py", *TINY, f"--model_dir={folder}", *flags])
        return code, *capsys.readouterr()

    return command


def variables(folder, step):
    """Networks and optimizer of a checkpoint, by path."""
    reader = tf.train.load_checkpoint(os.path.join(folder, f"ckpt-{step}"))
    keys = reader.get_variable_to_shape_map()
    return {key: reader.get_tensor(key) for key in keys if key.startswith(("m", "o"))}


def assert_same(one, other):
    assert one.keys() == other.keys() and len(one) > 10
    for key, value in one.items():
        np.testing.assert_array_equal(value, other[key], err_msg=key)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Folder of a run of four steps that nothing ended, all checkpoints kept."""
    folder = tmp_path_factory.mktemp("whole")
    flags = "--train_steps=4 --checkpoint_steps=1 --keep_checkpoint_max=0".split()
    assert run.main(["run.py", *TINY, f"--model_dir={folder}", *flags]) == 0
    return folder


def after_step(monkeypatch, step, action):
    """Has something happen at the end of a step, before what is saved of it."""
    on_train_batch_end = saving.SaveRun.on_train_batch_end

    def acting(self, batch, logs=None):
        if self.step + 1 == step:
            action()
        on_train_batch_end(self, batch, logs)

    monkeypatch.setattr(saving.SaveRun, "on_train_batch_end", acting)


@pytest.mark.parametrize("name", ["lr[0.3] \\ a*b? größe/", "link"])
def test_names_of_folders_mean_themselves(start, tmp_path, monkeypatch, whole, name):
    folder = tmp_path / "here" / name
    os.makedirs(tmp_path / "real" if name == "link" else folder)
    if name == "link":
        os.makedirs(tmp_path / "here")
        os.symlink(tmp_path / "real", folder)
    for file in os.listdir(whole):
        if re.match(r"ckpt-[12]\.", file):
            os.link(whole / file, folder / file)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    code, out, err = start(
        "--train_steps=4",
        "--checkpoint_steps=1",
        "--keep_checkpoint_max=1",
        model_dir=f"../here/{name}",
    )
    assert (code, err) == (0, "") and "steps      2 to 4" in out
    assert checkpoint_files.steps(folder) == [4]
    with literal(str(folder)) as path:
        assert_same(variables(path, 4), variables(whole, 4))
    assert os.listdir(folder / "train")


def test_a_run_in_a_folder_with_wildcards_is_judged_exported_and_started_from(
    start, tmp_path
):
    assert start("--train_steps=1", model_dir="lr[0.3]")[0] == 0
    there = str(tmp_path / "lr[0.3]")
    code, out, err = start("--mode=eval", model_dir=there)
    assert (code, err) == (0, "") and "ckpt-1" in out
    common = ("--train_steps=1",)
    for flags in (
        ("--train_mode=finetune", f"--checkpoint={there}"),
        ("--train_mode=finetune", f"--checkpoint={there}/ckpt-1"),
        ("--train_mode=distill", f"--teacher={there}"),
        ("--train_mode=distill", f"--teacher={there}/saved_model/1"),
    ):
        code, _, err = start(*common, *flags, model_dir=f"[{len(flags[1])}]")
        assert (code, err) == (0, ""), flags


FOUR = ("--train_steps=4", "--checkpoint_steps=1", "--keep_checkpoint_max=0")


def copy_of(whole, folder, *steps):
    """A folder that was left after some of the steps of `whole`."""
    os.makedirs(folder)
    for step in steps:
        for kind in ("index", "data-00000-of-00001"):
            name = f"ckpt-{step}.{kind}"
            (folder / name).write_bytes((whole / name).read_bytes())
    checkpoint_files.write_state(folder)
    return folder


def test_a_damaged_newest_is_said_and_the_one_before_goes_on(start, tmp_path, whole):
    folder = copy_of(whole, tmp_path / "run", 1, 2, 3)
    os.truncate(folder / "ckpt-3.data-00000-of-00001", 1000)
    code, out, err = start(*FOUR[:2], "--keep_checkpoint_max=1")
    assert (code, err) == (0, "") and "steps      2 to 4" in out
    assert out.count("ckpt-3 is damaged and left out") == 1
    assert checkpoint_files.steps(folder) == [4]
    assert_same(variables(folder, 4), variables(whole, 4))


@pytest.mark.parametrize("fault", ["truncated", "index deleted"])
def test_damaged_beyond_use_is_refused_and_nothing_changes(
    start, tmp_path, monkeypatch, whole, fault
):
    folder = copy_of(whole, tmp_path / "run", 1, 2)
    (folder / "flags.json").write_bytes((whole / "flags.json").read_bytes())
    os.truncate(folder / "ckpt-1.index", 100)
    if fault == "truncated":
        os.truncate(folder / "ckpt-2.index", 100)
    else:
        os.remove(folder / "ckpt-2.index")
    before = sorted(os.listdir(folder))
    monkeypatch.setattr(following, "_PAUSE", None)  # whoever waited would fail
    follow = ("--mode=eval", "--eval_timeout=1000")
    for flags in (FOUR, follow, ("--mode=export",), ("--mode=embed",)):
        code, _, err = start(*flags)
        assert code == 2 and err.count("\n") == 1, err
        assert "of 2 checkpoints there none can be read (ckpt-2: " in err
    assert sorted(set(os.listdir(folder)) - {".lock"}) == before
    for mode in ("eval", "export", "embed"):
        code, _, err = start(f"--mode={mode}", f"--checkpoint={folder}/ckpt-1")
        assert code == 2 and "it is damaged" in err and err.count("\n") == 1


def test_evaluation_leaves_a_damaged_newest_out(start, tmp_path, whole):
    folder = copy_of(whole, tmp_path / "run", 1, 2)
    os.truncate(folder / "ckpt-2.data-00000-of-00001", 1000)
    code, out, err = start("--mode=eval")
    assert (code, err) == (0, "") and "ckpt-2 is damaged and left out" in out
    assert (folder / "result_1.json").exists()


def test_a_checkpoint_of_a_later_format_is_refused(start, tmp_path, monkeypatch):
    monkeypatch.setattr("simclr_tf.experiment.checkpoints.FORMAT", 3)
    assert start("--train_steps=1")[0] == 0
    monkeypatch.undo()
    code, _, err = start("--train_steps=2")
    assert code == 2 and "is of format 3, and this release reads up to 2" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_after_the_step_and_the_command_goes_on(
    start, tmp_path, monkeypatch, whole, number
):
    # Shells ignore SIGINT for what they start in the background, and so do we.
    before = signal.signal(number, signal.default_int_handler)
    with monkeypatch.context() as patch:
        after_step(patch, 2, lambda: os.kill(os.getpid(), number))
        code, out, err = start("--train_steps=4", "--checkpoint_steps=4")
    assert signal.signal(number, before) is signal.default_int_handler
    assert code == 128 + number
    assert err == ""  # the handler writes to the file itself, below Python
    assert re.search(r"Stopped, and saved to .*ckpt-2: the same command", out)
    assert checkpoint_files.steps(tmp_path / "run") == [2]
    code, out, _ = start("--train_steps=4", "--checkpoint_steps=4")
    assert code == 0 and "steps      2 to 4" in out
    assert_same(variables(tmp_path / "run", 4), variables(whole, 4))


def test_a_signal_in_the_midst_of_a_save_lets_it_end(start, tmp_path, monkeypatch):
    replace = os.replace

    def interrupted(source, target):
        if str(target).endswith("ckpt-2.data-00000-of-00001"):
            os.kill(os.getpid(), signal.SIGTERM)
        replace(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    code, out, _ = start(*FOUR)
    assert code == 143 and "saved to" in out
    # It came after the question of step 2, and step 3 was begun.
    assert checkpoint_files.steps(tmp_path / "run") == [1, 2, 3]


def test_a_signal_outside_of_training_ends_at_once(start, monkeypatch):
    def interrupted(*_, **__):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(preparing, "prepare", interrupted)
    code, out, _ = start("--train_steps=4")
    assert code == 143 and "resumes" in out


def test_a_second_signal_ends_the_process():
    program = (
        "import os, signal, time\n"
        "from simclr_tf import stopping\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with stopping.deferred() as received:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print(received.number, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('still here')\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -signal.SIGTERM and done.stdout == "2\n"
    assert done.stderr == "SIGINT: saving after this step. A second ends now.\n"


def test_a_second_process_on_the_folder_is_refused(start, tmp_path, whole):
    folder = copy_of(whole, tmp_path / "run", 1)
    with locking.locked(str(folder)):
        code, _, err = start(*FOUR)
        assert code == 2 and err.count("\n") == 1
        assert f"process {os.getpid()} on {socket.gethostname()} trains there" in err
        assert start("--mode=eval")[0] == 0  # to read is no harm
    assert checkpoint_files.steps(folder) == [1]
    program = (
        "import os, signal, sys\n"
        "from simclr_tf.experiment import locking\n"
        "with locking.locked(sys.argv[1]):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, folder], cwd=ROOT, check=False)
    assert start(*FOUR)[0] == 0  # a dead process holds no lock


def test_a_folder_that_cannot_be_locked_is_said(tmp_path, monkeypatch):
    def unsupported(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(locking.fcntl, "flock", unsupported)
    said = []
    with locking.locked(str(tmp_path), said.append):
        pass
    assert len(said) == 1 and "cannot be locked (Operation not supported)" in said[0]


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_save_that_fails_is_said_and_the_next_succeeds(
    start, tmp_path, monkeypatch, whole, fault
):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    mkdir = os.mkdir

    def read_only(path, *mode):
        if ".ckpt-2." in str(path):
            raise OSError(30, "Read-only file system", path)
        mkdir(path, *mode)

    if fault == "full":
        limit = (2_000, hard)
        after_step(
            monkeypatch, 2, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        )
        after_step(
            monkeypatch,
            3,
            lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard)),
        )
    else:  # the superuser may write to any folder, so that its mode changes nothing
        monkeypatch.setattr(os, "mkdir", read_only)
    try:
        code, out, err = start(*FOUR)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (code, err) == (0, "")
    assert out.count("Warning at step 2: it cannot be saved (") == 1
    assert checkpoint_files.steps(tmp_path / "run") == [1, 3, 4]
    assert_same(variables(tmp_path / "run", 4), variables(whole, 4))


@pytest.mark.parametrize("of", ["network", "optimizer"])
@pytest.mark.parametrize("reaction", ["stop", "rewind"])
def test_weights_that_are_not_finite_are_not_saved(
    start, tmp_path, monkeypatch, of, reaction
):
    on_train_batch_end = saving.SaveRun.on_train_batch_end
    overflown = []

    def overflow(self, batch, logs=None):  # of step 3, where loss and gradient are fine
        if self.step == 2 and not overflown:
            found = self.model.projection_head.weights
            if of == "optimizer":
                found = keras_compat.state_variables(self.model.optimizer)
            variable = next(v for v in found if len(v.shape) > 1)
            variable.assign(tf.fill(variable.shape, np.inf))
            overflown.append(of)
        on_train_batch_end(self, batch, logs)

    monkeypatch.setattr(saving.SaveRun, "on_train_batch_end", overflow)
    code, out, err = start(*FOUR, f"--on_nonfinite={reaction}")
    said, last = (err, 2) if reaction == "stop" else (out, 4)
    assert "A weight, or the optimizer's state, is not finite at step 3: learn" in said
    assert (code, err.count("\n")) == ((2, 1) if reaction == "stop" else (0, 0))
    steps = checkpoint_files.steps(tmp_path / "run")
    assert steps == list(range(1, last + 1))
    for step in steps:
        for key, value in variables(tmp_path / "run", step).items():
            assert value.dtype != np.float32 or np.isfinite(value).all(), (step, key)


def test_a_last_save_that_fails_is_one_line(start, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    assert start("--train_steps=1")[0] == 0
    monkeypatch.setattr(checkpoint_files, "write", full)
    code, _, err = start("--train_steps=2", "--resume_with_other_flags")
    assert code == 2 and err.count("\n") == 1
    assert "step 2 cannot be saved: No space left on device. Make room" in err
    assert checkpoint_files.steps(tmp_path / "run") == [1]


def test_summaries_that_cannot_be_written_do_not_end_training(start, monkeypatch):
    create = tf.summary.create_file_writer

    def full():
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    def on_a_full_disk(folder):
        writer = create(folder)
        writer.flush = full
        return writer

    monkeypatch.setattr(tf.summary, "create_file_writer", on_a_full_disk)
    code, out, err = start("--train_steps=2", "--train_summary_steps=1")
    assert (code, err) == (0, "")
    words = "--loggers=tensorboard gets nothing from here on (No space left on device)"
    assert out.count(words) == 1


def test_a_closed_log_pipe_does_not_end_a_run(tmp_path, monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        monkeypatch.setattr(sys, "stderr", closed)
        folder = tmp_path / "run"
        code = run.main(["run.py", *TINY, f"--model_dir={folder}", *FOUR])
    assert code == 0 and checkpoint_files.steps(folder) == [1, 2, 3, 4]


class Clock:
    """Seconds that pass only when they are asked for."""

    def __init__(self, seconds):
        self._now, self._seconds = 0.0, seconds

    def __call__(self):
        self._now += self._seconds
        return self._now


def test_minutes_pass_between_checkpoints(start, tmp_path, monkeypatch):
    init = saving.SaveRun.__init__
    monkeypatch.setattr(
        saving.SaveRun,
        "__init__",
        lambda self, *a, **k: init(self, *a, **k, clock=Clock(25)),
    )
    # Asked for at each step, the clock has gone on by 25 s; the second time it is over.
    code, _, err = start("--train_steps=6", "--checkpoint_minutes=0.7")
    assert (code, err) == (0, "")
    assert checkpoint_files.steps(tmp_path / "run") == [2, 4, 6]


@pytest.mark.parametrize("metric", ["contrast_acc", "loss"])
def test_the_best_is_kept_too(start, tmp_path, monkeypatch, metric):
    figures = {1: 0.5, 2: 0.3, 3: 0.9, 4: 0.4, 5: 0.6, 6: 0.7}
    save = saving.Keeper.save
    monkeypatch.setattr(
        saving.Keeper,
        "save",
        lambda self, step, _: save(self, step, {metric: figures[step]}),
    )
    flags = ("--checkpoint_steps=1", "--keep_checkpoint_max=1", f"--keep_best={metric}")
    assert start("--train_steps=5", *flags)[0] == 0
    more = ("--train_steps=6", "--resume_with_other_flags")
    code, out, _ = start(*more, *flags)  # who resumes knows it still
    best = 3 if metric == "contrast_acc" else 2
    assert checkpoint_files.steps(tmp_path / "run") == [best, 6]
    assert re.search(rf"Best {metric}: .*ckpt-{best}\n", out)


def test_the_best_of_an_evaluation_beside_it_is_kept(start, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    folder.mkdir()
    for step, accuracy in ((1, 0.2), (2, 0.6), (3, 0.4)):
        text = json.dumps({"eval/knn_top_1_accuracy": accuracy})
        (folder / f"result_{step}.json").write_text(text)
    flags = ("--keep_checkpoint_max=1", "--keep_best=eval/knn_top_1_accuracy")
    assert start(*FOUR[:2], *flags)[0] == 0
    assert checkpoint_files.steps(folder) == [2, 4]


def test_a_figure_that_this_training_has_not_is_refused(start, tmp_path):
    code, _, err = start("--train_steps=2", "--keep_best=distill_loss")
    assert code == 2 and err.count("\n") == 1
    assert "--keep_best must be a figure of this training, " in err
    assert " contrast_acc, " in err
    code, _, err = start("--train_steps=2", "--keep_best=speed")
    assert code == 2 and "--keep_best must be a loss or accuracy" in err


def test_summaries_are_written_before_the_checkpoint_of_their_step(
    start, tmp_path, monkeypatch
):
    seen = {}
    save = saving.Keeper.save

    def with_look(self, step, figures):
        (file,) = (tmp_path / "run" / "train").iterdir()
        for record in tf.data.TFRecordDataset(str(file)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                if value.tag == "train/total_loss":
                    seen[event.step] = float(tf.make_ndarray(value.tensor))
        assert seen[step] == pytest.approx(figures["loss"])
        save(self, step, figures)

    monkeypatch.setattr(saving.Keeper, "save", with_look)
    assert start(*FOUR, "--train_summary_steps=1")[0] == 0
    assert sorted(seen) == [1, 2, 3, 4]


@pytest.fixture(scope="module")
def remembering(tmp_path_factory):
    """Folder of a run of four steps with a memory that wraps; all checkpoints kept."""
    folder = tmp_path_factory.mktemp("remembering")
    flags = [*TINY, *FOUR, "--memory_size=20", "--memory_momentum=0.5"]
    assert run.main(["run.py", *flags, f"--model_dir={folder}"]) == 0
    return folder


def test_a_memory_of_negatives_goes_on_bit_for_bit(start, tmp_path, remembering):
    folder = copy_of(remembering, tmp_path / "run", 1, 2)
    flags = ("--memory_size=20", "--memory_momentum=0.5")
    code, out, err = start(*FOUR, *flags)
    assert (code, err) == (0, "")
    assert "negatives  20 of earlier batches, 16 so far, momentum 0.5" in out
    end = variables(folder, 4)
    assert_same(end, variables(remembering, 4))
    of_memory = [key for key in end if key.startswith("memory/")]
    assert len(of_memory) == 2 + 6 + 4
    kept = end["memory/embeddings/.ATTRIBUTES/VARIABLE_VALUE"]
    assert kept.shape == (20, 4) and kept.any(axis=1).all()
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["train/memory_filled"] == 18  # the mean of 16 and 20


@pytest.mark.parametrize(
    ("flags", "sizes"), [((), "20 0"), (("--memory_size=24",), "20 24")]
)
def test_a_run_does_not_go_on_with_another_memory(
    start, tmp_path, remembering, flags, sizes
):
    copy_of(remembering, tmp_path / "run", 1)
    code, _, err = start(*FOUR, *flags, "--resume_with_other_flags")
    assert code == 2 and f"memory_size {sizes}" in " ".join(err.split())
    assert "starts a new run from its weights" in err


def test_a_run_does_not_begin_a_memory_midway(start, tmp_path, whole, monkeypatch):
    copy_of(whole, tmp_path / "run", 1)
    described = checkpoints.describe

    def of_an_earlier_release(prefix, flag):
        about = described(prefix, flag)
        del about["flags"]["memory_size"]
        return about

    monkeypatch.setattr(checkpoints, "describe", of_an_earlier_release)
    code, _, err = start(*FOUR, "--memory_size=24", "--resume_with_other_flags")
    assert code == 2 and "memory_size 0 24" in " ".join(err.split())


def test_a_new_run_begins_its_memory_with_the_weights_of_another(
    start, tmp_path, remembering
):
    flags = ("--memory_size=8", f"--checkpoint={remembering}/ckpt-4")
    code, out, err = start("--train_steps=1", "--learning_rate=0", *flags)
    assert (code, err) == (0, "") and "Initialised the encoder and proj" in out
    begun, there = variables(tmp_path / "run", 1), variables(remembering, 4)
    kernels = [
        [value for key, value in of.items() if key.startswith(f"{part}/encoder/")]
        for of, part in ((begun, "memory"), (there, "model"))
    ]
    kernels = [[value for value in of if value.ndim == 4] for of in kernels]
    np.testing.assert_array_equal(*kernels)


def test_what_is_judged_has_no_memory(start, remembering, monkeypatch):
    monkeypatch.setattr(networks, "NegativeMemory", None)
    code, _, err = start("--mode=eval", model_dir=str(remembering))
    assert (code, err) == (0, "")


def test_a_memory_of_all_images_is_refused(start):
    code, _, err = start("--train_steps=1", "--memory_size=10000")
    assert code == 2 and "--memory_size must be less than 10000, got 10000" in err
