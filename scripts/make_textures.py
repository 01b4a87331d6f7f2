"""Makes folders of texture tiles from photographs in Debian's package ufoai-textures.

    apt-get download ufoai-textures
    dpkg-deb --extract ufoai-textures_*.deb ufoai
    python -m scripts.make_textures --output=textures \
        --source=ufoai/usr/share/games/ufoai/base/0textures.pk3

As with Brodatz's album, every texture is a class: its photograph is cut into a grid of
tiles that do not overlap, and a network has to know from which one a tile comes. Of
every texture some tiles are for training and the others for the test. The same source
gives the same tiles.
"""

import argparse
import io
import os
import pathlib
import re
import warnings
import zipfile

import numpy as np
from PIL import Image

TILES = 4  # in a row, and in a column
TEST_TILES = 4  # of the 16
SIZE = 64  # pixels of a tile
MIN_CONTRAST = 8  # grey levels by which the pixels of a tile have to differ

# Surfaces. The other folders have signs, doors, vehicles, and lights.
_FOLDERS = ("buildings", "dirt", "material", "nature", "streets", "terrain")
# `rock013`; the other names are of variants, like `wall007_2`, and of maps of normals.
_NAME = re.compile(r"[a-z]+\d{3}")


def photographs(archive):
    """Yields the name and the RGB image of each texture, in alphabetical order."""
    folders = tuple(f"textures/tex_{folder}/" for folder in _FOLDERS)
    for name in sorted(archive.namelist()):
        path = pathlib.PurePosixPath(name)
        if not name.startswith(folders) or path.suffix not in (".jpg", ".png"):
            continue
        if not _NAME.fullmatch(path.stem):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some are transparent in places
            image = Image.open(io.BytesIO(archive.read(name))).convert("RGB")
        yield path.stem, image


def tiles(image):
    """The tiles of an image, row by row, from the largest square in its middle."""
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    square = image.crop((left, top, left + side, top + side))
    square = square.resize((TILES * SIZE,) * 2, Image.Resampling.LANCZOS)
    rows = np.asarray(square).reshape(TILES, SIZE, TILES, SIZE, 3)
    return rows.swapaxes(1, 2).reshape(-1, SIZE, SIZE, 3)


def is_texture(image):
    """Whether no tile is of one colour: large enough, and not empty in places."""
    if min(image.size) < TILES * SIZE:
        return False
    return tiles(image).std(axis=(1, 2)).max(axis=1).min() >= MIN_CONTRAST


def main(argv=None):
    """Reads `--source`, writes `train/TEXTURE/*.png` and `test/` into `--output`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", required=True, help="0textures.pk3")
    parser.add_argument("--output", required=True, help="a new folder")
    options = parser.parse_args(argv)
    if not zipfile.is_zipfile(options.source):
        parser.error(f"--source must be 0textures.pk3, a zip, got {options.source}.")
    if os.path.exists(options.output):
        parser.error(f"--output must be a new folder, got {options.output}.")
    random = np.random.RandomState(0)
    names = set()
    with zipfile.ZipFile(options.source) as archive:
        for name, image in photographs(archive):
            if not is_texture(image):
                continue
            names.add(name)  # two have the same: the second replaces the first
            order = random.permutation(TILES**2)
            for place, tile in zip(order, tiles(image), strict=True):
                split = "test" if place < TEST_TILES else "train"
                folder = os.path.join(options.output, split, name)
                os.makedirs(folder, exist_ok=True)
                Image.fromarray(tile).save(os.path.join(folder, f"{place:02}.png"))
    trained, tested = TILES**2 - TEST_TILES, TEST_TILES
    print(
        f"{len(names)} textures: {len(names) * trained} tiles to train on and "
        f"{len(names) * tested} to test."
    )


if __name__ == "__main__":
    main()
