"""Images a second of our pipelines as they are, and with `tf.data` tuning them.

    python -m benchmarks.tuning [--rounds=5]

Both run in turn; printed are medians and their ratio. See `simclr_tf/data/threads.py`.
"""

import argparse
import os
import statistics
import tempfile

import numpy as np
import tensorflow as tf

from benchmarks import input_pipeline
from simclr_tf import augmentation, data


def tuned(batches):
    """The pipeline, left to `tf.data`."""
    options = tf.data.Options()
    options.autotune.enabled = True
    return batches.with_options(options)


def print_row(name, make, count, batch, rounds):
    """Runs a pipeline both ways; prints a line.

    Args:
        name: Str.
        make: Callable that returns a new pipeline.
        count: Int, images a round.
        batch: Int.
        rounds: Int.
    """
    ways, speeds = {"as they are": lambda batches: batches, "tuned": tuned}, {}
    for _ in range(rounds):
        for way, changed in ways.items():
            speed = input_pipeline.images_per_second(changed(make()), count, batch)
            speeds.setdefault(way, []).append(speed)
    ours, theirs = (statistics.median(speeds[way]) for way in ways)
    print(f"{name:<20}{ours:>12.0f}{theirs:>12.0f}{ours / theirs:>8.2f}", flush=True)


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"{'two views':<20}{'as they are':>12}{'tuned':>12}{'ratio':>8}")
    view = augmentation.SimCLRAugmentation(input_pipeline.SIZE, seed=0)
    with tempfile.TemporaryDirectory() as directory:
        for size in ("0.2", "4"):
            folder = os.path.join(directory, size)
            os.makedirs(folder)
            for number in range(input_pipeline.FILES):
                sides = input_pipeline.SIDES[size]
                picture = input_pipeline.photograph(*sides, number)
                picture.save(os.path.join(folder, f"{number}.jpg"), quality=90)
            source = input_pipeline.repeated(data.open_source(folder))
            count = input_pipeline.COUNTS[size]
            print_row(
                f"{size} MP",
                lambda source=source, count=count: input_pipeline.ours(
                    source, count, view
                ),
                count,
                input_pipeline.BATCH,
                rounds,
            )
    images = np.random.RandomState(0).randint(0, 256, [4096, 32, 32, 3]).astype("uint8")
    source, view = data.ArraySource(images), augmentation.SimCLRAugmentation(32, seed=0)
    count, batch = input_pipeline.ARRAYS, input_pipeline.ARRAY_BATCH
    print_row(
        "32 px",
        lambda: input_pipeline.ours(source, count, view, batch),
        count,
        batch,
        rounds,
    )


if __name__ == "__main__":
    main()
