"""NT-Xent block by block beside the plain form: seconds and peak memory by batch size.

Each figure is of a process of its own: forward and backward, the median of some steps,
and what the process's peak memory grew by. Run as

    python -m benchmarks.nt_xent [--images=1024,...] [--dim=128] [--memory=16]
"""

import argparse
import importlib
import os
import resource
import statistics
import subprocess
import sys
import time


def measure(form, images, dim):
    """Prints seconds a step and peak MB of one form."""
    import tensorflow as tf

    nt_xent = importlib.import_module("simclr_tf.losses.nt_xent")
    if form == "plain":
        nt_xent._MAX_CELLS = sys.maxsize
    view_a, view_b = tf.unstack(tf.random.stateless_normal([2, images, dim], [0, 1]))
    loss = nt_xent.NTXent()

    @tf.function
    def step(view_a, view_b):
        with tf.GradientTape() as tape:
            tape.watch([view_a, view_b])
            value = tf.reduce_mean(loss.call(view_a, view_b))
        return value, tape.gradient(value, [view_a, view_b])

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    step(view_a, view_b)
    seconds = []
    for _ in range(5 if images <= 8192 else 2):
        start = time.monotonic()
        step(view_a, view_b)[0].numpy()
        seconds.append(time.monotonic() - start)
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{statistics.median(seconds)} {peak}")


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", default="1024,2048,4096,8192,16384,32768")
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--memory", type=float, default=8, help="GB, at most")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        form, images = arguments.measure
        measure(form, int(images), arguments.dim)
        return
    print(f"{'images':>8}{'plain s':>10}{'MB':>8}{'blocks s':>10}{'MB':>8}{'x MB':>8}")
    for images in map(int, arguments.images.split(",")):
        line, peaks = f"{images:>8}", []
        for form in ("plain", "blocks"):
            if form == "plain" and 4 * (2 * images) ** 2 >= arguments.memory * 2**30:
                line += f"{'-':>10}{'-':>8}"
                continue
            command = [sys.executable, "-m", __spec__.name, f"--dim={arguments.dim}"]
            output = subprocess.run(
                [*command, "--measure", form, str(images)],
                capture_output=True,
                text=True,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
                check=True,
            ).stdout
            seconds, peak = map(float, output.split())
            peaks.append(peak)
            line += f"{seconds:>10.3f}{peak:>8.0f}"
        ratio = f"{peaks[0] / peaks[1]:>8.1f}" if len(peaks) == 2 else f"{'-':>8}"
        print(line + ratio, flush=True)


if __name__ == "__main__":
    main()
