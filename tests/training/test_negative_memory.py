"""A memory of negatives, against a queue and a moving average written out in NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import simclr_tf
import tf_models
from simclr_tf import NegativeMemory, losses
from simclr_tf.errors import UserError
from simclr_tf.experiment import config
from simclr_tf.losses.build import LOSSES
from tests.programs import Program

B, SIZE, MOMENTUM, TEMPERATURE = 4, 6, 0.75, 0.5
STEPS = 3
VIEWS = np.random.RandomState(0).rand(STEPS, 2, B, 4, 4, 3).astype("float32")


def smooth_encoder(norm=True):
    layers = [keras.Input([4, 4, 3]), keras.layers.GlobalAveragePooling2D()]
    layers += [keras.layers.Dense(5, "tanh")]
    layers += [tf_models.BatchNormalization(epsilon=1e-3)] if norm else []
    return keras.Sequential(layers)


def make_model(encoder=None, memory=None, micro_batch_size=None, **of_compile):
    keras.utils.set_random_seed(3)
    model = simclr_tf.SimCLR(
        encoder or smooth_encoder(),
        keras.layers.Dense(2),
        micro_batch_size=micro_batch_size,
        memory=memory or NegativeMemory(SIZE, MOMENTUM),
    )
    of_compile = {"loss": losses.NTXent(TEMPERATURE), **of_compile}
    model.compile(keras.optimizers.SGD(1.0), **of_compile)
    return model


def values(variables):
    return [np.array(tf.convert_to_tensor(variable)) for variable in variables]


def weights(model):
    return values(
        [*model.encoder.trainable_variables, *model.projection_head.variables]
    )


def weights_of_copies(model):
    encoder, head = model.memory.encoder, model.memory.projection_head
    dense, norm = encoder.layers[-2], encoder.layers[-1]
    found = [dense.kernel, dense.bias, norm.gamma, norm.beta, head.kernel, head.bias]
    return values(found)


def embed(images, weights):
    """The network of `make_model`, literally; batch norm over these images."""
    kernel, bias, gamma, beta, head, shift = weights
    hidden = np.tanh(images.mean(axis=(1, 2)) @ kernel + bias)
    hidden = (hidden - hidden.mean(0)) / np.sqrt(hidden.var(0) + 1e-3)
    return (hidden * gamma + beta) @ head + shift


def nt_xent_with(negatives, a, b):
    """The mean of -ln(e^s(partner) / sum of e^s over all others and the negatives)."""
    rows = np.concatenate([a, b])
    rows = [row / np.linalg.norm(row) for row in rows]
    negatives = [row / np.linalg.norm(row) for row in negatives]
    terms = []
    for i, row in enumerate(rows):
        score = [np.exp(row @ other / TEMPERATURE) for other in rows]
        total = sum(score) - score[i]
        total += sum(np.exp(row @ other / TEMPERATURE) for other in negatives)
        terms.append(-np.log(score[(i + B) % (2 * B)] / total))
    return np.mean(terms)


@pytest.fixture(scope="module")
def stepped():
    """A model after each of three steps: weights, copies, memory, and figures."""
    model = make_model()
    for variable in model.encoder.trainable_variables:  # as if read from a checkpoint
        variable.assign(variable + 0.3)
    step = tf.function(model.train_step, reduce_retracing=True)
    states = [{"weights": weights(model)}]
    for view_a, view_b in VIEWS:
        model.reset_metrics()
        figures = step((tf.constant(view_a), tf.constant(view_b)))
        states.append(
            {
                "weights": weights(model),
                "copies": weights_of_copies(model),
                "memory": values([model.memory.embeddings])[0],
                "figures": {name: float(value) for name, value in figures.items()},
            }
        )
    return states


def test_queue_moving_average_and_loss_are_those_of_the_formula(stepped):
    queue, copies = [], None  # the oldest first
    places = np.zeros([SIZE, 2])
    for number in range(STEPS):
        before, after = stepped[number], stepped[number + 1]
        view_a, view_b = VIEWS[number]
        if copies is None:
            copies = before["weights"]
        else:
            copies = [
                MOMENTUM * m + (1 - MOMENTUM) * w
                for m, w in zip(copies, before["weights"], strict=True)
            ]
        z = embed(np.concatenate([view_a, view_b]), before["weights"])
        expected = nt_xent_with(queue, z[:B], z[B:])
        figures = after["figures"]
        np.testing.assert_allclose(figures["contrast_loss"], expected, rtol=1e-5)
        assert figures["memory_filled"] == len(queue)
        chance = np.log(2 * B - 1 + len(queue))
        np.testing.assert_allclose(figures["contrast_loss_chance"], chance, rtol=1e-6)
        new = embed(view_b, copies)
        for row, values_of_row in enumerate(new):
            places[(number * B + row) % SIZE] = values_of_row
        queue = [*queue, *new][-SIZE:]
        for found, copy in zip(after["copies"], copies, strict=True):
            np.testing.assert_allclose(found, copy, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(after["memory"], places, rtol=1e-4, atol=1e-5)
    moved = [np.abs(a - b).max() for a, b in zip(copies, before["weights"])]  # noqa: B905
    assert min(moved[:1]) > 1e-3  # the copies lag behind


def run(model, steps=STEPS):
    """Embeddings in the memory, and the weights, after some steps."""
    step = tf.function(model.train_step, reduce_retracing=True)
    for view_a, view_b in VIEWS[:steps]:
        logs = step((tf.constant(view_a), tf.constant(view_b)))
    assert np.isfinite([float(value) for value in logs.values()]).all()
    return [*values([model.memory.embeddings]), *weights(model)]


def assert_close(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("how", [{"micro_batch_size": 3}, {"jit_compile": True}])
def test_pieces_and_xla_change_nothing(how):
    encoder = smooth_encoder(norm=False)  # which would see the pieces
    start = encoder.get_weights()
    expected = run(make_model(encoder), 2)
    encoder.set_weights(start)
    assert_close(run(make_model(encoder, **how), 2), expected)


def test_a_step_that_is_skipped_leaves_no_trace():
    model = make_model(skip_nonfinite=True)
    run(model, 2)
    before = values(model.variables)
    mine = {id(variable) for variable in model.variables}
    assert mine >= {id(variable) for variable in model.memory.variables}
    broken = VIEWS[2].copy()
    broken[:, 0, 0, 0, 0] = np.nan
    # Past the check of values, which `fit` would fail.
    logs = model._learn(tuple(tf.constant(view) for view in broken), None)
    assert float(logs["skipped_steps"]) == 1
    # Of Keras 2's, metrics are variables too: the count of what was skipped.
    changed = [
        not np.array_equal(found, old)
        for found, old in zip(values(model.variables), before, strict=True)
    ]
    assert sum(changed) <= 1
    assert int(tf.convert_to_tensor(model.memory.stored)) == 8


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy):
    keras.mixed_precision.set_global_policy(policy)
    found, *_ = run(make_model(), 2)
    assert found.dtype == np.float32 and np.isfinite(found).all() and found.all()


def test_small_views_are_told_from_the_memory_too():
    model = make_model(smooth_encoder())
    data = (*VIEWS[0], VIEWS[1, 0], VIEWS[1, 1])
    losses_of_small = []
    for _ in range(2):
        model.reset_metrics()
        model.optimizer.learning_rate.assign(0.0)
        logs = model.train_step(tuple(map(tf.constant, data)))
        losses_of_small.append(float(logs["small_view_loss"]))
    assert losses_of_small[1] > losses_of_small[0] + 0.1


def test_a_keras_file_goes_on_where_the_model_was(tmp_path):
    model = make_model()
    images = tf.data.Dataset.from_tensor_slices(tuple(np.concatenate(VIEWS, axis=1)))
    images = images.batch(5)  # 5, 5, 2: it wraps, and the last has fewer
    model.fit(images, verbose=0)
    model.save(tmp_path / "model.keras")
    other = keras.models.load_model(tmp_path / "model.keras")
    for one in (model, other):
        one.fit(images, verbose=0)
    assert (other.memory.size, other.memory.momentum) == (SIZE, MOMENTUM)
    assert int(tf.convert_to_tensor(other.memory.stored)) == 24
    for a, b in zip(values(model.variables), values(other.variables), strict=True):
        np.testing.assert_array_equal(a, b)


def test_config_round_trip():
    memory = NegativeMemory(7, momentum=0.5, make_networks=own_networks)
    again = NegativeMemory.from_config(memory.get_config())
    assert (again.size, again.momentum) == (7, 0.5)
    assert again.make_networks is own_networks


def test_copies_are_not_trained_and_not_in_the_encoder():
    model = make_model()
    assert len(model.trainable_variables) == 6
    assert len(model.memory.variables) == 2 + 8
    mine = {id(variable) for variable in model.memory.variables}
    theirs = [*model.encoder.variables, *model.projection_head.variables]
    assert not mine & {id(variable) for variable in theirs}
    assert not model.memory.trainable_variables


@keras.utils.register_keras_serializable(package="tests")
class OwnEncoder(keras.Model):
    """A user's class, which Keras cannot copy unless it `tells` how."""

    def __init__(self, dense, tells=False, **kwargs):
        super().__init__(**kwargs)
        self.dense, self.tells = dense, tells

    def call(self, images, training=False):
        return self.dense(tf.reduce_mean(images, axis=[1, 2]))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.dense.units)

    def get_config(self):
        if not self.tells:
            raise NotImplementedError("OwnEncoder has no config.\nNone at all.")
        return {"dense": self.dense.get_config(), "tells": True}

    @classmethod
    def from_config(cls, config):
        return cls(keras.layers.Dense.from_config(config["dense"]), config["tells"])


