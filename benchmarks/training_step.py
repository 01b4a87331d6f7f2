"""One step of training on this processor, with and without oneDNN's kernels.

    python -m benchmarks.training_step [--rounds=7] [--batch=32] [--size=32]

Every way runs in a process of its own, a step each in turn: as the command starts
(oneDNN on), as TensorFlow starts on a processor without AVX-512 VNNI or the like
(oneDNN off), and so with TensorFlow's own gradients of convolutions. With
ONEDNN_MAX_CPU_ISA=AVX2 in the environment, kernels are those of a processor that has no
AVX-512. Printed are medians and their ratio to the last.
"""

import argparse
import multiprocessing
import os
import statistics
import time

from simclr_tf import _startup

WAYS = {
    "oneDNN": {"TF_ENABLE_ONEDNN_OPTS": "1"},
    "no oneDNN": {"TF_ENABLE_ONEDNN_OPTS": "0"},
    "no oneDNN, stock": {"TF_ENABLE_ONEDNN_OPTS": "0"},
}
NETWORKS = {  # depth, width, stem
    "ResNet-18": (18, 1.0, "cifar"),
    "ResNet-18 x 0.25": (18, 0.25, "cifar"),
    "ResNet-50": (50, 1.0, "imagenet"),
}


def steps(way, network, options, orders):
    """Runs one step for each order, and answers with its seconds."""
    os.environ.update(WAYS[way])
    _startup.import_tensorflow()
    import tensorflow as tf

    import tf_models
    from simclr_tf import SimCLR, optimizers
    from simclr_tf.losses import NTXent
    from tf_models import convolution

    if "stock" in way:
        convolution.is_faster = lambda images: False
    depth, width, stem = NETWORKS[network]
    model = SimCLR(
        tf_models.ResNet(depth, width, stem=stem), tf_models.ProjectionHead()
    )
    model.compile(optimizers.LARS(0.1), NTXent(0.1))
    views = tuple(tf.random.uniform([2, options.batch, options.size, options.size, 3]))
    step = tf.function(model.train_step)
    float(step((views,))["loss"])
    while orders.recv():
        start = time.perf_counter()
        float(step((views,))["loss"])
        orders.send(time.perf_counter() - start)


def print_row(network, options):
    """Times all ways in turn."""
    context, pipes = multiprocessing.get_context("spawn"), {}
    for way in WAYS:
        pipes[way], theirs = context.Pipe()
        context.Process(
            target=steps, args=(way, network, options, theirs), daemon=True
        ).start()
    seconds = {way: [] for way in WAYS}
    for _ in range(options.rounds):
        for way, pipe in pipes.items():
            pipe.send(True)
            seconds[way].append(pipe.recv())
    for pipe in pipes.values():
        pipe.send(False)
    medians = {way: statistics.median(times) for way, times in seconds.items()}
    base = medians["no oneDNN, stock"]
    cells = [f"{1e3 * m:>8.0f} ms {base / m:>6.2f}x" for m in medians.values()]
    print(f"{network:<18}" + "".join(cells), flush=True)


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, default=32, help="images, two views each")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--networks", default="ResNet-18,ResNet-18 x 0.25")
    options = parser.parse_args()
    print(f"{'':<18}" + "".join(f"{way:>19}" for way in WAYS))
    for network in options.networks.split(","):
        print_row(network, options)


if __name__ == "__main__":
    main()
