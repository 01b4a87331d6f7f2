"""Images a second of two views, beside the published pipeline and bare decoding.

    python -m benchmarks.input_pipeline [--rows=0.2,1,4,12,32px] [--rounds=5]

Photographs of several sizes (in megapixels) are made by code, and each is read from its
own file. The pipelines run in turn; printed are medians, their ratio to the published
pipeline, and the largest memory of the process while ours ran. Compare ratios, not
images a second of different machines. Torchvision runs before the others of its row,
where BENCHMARK_PEERS has it, see `contest.py`. `n/a`: it has not, or the system does
not tell the memory.
"""

import argparse
import copy
import os
import re
import statistics
import tempfile
import time

import numpy as np
import tensorflow as tf
from PIL import Image

from benchmarks import contest
from benchmarks.published import view
from simclr_tf import augmentation, data
from simclr_tf.data.prepare import prepare

SIDES = {"0.2": (375, 500), "1": (864, 1152), "4": (1728, 2304), "12": (3000, 4000)}
COUNTS = {"0.2": 640, "1": 400, "4": 160, "12": 112}  # images a round
FILES, REPEATS = 8, 128  # a data set of 1024 images, each file many times
SIZE, BATCH = 224, 16
ARRAYS, ARRAY_BATCH = 32_768, 256  # a round and a step of 32-pixel arrays
COLUMNS = ("published", "ours", "prepared", "decoding", "torchvision")
READY = 4  # batches that may be made before the clock starts


