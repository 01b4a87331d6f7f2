"""Two views of 32-pixel images a second, beside the published policy image by image.

python -m benchmarks.views [--rounds=7]
"""

import argparse
import itertools
import time

from benchmarks import contest

BATCHES, BATCH = 20, 256


def ours():
    """A function that reads batches as a training does, and returns seconds."""
    from simclr_tf import _startup

    _startup.import_tensorflow()
    from simclr_tf import augmentation, data

    source = data.open_source("bundled")
    view = augmentation.SimCLRAugmentation(32, 0.5, blur=False, seed=0)
    return lambda: _seconds(data.train_batches(source, BATCH, 10**6, view=view))


def published():
    """The same by tf.image."""
    import tensorflow as tf

    from benchmarks.published import view
    from simclr_tf import data

    def views(image, _):
        image = tf.image.convert_image_dtype(image, tf.float32)
        return tuple(view(image, 32, True, False, strength=0.5) for _ in range(2))

    images = data.open_source("bundled").as_dataset().repeat()
    images = images.map(views, num_parallel_calls=tf.data.AUTOTUNE)
    return lambda: _seconds(images.batch(BATCH).prefetch(2))


def _seconds(batches):
    """Of `BATCHES`, when those that were made beforehand are used up."""
    batches = iter(batches)
    for _ in itertools.islice(batches, 8):
        pass
    start = time.perf_counter()
    for _ in itertools.islice(batches, BATCHES):
        pass
    return time.perf_counter() - start


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    this = __spec__.name
    ways = {kind: contest.Way(f"{this}:{kind}") for kind in ("published", "ours")}
    seconds = contest.medians(ways, parser.parse_args().rounds)
    contest.print_head("images", ways)
    contest.print_row(
        "two views, 32 px", seconds, "published", (3, "published"), BATCHES * BATCH
    )


if __name__ == "__main__":
    main()
