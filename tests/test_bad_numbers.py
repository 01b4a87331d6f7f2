"""What the command does where the loss is not finite."""

import os
import re

import numpy as np
import pytest
import tensorflow as tf

import run
from simclr_tf.training.simclr import SimCLR

SMALL = (
    "--image_size=8 --resnet_depth=18 --width_multiplier=0.0625 --num_proj_layers=2 "
    "--proj_out_dim=8 --train_batch_size=8 --warmup_epochs=0 --use_blur=False "
    "--color_jitter_strength=0 --seed=1 --loggers=jsonl "
    "--train_steps=4 --checkpoint_steps=1 --keep_checkpoint_max=0 --dataset=images.npy"
).split()


@pytest.fixture
def start(tmp_path, capsys, monkeypatch):
    """Runs the command in `tmp_path`, where a few images are."""
    monkeypatch.chdir(tmp_path)
    np.save("images.npy", np.random.RandomState(0).randint(0, 256, [16, 8, 8, 3], "u1"))

    def call(*flags, model_dir="run"):
        capsys.readouterr()
        code = run.main(["run.py", *SMALL, f"--model_dir={model_dir}", *flags])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def breaks_at_step_3(monkeypatch):
    contrast = SimCLR._contrast

    def broken(self, *views):
        third = tf.equal(tf.convert_to_tensor(self.optimizer.iterations), 2)
        factor = tf.where(third, float("nan"), 1.0)
        return {name: factor * value for name, value in contrast(self, *views).items()}

    monkeypatch.setattr(SimCLR, "_contrast", broken)


def weights(prefix):
    reader = tf.train.load_checkpoint(prefix)
    shapes = reader.get_variable_to_shape_map()
    return {
        key: reader.get_tensor(key)
        for key in shapes
        if key.startswith(("model/", "optimizer/"))
    }


def is_same(one, other):
    keys = [key for key in one if key.endswith("/.ATTRIBUTES/VARIABLE_VALUE")]
    return keys and all(np.array_equal(one[key], other[key]) for key in keys)


def test_stop_keeps_the_last_good_checkpoint(start, breaks_at_step_3):
    code, _, err = start()
    assert code == 2 and len(err.splitlines()) == 1
    assert "not finite at step 3: loss nan" in err and "--learning_rate" in err
    assert re.search(r"Largest norms of gradients: [\w/]+ nan, ", err)
    assert os.path.exists("run/ckpt-2.index")
    assert not os.path.exists("run/ckpt-3.index")
    assert all(np.all(np.isfinite(v)) for v in weights("run/ckpt-2").values())


def test_skip_leaves_out_the_step(start, breaks_at_step_3):
    code, out, err = start("--on_nonfinite=skip")
    assert (code, err) == (0, "")
    assert "not finite at step 3" in out and "The step is skipped." in out
    before, after = weights("run/ckpt-2"), weights("run/ckpt-3")
    assert is_same({k: v for k, v in before.items() if k.startswith("model/")}, after)
    assert not is_same(after, weights("run/ckpt-4"))


def test_rewind_goes_on_from_the_last_checkpoint_and_resumes(
    start, breaks_at_step_3, killed_after_a_save
):
    flags = ("--on_nonfinite=rewind", "--checkpoint_steps=2")
    code, out, err = start(*flags)
    assert (code, err) == (0, "")
    assert "not finite at step 3" in out and "Back to run/ckpt-2" in out
    with killed_after_a_save():
        assert start(*flags, model_dir="killed")[0] == 130
    assert start(*flags, model_dir="killed")[0] == 0
    assert is_same(weights("run/ckpt-4"), weights("killed/ckpt-4"))
