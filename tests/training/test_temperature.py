"""Temperatures that change: learned with the networks, or warming up."""

import math

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import simclr_tf
from simclr_tf import keras_compat, losses, optimizers
from simclr_tf.optimizers import build_optimizer
from simclr_tf.training import LearnedTemperature, TemperatureWarmup, _common

STEP = tf.constant(0)  # which is not read
VIEWS = tf.random.stateless_uniform([2, 6, 4, 4, 3], [0, 1])


def encoder():
    """The quickest that has weights; no norm, so that pieces embed alike."""
    return keras.Sequential(
        [keras.Input([None, None, 3]), keras.layers.Conv2D(4, 3, activation="elu")]
    )


def make_model(temperature, optimizer=None, loss=None, **kwargs):
    keras.utils.set_random_seed(2)
    model = simclr_tf.SimCLR(
        encoder(),
        keras.Sequential([keras.Input([4]), keras.layers.Dense(5)]),
        temperature=temperature,
        **kwargs,
    )
    model.compile(optimizer or keras.optimizers.SGD(0.1), loss or losses.NTXent())
    return model


def step(model):
    logs = model.train_step(tuple(VIEWS))
    return {name: float(value) for name, value in logs.items()}


def loss_at(model, temperature):
    """The loss of the views, whatever the model's temperature is."""
    z = [model.projection_head(model.features(view)) for view in VIEWS]
    return float(tf.reduce_mean(losses.nt_xent(*z, temperature)))


@pytest.mark.parametrize("micro_batch_size", [None, 2])
def test_a_step_of_sgd_by_hand(micro_batch_size):
    learned = LearnedTemperature(0.2)
    model = make_model(learned, micro_batch_size=micro_batch_size)
    # The slope by central differences, in the logarithm: exp(log t +- h).
    h = 1e-2
    slope = loss_at(model, 0.2 * math.exp(h)) - loss_at(model, 0.2 * math.exp(-h))
    logs = step(model)
    assert logs["temperature"] == pytest.approx(0.2)
    assert abs(slope / (2 * h)) > 0.05
    expected = math.log(0.2) - 0.1 * slope / (2 * h)
    assert float(learned.log_temperature) == pytest.approx(expected, abs=2e-5)
    # The figure is a running mean, of the step before and this one.
    assert step(model)["temperature"] == pytest.approx(
        (0.2 + math.exp(expected)) / 2, 1e-4
    )


@pytest.mark.parametrize(
    ("rate", "bound"), [(1e9, "minimum"), (-1e9, "maximum")], ids=["down", "up"]
)
def test_bounds_hold_under_a_huge_gradient_and_let_go_again(rate, bound):
    learned = LearnedTemperature(0.3, 0.2, 0.4)
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.build([learned.log_temperature])
    variable = keras_compat.tf_variable(learned.log_temperature)
    for gradient in (rate, rate):
        optimizer.apply_gradients([(tf.constant(gradient), learned.log_temperature)])
        assert float(learned(STEP)) == pytest.approx(getattr(learned, bound))
    gradient = tf.constant(-0.1 if rate > 0 else 0.1)  # no inertia of the bound
    optimizer.apply_gradients([(gradient, learned.log_temperature)])
    assert float(learned(STEP)) == pytest.approx(
        getattr(learned, bound) * math.exp(-float(gradient))
    )
    assert np.isfinite(variable.numpy())


@pytest.mark.parametrize("name", ["momentum", "adam", "adamw", "lars"])
def test_optimizers_neither_decay_nor_scale_it(name):
    learned = LearnedTemperature(0.1)
    kernel = keras.layers.Dense(2, use_bias=False)
    kernel.build([None, 2])
    variables = [kernel.kernel, learned.log_temperature]
    optimizer = build_optimizer(name, 0.5, weight_decay=0.1)
    optimizer.build(variables)
    before = kernel.kernel.numpy()
    optimizer.apply_gradients([(tf.zeros_like(v), v) for v in variables])
    assert float(learned(STEP)) == pytest.approx(0.1, 1e-6)
    decayed = _common.undecayed(variables, optimizer)
    assert not any(variable is learned.log_temperature for variable in decayed)
    if name in ("adamw", "lars"):
        assert np.any(kernel.kernel.numpy() != before)
    if name == "lars":  # the plain rate, as a bias has
        gradient = tf.constant(0.01)
        optimizer.apply_gradients(
            zip([tf.zeros([2, 2]), gradient], variables, strict=True)
        )
        expected = math.log(0.1) - 0.5 * 0.01
        assert float(learned.log_temperature) == pytest.approx(expected, 1e-6)


