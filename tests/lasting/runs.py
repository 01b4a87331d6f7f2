"""Runs of a network that is traced in no time, and what is found in their folders."""

import contextlib
import os

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from simclr_tf.experiment import checkpoint_files, networks, saving

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TINY = (
    "--image_size=8 --proj_head_mode=linear --proj_out_dim=4 --train_batch_size=8 "
    "--warmup_epochs=0 --augmentation=crop,flip --eval_batch_size=1000 --seed=1 "
    "--dataset=bundled --eval_split=test --eval_timeout=0 "
    "--loggers=jsonl --export_formats=keras"
).split()
FOUR = ("--train_steps=4", "--checkpoint_steps=1", "--keep_checkpoint_max=0")


@contextlib.contextmanager
def tiny_encoder():
    """All runs have the same tiny encoder."""

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


def variables(folder, step):
    """Networks and optimizer of a checkpoint, by path."""
    reader = tf.train.load_checkpoint(os.path.join(folder, f"ckpt-{step}"))
    keys = reader.get_variable_to_shape_map()
    return {key: reader.get_tensor(key) for key in keys if key.startswith(("m", "o"))}


def assert_same(one, other):
    assert one.keys() == other.keys() and len(one) > 10
    for key, value in one.items():
        np.testing.assert_array_equal(value, other[key], err_msg=key)


def after_step(monkeypatch, step, action):
    """Has something happen at the end of a step, before what is saved of it."""
    on_train_batch_end = saving.SaveRun.on_train_batch_end

    def acting(self, batch, logs=None):
        if self.step + 1 == step:
            action()
        on_train_batch_end(self, batch, logs)

    monkeypatch.setattr(saving.SaveRun, "on_train_batch_end", acting)


def copy_of(whole, folder, *steps):
    """A folder that was left after some of the steps of `whole`."""
    os.makedirs(folder)
    for step in steps:
        for kind in ("index", "data-00000-of-00001"):
            name = f"ckpt-{step}.{kind}"
            (folder / name).write_bytes((whole / name).read_bytes())
    checkpoint_files.write_state(folder)
    return folder
