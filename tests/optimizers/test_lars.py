import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from simclr_tf import keras_compat
from simclr_tf.optimizers import LARS, WarmupCosine, trust_ratio
from tests import programs

KERNEL = [[0.1, 0.2], [0.3, 0.4]]
KERNEL_GRADIENT = np.array([[0.1, -0.2], [0.3, 0.4]], "float32")
BIAS = [0.1, -0.2]
BIAS_GRADIENT = np.array([0.5, -0.5], "float32")


def slow_lars(
    weight,
    gradients,
    learning_rate,
    momentum=0.9,
    weight_decay=0.0,
    trust_coefficient=0.001,
    nesterov=False,
    classic_momentum=True,
    excluded=False,
):
    """The rule in float64, read literally from the description of the original."""
    w, v = np.array(weight, "float64"), 0.0

    def trust(update):
        norms = np.linalg.norm(w), np.linalg.norm(update)
        if excluded or min(norms) == 0:
            return 1.0
        return trust_coefficient * norms[0] / norms[1]

    for g in gradients:
        if not excluded:
            g = g + weight_decay * w
        if classic_momentum:
            scaled = learning_rate * trust(g) * g
            v = momentum * v + scaled
            w = w - (momentum * v + scaled if nesterov else v)
        else:
            v = momentum * v + g
            update = momentum * v + g if nesterov else v
            w = w - learning_rate * trust(update) * update
    return w


def run(optimizer, steps=3, graph=False, kernel=KERNEL):
    """A kernel and a bias after steps of growing and of constant gradients."""
    variables = tf.Variable(kernel), tf.Variable(BIAS)

    def step(factor):
        gradients = factor * KERNEL_GRADIENT, tf.constant(BIAS_GRADIENT)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    optimizer.build(variables)
    step = tf.function(step) if graph else step
    for i in range(steps):
        step(tf.constant(i + 1.0))
    return [variable.numpy() for variable in variables]


def test_figures_of_the_published_code():
    kernel, bias = run(LARS(0.3, weight_decay=1e-4))
    expected = [[0.09983172, 0.2003365], [0.2994952, 0.3993269]]
    np.testing.assert_allclose(kernel, expected, rtol=1e-5)
    np.testing.assert_allclose(bias, [-0.7415, 0.6415], rtol=1e-5)


@pytest.mark.parametrize("weight_decay", [0.0, 0.5])
@pytest.mark.parametrize("classic_momentum", [True, False])
@pytest.mark.parametrize("nesterov", [True, False])
def test_four_variants_equal_a_literal_reading(
    nesterov, classic_momentum, weight_decay
):
    rule = dict(
        momentum=0.8,
        weight_decay=weight_decay,
        trust_coefficient=0.1,
        nesterov=nesterov,
        classic_momentum=classic_momentum,
    )
    growing = [(i + 1) * KERNEL_GRADIENT for i in range(3)]
    expected_kernel = slow_lars(KERNEL, growing, 0.3, **rule)
    expected_bias = slow_lars(BIAS, [BIAS_GRADIENT] * 3, 0.3, **rule, excluded=True)
    for graph in (False, True):
        kernel, bias = run(LARS(0.3, **rule), graph=graph)
        np.testing.assert_allclose(kernel, expected_kernel, rtol=1e-5)
        np.testing.assert_allclose(bias, expected_bias, rtol=1e-5)


def test_trust_ratio_by_hand():
    ratio = trust_ratio(tf.constant([[3.0, 4.0]]), tf.constant([[0.0, 2.0]]), 0.1)
    np.testing.assert_allclose(ratio, 0.1 * 5 / 2, rtol=1e-6)
    nothing, something = tf.zeros([2]), tf.ones([2])
    assert trust_ratio(nothing, something, 0.1) == 1.0
    assert trust_ratio(something, nothing, 0.1) == 1.0


