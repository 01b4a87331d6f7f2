"""Small pictures in files, for tests of runs."""

import numpy as np
from PIL import Image


def write(paths, size=(9, 10), seed=0):
    """Writes a picture of random pixels to each path; creates missing folders.

    Args:
        paths: Iterable of `pathlib.Path`, whose suffix says the format.
        size: Two int, height and width.
        seed: Int; with the same one the pictures are the same.
    """
    random = np.random.RandomState(seed)
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = random.randint(0, 256, [*size, 3]).astype("uint8")
        Image.fromarray(pixels).save(path)


def write_cats_and_dogs(folder):
    """Writes 8 training and 5 test pictures of two classes, and returns the folder."""
    write(
        folder / split / ("cat", "dog")[number % 2] / f"{number}.png"
        for split, numbers in (("train", range(8)), ("test", range(8, 13)))
        for number in numbers
    )
    return folder
