"""Peak memory of a training step by batch size, whole and in pieces.

ResNet-18 at 32 px with LARS. Each figure is of one step in a process of its own: what
its peak memory grew by, from the built model on, and its
seconds, the tracing of the graph included. Run as

    python -m benchmarks.micro_batches [--batches=256,...] [--piece=64] [--memory=16]
"""

import argparse
import os
import resource
import subprocess
import sys
import time

_MB_OF_A_PAIR = 13  # about, of one image's two views; decides what is not tried


def measure(batch, piece):
    """Prints peak MB and seconds of one step."""
    import tensorflow as tf

    import simclr_tf
    import tf_models

    model = simclr_tf.SimCLR(
        tf_models.ResNet(depth=18, stem="cifar"),
        tf_models.ProjectionHead(num_layers=2),
        micro_batch_size=piece or None,
    )
    model.compile(simclr_tf.optimizers.LARS(0.1), simclr_tf.losses.NTXent())
    views = tuple(tf.random.stateless_uniform([2, batch, 32, 32, 3], [0, 1]))
    step = tf.function(model.train_step)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()
    float(step(views)["loss"])
    seconds = time.monotonic() - start
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{peak} {seconds}")


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", default="256,512,1024,2048,4096")
    parser.add_argument("--piece", type=int, default=64, help="images a piece")
    parser.add_argument("--memory", type=float, default=16, help="GB, at most")
    parser.add_argument("--measure", nargs=2, type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(*arguments.measure)
        return
    this = [sys.executable, "-m", __spec__.name]
    piece = f"of {arguments.piece} MB"
    print(f"{'images':>8}{'whole MB':>12}{'s':>8}{piece:>12}{'s':>8}")
    for batch in map(int, arguments.batches.split(",")):
        line = f"{batch:>8}"
        for size in (0, arguments.piece):
            if not size and batch * _MB_OF_A_PAIR >= 1024 * arguments.memory:
                line += f"{'-':>12}{'-':>8}"
                continue
            output = subprocess.run(
                [*this, "--measure", str(batch), str(size)],
                capture_output=True,
                text=True,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
                check=True,
            ).stdout
            peak, seconds = map(float, output.split())
            line += f"{peak:>12.0f}{seconds:>8.1f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
