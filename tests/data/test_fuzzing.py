"""Mutated files through source and pipeline: decoded, or skipped and counted.

FUZZED_FILES=2000 runs the long form.
"""

import io
import os

import numpy as np
from PIL import Image

from simclr_tf import augmentation, data

COUNT = int(os.environ.get("FUZZED_FILES", "200"))
KINDS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")


def mutated(random, encoded):
    """Bytes changed, cut out, doubled, or put at another place."""
    changed = bytearray(encoded)
    for _ in range(random.randint(1, 6)):
        place, length = random.randint(len(changed)), random.randint(1, 40)
        how = random.randint(5)
        if how == 0:
            changed[place] = random.randint(256)
        elif how == 1:
            changed[place : place + length] = random.bytes(length)
        elif how == 2:
            del changed[place : place + length]
        elif how == 3:
            changed[place:place] = changed[place : place + length]
        else:
            del changed[max(place, 30) :]
    return bytes(changed)


def test_mutated_files_are_decoded_or_skipped_and_counted(tmp_path):
    random = np.random.RandomState(0)
    small = Image.fromarray(random.randint(0, 256, [5, 6, 3]).astype("uint8"))
    picture = small.resize((60, 50), Image.BICUBIC)
    exif = Image.Exif()
    exif[274] = 6
    whole = {}
    for kind in KINDS:
        saved = io.BytesIO()
        options = {"exif": exif} if kind in ("JPEG", "PNG", "WEBP") else {}
        picture.save(saved, kind, **options)
        whole[kind] = saved.getvalue()
    paths = []
    for number in range(COUNT):
        encoded = whole[KINDS[number % 5]]
        if number >= 5:  # the first five are whole
            encoded = mutated(random, encoded)
        paths.append(str(tmp_path / f"{number:05d}.jpg"))
        with open(paths[-1], "wb") as file:
            file.write(encoded)
    policy = data.BadImagePolicy(max_bad_fraction=1.0)
    source = data.FileSource(paths, policy=policy)
    assert source.num_examples + len(source.skipped) == COUNT
    assert 5 <= source.num_examples < COUNT
    assert paths[:5] == source.file_names()[:5]
    # As if nothing had been looked at: the pipeline meets every one of them.
    for unseen in (source, data.FileSource(paths, policy=None)):
        bad = data.BadImages(unseen, policy)
        view = augmentation.RandomResizedCrop(8, seed=0)
        steps = -(-unseen.num_examples // 20)
        batches = data.train_batches(
            unseen, 20, steps, view=view, num_views=1, bad_images=bad
        )
        shown = np.concatenate([images.numpy() for images in batches])
        assert np.isfinite(shown).all() and len(shown) == 20 * steps
        assert set(range(5)).isdisjoint(bad.indices)
        assert len(bad.indices) >= (unseen is not source)