@keras.utils.register_keras_serializable(package="tests")
def own_networks():
    return OwnEncoder(keras.layers.Dense(5, "tanh")), keras.layers.Dense(2)


def functional_encoder():
    images = keras.Input([None, None, 3])
    features = keras.layers.Conv2D(5, 3, activation="tanh")(images)
    return keras.Model(images, keras.layers.BatchNormalization()(features))


@pytest.mark.parametrize(
    ("encoder", "make_networks"),
    [
        (functional_encoder, None),
        (lambda: OwnEncoder(keras.layers.Dense(5, "tanh"), tells=True), None),
        (lambda: OwnEncoder(keras.layers.Dense(5, "tanh")), own_networks),
    ],
)
def test_networks_that_can_be_copied(encoder, make_networks):
    encoder = encoder()
    encoder(tf.zeros([1, 4, 4, 3]))
    memory = NegativeMemory(SIZE, make_networks=make_networks)
    model = make_model(encoder, memory=memory)
    run(model, 1)
    images = VIEWS[0, 0]
    copied = memory.encoder(images, training=True)  # of the weights before the step
    assert np.abs(copied - encoder(images, training=True)).max() > 1e-4
    assert values([memory.embeddings])[0][:B].all()


def test_frozen_batch_norm_is_frozen_in_the_copy():
    encoder = smooth_encoder()
    head = tf_models.ProjectionHead(num_layers=2, output_dim=2)
    head(tf.zeros([1, 5]))

    def norms(network):
        layers = network._flatten_layers()
        return [x for x in layers if isinstance(x, tf_models.BatchNormalization)]

    norms(head)[0].trainable = False
    memory = NegativeMemory(SIZE)
    memory.copy_networks(encoder, head)
    copied = [norm.trainable for norm in norms(memory.projection_head)]
    assert copied == [False, True]
    assert norms(memory.encoder)[0].trainable and not memory.trainable_variables


