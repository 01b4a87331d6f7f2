"""Run as a program: a memory on two logical CPUs is the memory of one device."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

import simclr_tf
import tf_models
from simclr_tf import keras_compat, losses

# The last batch has fewer images, and they are not even in number; the memory wraps.
BATCHES = (8, 5)
VIEWS = np.random.RandomState(0).rand(2, sum(BATCHES), 4, 4, 3).astype("float32")


def train(strategy):
    """Losses after each step, the memory and the copies in every replica."""
    keras.utils.set_random_seed(1)
    with strategy.scope():
        encoder = keras.Sequential(
            [
                keras.Input([4, 4, 3]),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(5, "tanh"),
                tf_models.BatchNormalization(synchronized=True),
            ]
        )
        model = simclr_tf.SimCLR(
            encoder,
            keras.layers.Dense(3),
            memory=simclr_tf.NegativeMemory(11, momentum=0.5),
        )
        model.compile(keras.optimizers.SGD(0.5), losses.NTXent(0.5))
    data = tf.data.Dataset.from_tensor_slices(tuple(VIEWS)).batch(BATCHES[0])
    history = model.fit(data, shuffle=False, verbose=0).history
    memory = model.memory
    variables = [memory.embeddings, memory.stored]
    variables += [*memory.encoder.variables[:4], *memory.projection_head.variables]
    variables = map(keras_compat.tf_variable, variables)
    return history, [
        [np.array(value) for value in strategy.experimental_local_results(v)]
        for v in variables
    ]


if __name__ == "__main__":
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    expected, of_one = train(tf.distribute.get_strategy())
    found, of_two = train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
    for name in ("contrast_loss", "memory_filled", "gradient_norm"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4)
    for (alone,), both in zip(of_one, of_two, strict=True):
        assert len(both) == 2
        np.testing.assert_array_equal(both[0], both[1])
        np.testing.assert_allclose(both[0], alone, rtol=1e-3, atol=1e-4)
    assert int(of_one[1][0]) == sum(BATCHES) and of_one[0][0].all()
    print("equal")
