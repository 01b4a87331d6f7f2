"""Run as a program: NT-Xent on two logical CPUs is NT-Xent on one device."""

import numpy as np
import tensorflow as tf

from simclr_tf.losses import NTXent, contrastive_accuracy, contrastive_entropy, nt_xent


def check(strategy, sizes, loss):
    """Compares value, gradient and metrics for replicas of these batch sizes."""
    total = sum(sizes)
    starts = np.cumsum([0, *sizes])
    a, b = np.random.RandomState(0).randn(2, total, 6).astype("float32")
    start_kernel = np.random.RandomState(1).randn(6, 4).astype("float32")
    with strategy.scope():
        kernel = tf.Variable(start_kernel)

    def share(rows):
        def of_replica(context):
            replica = context.replica_id_in_sync_group
            return rows[starts[replica] : starts[replica + 1]]

        return strategy.experimental_distribute_values_from_function(of_replica)

    @tf.function
    def step(view_a, view_b):
        with tf.GradientTape() as tape:
            z = view_a @ kernel, view_b @ kernel
            losses, accuracies, entropies = loss.call_with_metrics(*z)
            value = tf.reduce_sum(losses) / total
        return tape.gradient(value, kernel), losses, accuracies, entropies, loss(*z)

    gradients, *results = strategy.run(step, args=(share(a), share(b)))
    gradient = strategy.reduce("SUM", gradients, axis=None)
    losses, accuracies, entropies, called = (
        np.concatenate(strategy.experimental_local_results(result))
        for result in results
    )

    kernel = tf.Variable(start_kernel)
    with tf.GradientTape() as tape:
        z = a @ kernel, b @ kernel
        one_device = nt_xent(*z, loss.temperature, loss.hidden_norm)
        expected = tf.reduce_mean(one_device)
    close = dict(rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.mean(losses), expected, rtol=1e-6)
    per_image = np.mean(np.reshape(one_device, [2, -1]), axis=0)
    np.testing.assert_allclose(losses, per_image, **close)
    np.testing.assert_allclose(gradient, tape.gradient(expected, kernel), **close)
    np.testing.assert_array_equal(called, losses)
    accuracy = contrastive_accuracy(*z, loss.hidden_norm)
    np.testing.assert_array_equal(accuracies, accuracy)
    entropy = contrastive_entropy(*z, loss.temperature, loss.hidden_norm)
    np.testing.assert_allclose(entropies, entropy, **close)


if __name__ == "__main__":
    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    check(mirrored, [3, 3], NTXent(0.5, reduction="none"))
    check(mirrored, [4, 1], NTXent(0.1, reduction="none"))
    check(mirrored, [2, 3], NTXent(2.0, hidden_norm=False, reduction="none"))
    print("equal")
