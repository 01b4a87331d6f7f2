"""Run as a program: every loss on some logical CPUs is that loss on one device.

    replicas_script.py SIZE SIZE ...

SIZE is the number of images that a replica holds; there are as many replicas as sizes.
"""

import sys

import numpy as np
import tensorflow as tf

from simclr_tf import losses

LOSSES = {
    "nt_xent": losses.NTXent(0.5),
    "nt_xent, sharp": losses.NTXent(0.1),
    "nt_xent, dot products": losses.NTXent(2.0, hidden_norm=False),
    "nt_logistic": losses.NTLogistic(0.5),
    "margin_triplet": losses.MarginTriplet(semi_hard=True),
    "supcon": losses.SupCon(0.5),
    "dcl": losses.DCL(0.5),
    "dclw": losses.DCLW(0.5),
    "debiased": losses.Debiased(0.5),
    "hard_negatives": losses.HardNegatives(0.5),
    "false_negatives": losses.FalseNegatives(0.5, false_negative_top_k=3),
    "generalized": losses.GeneralizedContrastive(0.5),
    "sliced_wasserstein": losses.GeneralizedContrastive(embedding_prior="hypersphere"),
}
# Traced as in training, which takes long; the others run as they are written.
TRACED = ("dclw",)
TEMPERED = ("nt_xent", "dclw", "debiased")  # with a temperature tensor and a memory
RANDOM = np.random.RandomState(0)
KERNEL = RANDOM.randn(6, 4).astype("float32")
MEMORY = RANDOM.randn(3, 4).astype("float32") * [[1], [0], [1]]
TEMPERATURE = 0.7


def of_batch(names, kernel, view_a, view_b, labels, total):
    """What losses make of this device's images.

    Args:
        names: Some keys of `LOSSES`.
        kernel: Variable `[6, 4]`, the network.
        view_a: Float32 `[b, 6]`.
        view_b: Float32 `[b, 6]`.
        labels: Int `[b]`.
        total: Int, images on all devices.

    Returns:
        `(summed, listed)`: what adds up over devices, gradients of the mean loss, and
        what each image has, `[b]`.
    """
    summed, listed, temperature = {}, {}, tf.constant(TEMPERATURE)
    for name in names:
        loss = LOSSES[name]
        extras = {"labels": labels, "step": 3}
        sources = [kernel]
        if name in TEMPERED:
            extras |= {"negatives": tf.constant(MEMORY, tf.float32)}
            extras |= {"temperature": temperature}
            sources = [kernel, temperature]
        with tf.GradientTape() as tape:
            tape.watch(temperature)
            z = view_a @ kernel, view_b @ kernel
            listed[name] = loss.call_with_metrics(*z, **extras)
            value = tf.reduce_sum(listed[name][0]) / total
        summed[name] = tape.gradient(value, sources)
    return summed, listed


def main(sizes):
    """Compares replicas that hold so many images with one device that holds all."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * len(sizes)
    tf.config.set_logical_device_configuration(cpu, parts)
    devices = [f"CPU:{number}" for number in range(len(sizes))]
    strategy = tf.distribute.MirroredStrategy(devices)
    total, starts = sum(sizes), np.cumsum([0, *sizes])
    a, b = RANDOM.randn(2, total, 6).astype("float32")
    labels = (np.arange(total) % 3 - 1).astype("int64")
    with strategy.scope():
        kernel = tf.Variable(KERNEL)

    def share(rows):
        def of_replica(context):
            replica = context.replica_id_in_sync_group
            return rows[starts[replica] : starts[replica + 1]]

        return strategy.experimental_distribute_values_from_function(of_replica)

    @tf.function
    def traced(*batch):
        return of_batch(TRACED, kernel, *batch, total)

    def written(*batch):
        return of_batch([n for n in LOSSES if n not in TRACED], kernel, *batch, total)

    summed, listed = {}, {}
    for step in (traced, written):
        found = strategy.run(step, args=(share(a), share(b), share(labels)))
        summed, listed = summed | found[0], listed | found[1]
    alone = of_batch(LOSSES, tf.Variable(KERNEL), a, b, labels, total)
    close = dict(rtol=1e-4, atol=1e-5)
    for name in LOSSES:
        for found, expected in zip(summed[name], alone[0][name], strict=True):
            found = strategy.reduce("SUM", found, axis=None)
            np.testing.assert_allclose(found, expected, err_msg=name, **close)
        for found, expected in zip(listed[name], alone[1][name], strict=True):
            found = np.concatenate(strategy.experimental_local_results(found))
            np.testing.assert_allclose(found, expected, err_msg=name, **close)
    print("equal")


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]])