def test_warmup_goes_by_the_steps_of_the_optimizer():
    model = make_model(TemperatureWarmup(0.5, 0.1, 2))
    for done, temperature in enumerate((0.5, 0.3, 0.1, 0.1)):
        assert int(model.optimizer.iterations) == done
        expected = loss_at(model, temperature)
        model.reset_metrics()
        figures = {n: float(v) for n, v in model.test_step(tuple(VIEWS)).items()}
        assert figures["contrast_loss"] == pytest.approx(expected, rel=1e-5)
        model.reset_metrics()
        figures = step(model)
        assert figures["contrast_loss"] == pytest.approx(expected, rel=1e-5)
        assert figures["temperature"] == pytest.approx(temperature, rel=1e-6)


def test_a_constant_temperature_is_no_figure():
    assert "temperature" not in step(make_model(None))


def test_any_schedule_of_keras_is_one():
    schedule = keras.optimizers.schedules.CosineDecay(0.4, 10)
    assert step(make_model(schedule))["temperature"] == pytest.approx(0.4)


def test_small_views_have_the_same_temperature():
    model = make_model(LearnedTemperature(0.2))
    z = tf.random.stateless_normal([4, 3, 5], [1, 2])  # two full views and a small one
    loss, values = model._loss(z, z[:, :2], None)
    expected = losses.nt_xent_small_views(z[:, 2:], z[:, 0], z[:, 1], 0.2)
    np.testing.assert_allclose(values["small_view_loss"], expected, rtol=1e-5)


def test_xla_takes_the_same_step():
    plain, compiled = (make_model(LearnedTemperature(0.2)) for _ in range(2))
    compiled.compile(keras.optimizers.SGD(0.1), losses.NTXent(), jit_compile=True)
    expected = step(plain)
    assert step(compiled) == pytest.approx(expected, rel=1e-4, abs=1e-5)
    moved = [float(m.temperature.log_temperature) for m in (plain, compiled)]
    assert moved[0] == pytest.approx(moved[1], abs=1e-5) != math.log(0.2)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_it_is_float32_in_mixed_precision(policy):
    keras.mixed_precision.set_global_policy(policy)
    model = make_model(LearnedTemperature(0.2), optimizers.LARS(0.1))
    for _ in range(12):  # float16 first finds out how far it may scale the loss
        assert np.isfinite(step(model)["loss"])
    variable = model.temperature.log_temperature
    assert keras_compat.dtype_of(variable) == tf.float32
    assert model.temperature(STEP).dtype == tf.float32
    assert float(variable) != pytest.approx(math.log(0.2), abs=1e-6)


@pytest.mark.parametrize(
    "temperature", [LearnedTemperature(0.2, 0.1, 0.5), TemperatureWarmup(0.5, 0.1, 4)]
)
def test_a_keras_file_goes_on_where_it_was(temperature, tmp_path):
    model = make_model(temperature)
    step(model)
    model.save(tmp_path / "m.keras")
    twin = keras.models.load_model(tmp_path / "m.keras")
    assert type(twin.temperature) is type(temperature)
    assert twin.temperature.get_config() == model.temperature.get_config()
    model.reset_metrics()
    twin.reset_metrics()
    assert step(twin) == pytest.approx(step(model), rel=1e-5, abs=1e-6)
    found, expected = (m._current_temperature() for m in (twin, model))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LearnedTemperature(0.1, 0.0), "`minimum` must be positive and below"),
        (lambda: LearnedTemperature(0.5, 0.5, 0.5), "got minimum=0.5, maximum=0.5"),
        (lambda: LearnedTemperature(2.0), r"`initial` must be in \[0.01, 1.0\], got 2"),
        (lambda: LearnedTemperature(float("nan")), "`initial` must be in"),
        (lambda: TemperatureWarmup(0.0, 0.1, 2), "`start` must be positive and finite"),
        (lambda: TemperatureWarmup(0.1, math.inf, 2), "`end` must be positive"),
        (lambda: TemperatureWarmup(0.1, 0.2, 0), "`warmup_steps` must be >= 1, got 0"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_number_belongs_to_the_loss():
    with pytest.raises(TypeError, match="`temperature` must be .* got 0.5. A constant"):
        make_model(0.5)


def test_a_loss_without_a_temperature_is_refused():
    with pytest.raises(ValueError, match="must take a `temperature` .*MarginT"):
        make_model(LearnedTemperature(), loss=losses.MarginTriplet())
