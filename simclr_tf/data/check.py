"""A report on a data set for which every image is read and decoded."""

import collections
import concurrent.futures
import dataclasses
import hashlib
import itertools

import numpy as np
import tensorflow as tf

from simclr_tf.data import checks, pillow, threads, tree
from simclr_tf.data.images import MAX_PIXELS
from simclr_tf.data.label_subset import listed
from simclr_tf.printing import printable

_THREADS = 4  # each has a whole picture in memory


@dataclasses.dataclass(frozen=True)
class Findings:
    """What decoding a data set told.

    Attributes:
        lines: List of str, for people.
        shapes: List of `(height, width)` of the images that can be decoded.
    """

    lines: list
    shapes: list

    @property
    def typical_side(self):
        """Int, the shorter side of the median image in pixels."""
        return int(np.median([min(shape[:2]) for shape in self.shapes]))


def check(source, max_pixels=MAX_PIXELS):
    """Reports on a data set by decoding all of it.

    Args:
        source: `Source`.
        max_pixels: Int, pixels of the largest picture that is allowed.

    Returns:
        List of str, lines for people: images, classes, and what was skipped on opening;
        for files also formats, sizes, those that cannot be decoded and why, and those
        with equal bytes.
    """
    return examine(source, max_pixels).lines


def examine(source, max_pixels=MAX_PIXELS):
    """The `Findings` of `check`."""
    classes = f"{source.num_classes} classes" if source.num_classes else "no labels"
    lines = [f"{source.name}: {source.num_examples:,} images, {classes}"]
    lines += [f"  {line}" for line in source.summary()]
    if hasattr(source, "paths"):
        with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
            found = list(
                pool.map(lambda path: _examine(path, max_pixels), source.paths)
            )
        shapes = [shape for _, shape, _, problem in found if not problem]
        more = _of_files(source.paths, found)
    else:
        shapes, more = _of_examples(source)
    return Findings(lines + [f"  {line}" for line in more], shapes)


def _examine(path, max_pixels):
    """`(format, shape, digest, None)` of a file, with what is wrong last."""
    wrong = checks.decoding_problem(path, max_pixels)
    if wrong:
        return None, None, None, wrong
    try:
        encoded = tree.read(path)
    except OSError as error:
        return None, None, None, error.strerror
    kind, shape = pillow.kind_and_shape(encoded)
    return kind, shape, hashlib.blake2b(encoded, digest_size=16).digest(), None


def _of_files(paths, found):
    formats = collections.Counter(kind for kind, _, _, bad in found if not bad)
    bad = [(path, f[3]) for path, f in zip(paths, found, strict=True) if f[3]]
    copies = collections.defaultdict(list)
    for path, (_, _, digest, problem) in zip(paths, found, strict=True):
        if not problem:
            copies[digest].append(path)
    lines = [
        f"formats: {', '.join(f'{n:,} {kind}' for kind, n in formats.most_common())}"
    ]
    lines = lines if formats else []
    lines += _sizes([shape for _, shape, _, problem in found if not problem])
    lines.append(f"cannot be decoded: {len(bad):,}")
    lines += [f"  {printable(path)}: {reason}" for path, reason in bad]
    same = [group for group in copies.values() if len(group) > 1]
    names = [" = ".join(map(printable, group[:2])) for group in same]
    extra = sum(len(group) - 1 for group in same)
    if extra:
        lines.append(f"copies of other files, byte by byte: {extra:,}: {listed(names)}")
    return lines


def _of_examples(source):
    """Shapes, and lines, of a source whose images are not separate files."""
    shapes, bad = [], []
    examples = source.as_dataset().map(
        lambda image, *label: tf.shape(image)[:2], **threads.per_image()
    )
    iterator = iter(threads.fixed(examples))
    for number in itertools.count():
        try:
            height, width = next(iterator).numpy().tolist()
        except StopIteration:
            break
        except tf.errors.InvalidArgumentError:
            height = width = 0
        if height and width:
            shapes.append((height, width))
        else:
            bad.append(number)
    names = source.file_names()
    lines = [*_sizes(shapes), f"cannot be decoded: {len(bad):,}"]
    lines += [f"  {printable(names[n]) if names else f'image {n}'}" for n in bad]
    return shapes, lines


def _sizes(shapes):
    """The smallest, the median and the largest picture by number of pixels."""
    if not shapes:
        return []
    ranked = sorted(shapes, key=np.prod)
    smallest, middle, largest = (
        f"{ranked[place][1]} x {ranked[place][0]}"
        for place in (0, len(ranked) // 2, -1)
    )
    return [f"width x height: smallest {smallest}, median {middle}, largest {largest}"]
