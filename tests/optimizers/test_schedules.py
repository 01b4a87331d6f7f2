import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from simclr_tf.optimizers import (
    WarmupCosine,
    scaled_learning_rate,
    training_steps,
    warmup_steps,
)


def test_figures_of_the_published_cifar_recipe():
    total, warmup = training_steps(50000, 512, 1000), warmup_steps(50000, 512, 10)
    assert (total, warmup) == (97657, 976)
    schedule = WarmupCosine(scaled_learning_rate(1.0, 512), warmup, total)
    steps = [1, 488, 976, 10000, 48828, 97656]
    expected = [0.0020492, 1.0, 2.0, 1.9573154, 1.0158727, 0.0]
    rates = [float(schedule(step)) for step in steps]
    np.testing.assert_allclose(rates, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("warmup, total", [(0, 7), (3, 11), (1000, 16_000_000)])
def test_equals_the_formula_in_float64(warmup, total):
    schedule = WarmupCosine(0.3, warmup, total)
    for step in {0, 1, warmup, (warmup + total) // 2, total - 1}:
        done = (step - warmup) / (total - warmup)
        falling = 0.15 * (1 + np.cos(np.pi * done))
        expected = 0.3 * step / warmup if step < warmup else falling
        np.testing.assert_allclose(schedule(step), expected, rtol=1e-5, atol=1e-9)


def test_starts_at_0_and_stays_at_0_after_the_end():
    schedule = WarmupCosine(2.0, 5, 20)
    assert [float(schedule(step)) for step in (0, 20, 21, 10**9)] == [0.0] * 4
    assert float(WarmupCosine(2.0, 0, 20)(0)) == 2.0


def test_takes_any_kind_of_step_in_graph_mode_too():
    schedule = WarmupCosine(1.0, 4, 8)
    compiled = tf.function(schedule)
    for step in (1, 1.0, tf.constant(1, "int64"), tf.Variable(1, dtype="int64")):
        assert float(schedule(step)) == 0.25
        assert schedule(step).dtype == tf.float32
        assert float(compiled(step)) == 0.25


def test_survives_its_config():
    schedules = keras.optimizers.schedules
    again = schedules.deserialize(schedules.serialize(WarmupCosine(2.0, 5, 20)))
    assert isinstance(again, WarmupCosine)
    assert again.get_config() == WarmupCosine(2.0, 5, 20).get_config()


def test_drives_a_keras_optimizer():
    optimizer = keras.optimizers.SGD(WarmupCosine(1.0, 2, 4))
    variable = tf.Variable(0.0)
    for _ in range(3):
        optimizer.apply_gradients([(tf.constant(1.0), variable)])
    np.testing.assert_allclose(variable, -(0.0 + 0.5 + 1.0), rtol=1e-6)


@pytest.mark.parametrize("warmup, total", [(5, 5), (6, 5), (-1, 5), (0, 0)])
def test_warmup_must_end_before_the_training(warmup, total):
    message = rf"`warmup_steps` must be in \[0, total_steps\), got {warmup} of {total}"
    with pytest.raises(ValueError, match=message):
        WarmupCosine(1.0, warmup, total)


@pytest.mark.parametrize("peak", [-1.0, float("nan")])
def test_peak_must_not_be_negative(peak):
    with pytest.raises(ValueError, match=f"`peak_learning_rate` must.*got {peak}"):
        WarmupCosine(peak, 0, 10)


def test_scaling_of_the_learning_rate():
    assert scaled_learning_rate(0.3, 4096) == pytest.approx(4.8)
    assert scaled_learning_rate(0.075, 4096, scaling="sqrt") == pytest.approx(4.8)
    with pytest.raises(ValueError, match='`scaling` must be "linear" or "sqrt", got'):
        scaled_learning_rate(0.3, 4096, scaling="cubic")


def test_lengths_with_parts_of_epochs():
    assert training_steps(1000, 64, 0.5) == 500 // 64 + 1
    assert warmup_steps(1000, 64, 0.5) == 500 // 64
    assert warmup_steps(1000, 64, 0) == 0
    assert isinstance(training_steps(1000, 64, 0.5), int)


def test_batch_size_must_be_positive():
    for length in (training_steps, warmup_steps):
        with pytest.raises(ValueError, match="`batch_size` must be >= 1, got 0"):
            length(10, 0, 1)
    with pytest.raises(ValueError, match="`batch_size` must be >= 1, got -1"):
        scaled_learning_rate(0.1, -1)