def test_kernel_that_starts_at_zero_moves():
    zero = [[0.0, 0.0], [0.0, 0.0]]
    kernel, _ = run(LARS(0.3), steps=2, kernel=zero)
    gradients = [KERNEL_GRADIENT, 2 * KERNEL_GRADIENT]
    np.testing.assert_allclose(kernel, slow_lars(zero, gradients, 0.3), rtol=1e-5)
    assert np.all(kernel != 0)


def is_adapted(optimizer, variable):
    """Whether one step of rate 1 on a unit gradient is the small, scaled one."""
    before = variable.numpy()
    optimizer.build([variable])
    optimizer.apply_gradients([(tf.ones(variable.shape), variable)])
    moved = np.max(np.abs(before - variable.numpy()))
    return bool(moved < 0.5)


class Head(keras.layers.Dense):
    """A layer that marks its variables as `tf_models.LinearHead` does."""

    def build(self, input_shape):
        super().build(input_shape)
        self.kernel.is_linear_head = self.bias.is_linear_head = True


def built(layer, name="conv"):
    inputs = keras.Input([4])
    model = keras.Sequential([inputs, keras.layers.Dense(4, name=name), layer])
    return {keras_compat.variable_path(v): v for v in model.trainable_variables}


def test_role_excludes_biases_batch_norm_and_the_linear_head():
    norm, head = keras.layers.BatchNormalization(name="norm"), Head(3, name="head")
    for last in (norm, head):
        variables = built(last)
        adapted = [path for path in variables if is_adapted(LARS(1.0), variables[path])]
        assert len(variables) == 4
        assert [path.split("/")[-2:] for path in adapted] == [["conv", "kernel"]]


def test_name_alone_does_not_exclude():
    variables = built(keras.layers.Dense(2, name="head_supervised"), "batch_norm")
    kernels = [v for path, v in variables.items() if path.endswith("kernel")]
    assert all(is_adapted(LARS(1.0), kernel) for kernel in kernels)


def test_patterns_replace_the_default():
    variables = built(keras.layers.Dense(2, name="head"))
    for path, variable in variables.items():
        variable.assign(tf.ones(variable.shape))  # a bias of 0 has no ratio
        optimizer = LARS(1.0, exclude=["head/kernel", "^none"])
        expected = not path.endswith("head/kernel")
        assert is_adapted(optimizer, variable) == expected


@keras.utils.register_keras_serializable(package="tests")
def exclude_wide(variable):
    return variable.shape[-1] > 3


def test_predicate_replaces_the_default():
    for variable, adapted in [
        (tf.Variable(tf.ones([2, 4])), False),
        (tf.Variable(tf.ones([3])), True),
    ]:
        assert is_adapted(LARS(1.0, exclude=exclude_wide), variable) == adapted


@pytest.mark.parametrize("exclude", [None, ["bias", "head"], exclude_wide])
def test_survives_its_config(exclude):
    schedule = WarmupCosine(2.0, 10, 100)
    optimizer = LARS(
        schedule,
        0.8,
        1e-4,
        0.01,
        nesterov=True,
        classic_momentum=False,
        exclude=exclude,
    )
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(again, LARS)
    assert again.get_config() == optimizer.get_config()
    assert again.exclude == exclude
    assert (again.momentum, again.weight_decay, again.trust_coefficient) == (
        0.8,
        1e-4,
        0.01,
    )
    assert again.nesterov and not again.classic_momentum
    constant = LARS.from_config(LARS(0.25).get_config())
    assert float(constant.learning_rate) == 0.25


