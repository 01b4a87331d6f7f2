"""Steps whose loss or gradient is not finite."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import simclr_tf
from simclr_tf import losses, optimizers
from simclr_tf.errors import UserError
from simclr_tf.training import callbacks

VIEWS = np.random.RandomState(0).rand(2, 8, 4, 4, 3).astype("float32")


@keras.utils.register_keras_serializable(package="tests")
class Breaks(keras.layers.Layer):
    """The mean of an image, which has no finite gradient where it begins with 2."""

    def build(self, input_shape):
        self.scale = self.add_weight(shape=[3], initializer="ones", name="scale")
        self.norm = keras.layers.BatchNormalization()
        self.norm.build([None, 3])

    def call(self, images, training=False):
        means = tf.reduce_mean(images, axis=[1, 2]) * self.scale
        broken = tf.reduce_any(images[:, 0, 0, 0] == 2.0)
        means *= tf.where(broken, float("nan"), 1.0)
        return self.norm(means, training=training)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 3)


def small_model(optimizer=None, **options):
    encoder = keras.Sequential([keras.layers.Input([4, 4, 3]), Breaks()])
    head = keras.layers.Dense(2)
    model = simclr_tf.SimCLR(encoder, head, num_classes=2, weight_decay=0.1)
    optimizer = optimizer or optimizers.LARS(0.1)
    model.compile(optimizer, losses.NTXent(0.5), **options)
    return model


def batches(*broken, steps=4):
    """Batches of one set of views; those at the steps that are `broken` give NaN."""
    views = np.repeat(VIEWS[:, None], steps, axis=1)
    views[0, list(broken), 0, 0, 0, 0] = 2.0
    labels = np.tile(np.arange(8) % 2, [steps, 1])
    return tf.data.Dataset.from_tensor_slices(((views[0], views[1]), labels))


def optimizer_state(model):
    variables = model.optimizer.variables
    return variables() if callable(variables) else variables


def state(model):
    values = [*model.get_weights(), *map(np.array, optimizer_state(model))]
    return [value for value in values if value.size > 1]


@pytest.mark.parametrize("micro_batch_size", [None, 4])
def test_norm_of_the_gradient_is_that_of_the_step(micro_batch_size):
    # Plain SGD with rate 1 moves the variables by the gradient.
    model = small_model(keras.optimizers.SGD(1.0))
    model.micro_batch_size = micro_batch_size
    before = [np.array(variable) for variable in model.trainable_variables]
    logs = model.train_step(next(iter(batches())))
    moved = zip(before, model.trainable_variables, strict=True)
    gradient = np.concatenate([(old - np.array(new)).ravel() for old, new in moved])
    np.testing.assert_allclose(
        logs["gradient_norm"], np.linalg.norm(gradient), rtol=1e-4
    )
    (path, norm), *_ = model.gradient_norms.largest()
    assert norm <= np.linalg.norm(gradient)
    assert path in [getattr(v, "path", v.name.split(":")[0]) for v in model.variables]


def test_a_step_that_is_not_finite_ends_the_training_in_words():
    saved = []
    model = small_model()
    watch = callbacks.NonFinite()
    save = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: saved.append(batch + 1)
    )
    with pytest.raises(UserError) as caught:
        model.fit(batches(2), verbose=0, callbacks=[watch, save])
    text = str(caught.value)
    assert text.startswith("Loss or gradient is not finite at step 3: loss nan")
    assert "learning rate 0.1" in text and "smaller learning rate" in text
    assert "Largest norms of gradients: " in text and "scale nan" in text
    assert saved == [1, 2]


def test_a_skipped_step_leaves_no_trace():
    said = []
    watch = callbacks.NonFinite(say=said.append)
    model = small_model(skip_nonfinite=True)
    twin = small_model()
    twin.set_weights(model.get_weights())
    logs = model.fit(batches(1), verbose=0, callbacks=[watch]).history
    expected = twin.fit(batches(steps=3), verbose=0).history
    assert model.skipped_steps == 1 and logs["skipped_steps"] == [1.0]
    for name, value in expected.items():
        assert logs[name] == pytest.approx(value, rel=1e-4), name
    assert int(model.optimizer.iterations) == 4
    for ours, theirs in zip(state(model)[-20:], state(twin)[-20:], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert len(said) == 1
    assert said[0].startswith("Warning: Loss or gradient is not finite at step 2:")
    assert said[0].endswith("The step is skipped.")


def test_steps_are_not_skipped_for_ever():
    watch = callbacks.NonFinite(say=lambda line: None, most_in_a_row=2)
    model = small_model(skip_nonfinite=True, run_eagerly=True)
    with pytest.raises(UserError, match="at step 4: .*2th step in a row.*smaller"):
        model.fit(batches(0, 2, 3, steps=6), verbose=0, callbacks=[watch])
    assert model.skipped_steps == 3


def test_rewinding_goes_on_from_an_earlier_state():
    said, steps = [], []
    model = small_model(keras.optimizers.SGD(0.1), run_eagerly=True)
    start = model.get_weights()

    def rewind(step):
        steps.append(step)
        model.set_weights(start)
        for variable in optimizer_state(model):  # Keras 2 has momenta without momentum
            variable.assign(tf.zeros_like(variable))
        return "the start"

    watch = callbacks.NonFinite(rewind, first_step=10, say=said.append)
    model.fit(batches(1), verbose=0, callbacks=[watch])
    assert steps == [12] and all(np.isfinite(value).all() for value in state(model))
    assert "at step 12" in said[0] and "Back to the start" in said[0]
    with pytest.raises(UserError, match="not finite at step 18"):
        model.fit(batches(1, 2, 3), verbose=0, callbacks=[watch])  # three times in all
    assert steps[:3] == [12, 16, 17]


def test_without_a_state_to_go_back_to_it_ends():
    watch = callbacks.NonFinite(lambda step: None)
    with pytest.raises(UserError, match="at step 1"):
        small_model(run_eagerly=True).fit(batches(0), verbose=0, callbacks=[watch])