def photograph(height, width, seed):
    """Noise of many octaves and some sharp shapes: as much detail as a photograph."""
    random = np.random.RandomState(seed)
    pixels = np.zeros([height, width, 3], np.float32)
    cells = 4
    while cells < max(height, width):
        shape = [max(2, cells * height // width), cells, 3]
        noise = random.uniform(-1, 1, shape).astype(np.float32)
        noise *= [1, 0.6, 0.8]
        planes = [
            Image.fromarray(noise[..., c]).resize((width, height), Image.BICUBIC)
            for c in range(3)
        ]
        pixels += np.stack([np.asarray(plane) for plane in planes], -1) * cells**-0.8
        cells *= 2
    for _ in range(12):
        top, left = random.randint(height), random.randint(width)
        pixels[top : top + height // 6, left : left + width // 5] *= -0.7
    pixels = (pixels - pixels.min()) / np.ptp(pixels) * 255
    return Image.fromarray(pixels.astype(np.uint8))


def published(read, count, size, color, blur, batch=BATCH):
    """The published input function: decoded whole, in floats, a view at a time."""

    def views(index):
        image = tf.image.convert_image_dtype(read(index), tf.float32)
        return tuple(view(image, size, color, blur) for _ in range(2))

    return _batches(count, views, batch)


def bare(read, count):
    """Decoding alone."""
    return _batches(count, lambda index: tf.shape(read(index)))


def torchvision_speed(paths, count, color, blur, rounds):
    """Images a second of torchvision v2, or None where it is not there."""
    work = {"paths": paths, "count": count, "size": SIZE, "color": color, "blur": blur}
    way = contest.Way("benchmarks.peers:views", work, by_peers=True)
    seconds = contest.medians({"torchvision": way}, rounds)["torchvision"]
    return seconds and count / seconds


def repeated(source):
    """The source as if it had each file many times: sets of few shuffle slowly."""
    many = copy.copy(source)
    many.num_examples = REPEATS * source.num_examples
    many.read_encoded = lambda index: source.read_encoded(index % source.num_examples)
    return many


def ours(source, count, view, batch=BATCH):
    """The pipeline of a training, as it is."""
    return data.train_batches(source, batch, count // batch, view=view, seed=1)


def _batches(count, function, batch=BATCH):
    dataset = tf.data.Dataset.range(count)
    dataset = dataset.map(function, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(batch).prefetch(2)


def images_per_second(batches, count, batch):
    """Images a second, after the first batches."""
    iterator = iter(batches)
    for _ in range(READY):
        next(iterator)
    start = time.perf_counter()
    for _ in iterator:
        pass
    return (count - READY * batch) / (time.perf_counter() - start)


def start_peak():
    """Makes `peak_memory` count from now on."""
    if os.path.exists("/proc/self/clear_refs"):
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")


def peak_memory():
    """The largest memory of the process since `start_peak`, in GiB; 0 if not known."""
    if not os.path.exists("/proc/self/status"):
        return 0
    with open("/proc/self/status") as file:
        return int(re.search(r"VmHWM:\s*(\d+)", file.read())[1]) / 2**20


def print_row(name, makers, count, rounds, batch=BATCH, others=None):
    """Runs pipelines in turn; prints each one's median and its ratio to the first.

    Args:
        name: Str.
        makers: Dict from some of `COLUMNS` to a function that makes batches.
        count: Int, images a round.
        rounds: Int.
        batch: Int.
        others: Dict from others of `COLUMNS` to images a second, or None.
    """
    speeds, peak = {kind: [] for kind in makers}, None
    for _ in range(rounds):
        for kind, make in makers.items():
            start_peak()
            speeds[kind].append(images_per_second(make(), count, batch))
            if kind == "ours":
                peak = max(peak or 0, peak_memory())
    medians = {k: statistics.median(v) for k, v in speeds.items()}
    medians |= {k: speed for k, speed in (others or {}).items() if speed}
    base = medians["published"]
    cells = [
        f"{medians[k]:>9.0f} x{medians[k] / base:<6.2f}"
        if k in medians
        else f"{'n/a':>17}"
        for k in COLUMNS
    ]
    memory = f"{peak:>6.2f} GiB" if peak else "   n/a"
    print(f"{name:<32}" + "".join(cells) + memory, flush=True)


def print_files(size, rounds, directory):
    """The rows of photographs of one size."""
    folder = os.path.join(directory, size)
    os.makedirs(folder)
    for number in range(FILES):
        picture = photograph(*SIDES[size], number)
        picture.save(os.path.join(folder, f"{number}.jpg"), quality=90)
    source = data.open_source(folder)
    packed_copy = os.path.join(directory, f"{size}-prepared")
    prepare(source, "train", packed_copy, 320, say=lambda line: None)
    packed, paths = repeated(data.open_source(packed_copy)), source.paths
    source = repeated(source)
    files, count = tf.constant(paths), COUNTS[size]

    def read(index):
        return tf.io.decode_jpeg(tf.io.read_file(files[index % FILES]), channels=3)

    for color, blur in ((False, False), (True, False), (True, True)):
        view = augmentation.SimCLRAugmentation(SIZE, float(color), blur, seed=0)
        if not color:
            view = augmentation.CropAndFlip(SIZE, seed=0)
        makers = {
            "published": lambda c=color, b=blur: published(read, count, SIZE, c, b),
            "ours": lambda v=view: ours(source, count, v),
            "prepared": lambda v=view: ours(packed, count, v),
            "decoding": lambda: bare(read, count),
        }
        what = "crop, flip" + ", colour" * color + ", blur" * blur
        others = {"torchvision": torchvision_speed(paths, count, color, blur, rounds)}
        print_row(f"{size} MP {what}", makers, count, rounds, others=others)


def print_arrays(rounds):
    """The rows of 32-pixel arrays in memory."""
    images = np.random.RandomState(0).randint(0, 256, [4096, 32, 32, 3]).astype("uint8")
    source, count = data.ArraySource(images), ARRAYS
    batch = ARRAY_BATCH

    def read(index):
        return source.read(index % len(images))

    for color in (False, True):
        view = augmentation.SimCLRAugmentation(32, float(color), False, seed=0)
        makers = {
            "published": lambda c=color: published(read, count, 32, c, False, batch),
            "ours": lambda v=view: ours(source, count, v, batch),
        }
        print_row(f"32 px crop, flip{', colour' * color}", makers, count, rounds, batch)


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="0.2,1,4,12,32px")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(
        f"{'two views':<32}"
        + "".join(f"{name:>10}{'':7}" for name in COLUMNS)
        + "peak of ours"
    )
    with tempfile.TemporaryDirectory() as directory:
        for row in arguments.rows.split(","):
            if row == "32px":
                print_arrays(arguments.rounds)
            else:
                print_files(row, arguments.rounds, directory)


if __name__ == "__main__":
    main()