@pytest.mark.parametrize(
    ("make_networks", "reason"),
    [
        (None, r"there is none \(OwnEncoder has no config.\)."),
        (lambda: 1, r"must return \(encoder, projection_head\), got 1"),
        (lambda: (keras.layers.Dense(5), keras.layers.Dense(2)), "there is none"),
    ],
)
def test_networks_that_cannot_be_copied(make_networks, reason):
    encoder = own_networks()[0]
    encoder(tf.zeros([1, 4, 4, 3]))
    with pytest.raises(ValueError, match=reason):
        make_model(encoder, memory=NegativeMemory(SIZE, make_networks=make_networks))


def test_the_network_itself_is_no_copy():
    networks = own_networks()
    networks[0](tf.zeros([1, 4, 4, 3]))
    memory = NegativeMemory(SIZE, make_networks=lambda: networks)
    with pytest.raises(ValueError, match="returns the network itself"):
        make_model(networks[0], memory=memory)


def test_a_memory_smaller_than_the_batch_is_refused():
    model = make_model(memory=NegativeMemory(3))
    images = tf.data.Dataset.from_tensor_slices(tuple(VIEWS[0])).batch(B)
    message = "at least a batch, over all replicas: got a size of 3 and a batch of 4"
    with pytest.raises(UserError, match=message):
        model.fit(images, verbose=0)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="`size` must be at least 1, got 0"):
        NegativeMemory(0)
    with pytest.raises(ValueError, match=r"`momentum` must be in \[0, 1\), got 1"):
        NegativeMemory(8, momentum=1.0)
    memory = NegativeMemory(SIZE)
    make_model(memory=memory)
    with pytest.raises(ValueError, match="`memory` belongs to another model"):
        make_model(memory=memory)
    with pytest.raises(UserError, match="take more negatives .*, got SupCon."):
        make_model(loss=losses.SupCon())


def test_flags_know_which_losses_take_a_memory():
    without = [name for name, loss in LOSSES.items() if not loss.takes_negatives]
    assert sorted(without) == sorted(config.LOSSES_OF_THE_BATCH)


def test_two_replicas_hold_the_memory_of_one_device():
    code, output = Program("tests/training/negative_memory_replicas_script.py").wait()
    assert code == 0, output
    assert "equal" in output
