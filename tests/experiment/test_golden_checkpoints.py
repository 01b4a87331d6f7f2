"""Checkpoints that this release wrote on each stack fill networks on both.

`python -m tests.experiment.test_golden_checkpoints` writes that of the stack at hand
anew, for a new format; the old ones stay.
"""

import json
import os
import sys

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import keras_compat
from simclr_tf.errors import UserError
from simclr_tf.experiment import checkpoints, loading
from simclr_tf.experiment.config import DataConfig, ModelConfig, RunConfig
from tf_models import resnet

GOLDEN = os.path.join(os.path.dirname(__file__), "golden")
STACKS = {"addons": 2, "current": 3}  # and their Keras
CONFIG = RunConfig(
    data=DataConfig(image_size=8),
    model=ModelConfig(
        resnet_depth=18, width_multiplier=1 / 64, num_proj_layers=2, proj_out_dim=4
    ),
)
IMAGES = np.random.RandomState(0).normal(size=[2, 8, 8, 3]).astype("float32")
HERE = 3 if keras_compat.IS_KERAS_3 else 2
RESNETS = {18: (False, (1, 1, 1, 1))}  # what was saved


def outputs(model):
    """What the networks make of two images."""
    features = model.encoder(IMAGES, training=False)
    projections = model.projection_head(features, training=False)
    logits = model.linear_head(features)
    return [np.array(tensor).tolist() for tensor in (features, projections, logits)]


@pytest.mark.parametrize("stack", STACKS)
def test_it_fills_the_networks(stack):
    prefix = os.path.join(GOLDEN, stack, "ckpt-2")
    about = checkpoints.describe(prefix, "checkpoint")
    assert (about["format"], about["keras"]) == (1, STACKS[stack])
    model, wanted = loading.build_as(CONFIG, about)
    checkpoints.require_same(prefix, "checkpoint", wanted)
    checkpoints.fill(prefix, model.encoder, model.projection_head, model.linear_head)
    reader = tf.train.load_checkpoint(prefix)
    keys = [k for k in reader.get_variable_to_shape_map() if k.startswith("model/enc")]
    there = sorted(np.linalg.norm(reader.get_tensor(key)) for key in keys)
    here = sorted(np.linalg.norm(np.array(w)) for w in model.encoder.weights)
    np.testing.assert_allclose(here, there, rtol=1e-6)
    with open(os.path.join(GOLDEN, stack, "outputs.json"), encoding="utf-8") as file:
        for found, expected in zip(outputs(model), json.load(file), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("stack", STACKS)
def test_a_run_goes_on_under_its_own_keras_alone(stack):
    prefix = os.path.join(GOLDEN, stack, "ckpt-2")
    about = checkpoints.describe(prefix, "checkpoint")
    model, _ = loading.build_as(CONFIG, about)
    if STACKS[stack] == HERE:
        checkpoints.restore(prefix, model)
        assert int(tf.convert_to_tensor(model.optimizer.iterations)) == 2
    else:
        with pytest.raises(UserError, match=f"Keras {STACKS[stack]}, this is Keras"):
            checkpoints.restore(prefix, model)


def write():
    """Writes the golden checkpoint of this stack."""
    import run

    resnet._BLOCKS.update(RESNETS)
    (stack,) = (name for name in STACKS if STACKS[name] == HERE)
    folder = os.path.join(GOLDEN, stack)
    flags = (
        "--image_size=8 --resnet_depth=18 --width_multiplier=0.015625 --seed=1 "
        "--num_proj_layers=2 --proj_out_dim=4 --train_batch_size=8 --warmup_epochs=0 "
        "--augmentation=crop,flip --dataset=bundled --train_steps=2"
    ).split()
    code = run.main(["run.py", *flags, f"--model_dir={folder}"])
    write_outputs(folder)
    return code


def write_outputs(folder):
    """Writes what the networks of a golden checkpoint make of the images."""
    prefix = os.path.join(folder, "ckpt-2")
    model, _ = loading.build_as(CONFIG, checkpoints.describe(prefix, "checkpoint"))
    checkpoints.fill(prefix, model.encoder, model.projection_head, model.linear_head)
    with open(os.path.join(folder, "outputs.json"), "w", encoding="utf-8") as file:
        json.dump(outputs(model), file)


if __name__ == "__main__":
    sys.exit(write())
