"""The losses are those of other libraries: stored figures of PyTorch."""

import json

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import losses
from tests.losses import reference_inputs

with open(reference_inputs.FILE, encoding="utf-8") as file:
    FIGURES = json.load(file)
T = reference_inputs.TEMPERATURE
OURS = {
    "lightly/nt_xent": losses.NTXent(T),
    "lightly/dcl": losses.DCL(T),
    "lightly/dclw": losses.DCLW(T),
    "pytorch_metric_learning/nt_xent": losses.NTXent(T),
    "pytorch_metric_learning/supcon": losses.SupCon(T),
    "torch/debiased": losses.Debiased(T, positive_prior=0.1),
    "torch/hard_negatives": losses.HardNegatives(T, 0.1, negative_concentration=2.0),
}


@pytest.mark.parametrize("name", FIGURES)
def test_loss_and_gradients_are_those_of_pytorch(name):
    views = [tf.constant(view, tf.float32) for view in reference_inputs.views()]
    with tf.GradientTape() as tape:
        tape.watch(views)
        values = OURS[name].call(*views, labels=tf.constant(reference_inputs.LABELS))
        mean = tf.reduce_mean(values)
    np.testing.assert_allclose(mean, FIGURES[name]["loss"], rtol=1e-5)
    expected = FIGURES[name]["gradients"]
    found = tape.gradient(mean, views)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