def test_function_that_keras_cannot_save_is_refused_when_saving():
    optimizer = LARS(0.1, exclude=lambda variable: True)
    with pytest.raises(
        ValueError, match="`exclude` is the function <lambda>.*register"
    ):
        optimizer.get_config()


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"momentum": 1.0}, r"`momentum` must be in \[0, 1\), got 1.0"),
        ({"momentum": -0.1}, r"`momentum` must be in \[0, 1\), got -0.1"),
        ({"weight_decay": -1e-4}, "`weight_decay` must be >= 0, got -0.0001"),
        ({"weight_decay": None}, "`weight_decay` must be >= 0, got None"),
        ({"trust_coefficient": 0.0}, "`trust_coefficient` must be positive, got 0.0"),
        ({"exclude": ["("]}, r"`exclude` must hold regular expressions, got '\('"),
    ],
)
def test_value_out_of_range_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        LARS(0.1, **wrong)


def test_single_pattern_is_refused_for_it_would_be_read_letter_by_letter():
    with pytest.raises(TypeError, match="`exclude` must be.*got 'bias'"):
        LARS(0.1, exclude="bias")


def test_schedule_is_read_at_each_step():
    optimizer = LARS(WarmupCosine(1.0, 2, 4), momentum=0.0)
    variable = tf.Variable([0.0])
    positions = []
    for _ in range(5):
        optimizer.apply_gradients([(tf.constant([1.0]), variable)])
        positions.append(float(variable[0]))
    expected = -np.cumsum([0.0, 0.5, 1.0, 0.5, 0.0])
    np.testing.assert_allclose(positions, expected, atol=1e-6)


def small_model():
    keras.utils.set_random_seed(1)
    layers = [keras.Input([4]), keras.layers.Dense(8), keras.layers.Dense(1)]
    return keras.Sequential(layers)


def small_data():
    x = np.random.RandomState(0).randn(16, 4).astype("float32")
    return x, x.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    "policy, jit_compile, classic_momentum",
    [
        ("float32", False, False),
        ("float32", True, True),
        ("mixed_bfloat16", True, False),
        ("mixed_float16", False, True),
        ("mixed_float16", True, False),
    ],
)
def test_learns_with_fit(policy, jit_compile, classic_momentum):
    keras.mixed_precision.set_global_policy(policy)
    model = small_model()
    rule = dict(trust_coefficient=0.5, classic_momentum=classic_momentum)
    model.compile(LARS(0.05, **rule, clipnorm=10.0), "mse", jit_compile=jit_compile)
    history = model.fit(*small_data(), epochs=20, batch_size=16, verbose=0).history
    assert history["loss"][-1] < 0.5 * history["loss"][0]


def test_sparse_gradients_of_an_embedding():
    results = []
    for dense in (False, True):
        table = tf.Variable(np.arange(1.0, 9.0, dtype="float32").reshape(4, 2))
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(table, [1, 1, 3]) ** 2)
        gradient = tape.gradient(loss, table)
        assert isinstance(gradient, tf.IndexedSlices)
        gradient = tf.convert_to_tensor(gradient) if dense else gradient
        LARS(0.5, trust_coefficient=0.1).apply_gradients([(gradient, table)])
        results.append(table.numpy())
    np.testing.assert_allclose(results[0], results[1], rtol=1e-6)


def test_checkpoint_resumes_exactly(tmp_path):
    x, y = small_data()

    def compiled():
        model = small_model()
        schedule = WarmupCosine(0.2, 3, 20)
        model.compile(LARS(schedule, trust_coefficient=0.05, weight_decay=1e-3), "mse")
        return model, tf.train.Checkpoint(model=model, optimizer=model.optimizer)

    def train(model, epochs):
        model.fit(x, y, epochs=epochs, batch_size=8, shuffle=False, verbose=0)

    model, checkpoint = compiled()
    train(model, 3)
    prefix = checkpoint.save(tmp_path / "ckpt")
    train(model, 3)
    again, checkpoint = compiled()
    checkpoint.restore(prefix)
    train(again, 3)
    assert int(again.optimizer.iterations) == 12
    for expected, got in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_two_replicas_equal_one_device_on_the_global_batch():
    printed = programs.run("tests/optimizers/lars_replicas_script.py")
    assert printed.splitlines()[-1] == "equal"
