"""Makes the bundled data set from the four files of Fashion-MNIST.

    python scripts/make_bundled_dataset.py --source=DIR --output=DIR

`--source` holds train-images-idx3-ubyte.gz and the three others, as Debian's package
dataset-fashion-mnist installs them. The same source gives the same bytes.
"""

import argparse
import gzip
import os
import zipfile

import numpy as np

CLASSES = 10
SPLITS = {"train": ("train", 1000), "test": ("t10k", 200)}  # images of each class


def read_idx(path):
    """The array in a gzipped idx file of unsigned bytes."""
    with gzip.open(path) as file:
        data = file.read()
    dimensions = [
        int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(data[3])
    ]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(dimensions)


def choose(labels, per_class, seed=0):
    """Indices of `per_class` random examples of every class, in order."""
    random = np.random.RandomState(seed)
    chosen = [
        random.choice(np.flatnonzero(labels == label), per_class, replace=False)
        for label in range(CLASSES)
    ]
    return np.sort(np.concatenate(chosen))


def write(path, **arrays):
    """An .npz file whose bytes depend on the arrays alone, not on the clock."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def main(argv=None):
    """Reads `--source`, writes train.npz and test.npz into `--output`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the images")
    options = parser.parse_args(argv)
    os.makedirs(options.output, exist_ok=True)
    for split, (prefix, per_class) in SPLITS.items():
        stem = os.path.join(options.source, prefix)
        images = read_idx(f"{stem}-images-idx3-ubyte.gz")
        labels = read_idx(f"{stem}-labels-idx1-ubyte.gz")
        chosen = choose(labels, int(per_class * options.scale))
        path = os.path.join(options.output, f"{split}.npz")
        write(path, images=images[chosen], labels=labels[chosen])
        print(f"{path}: {len(chosen)} images, {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    main()
