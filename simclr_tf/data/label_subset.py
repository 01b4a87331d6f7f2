"""Which images keep their labels in semi-supervised training."""

import collections

import numpy as np

from simclr_tf.errors import UserError

_NAMED = 3  # so many of a long list are named in a message


def balanced_subset(labels, fraction, seed=0):
    """Chooses images for a share of the labels, the same number of every class.

    There are `round(fraction * N)` images, taken from each class in turn, so classes
    differ by at most one, except small ones, from which all images are taken. With the
    same seed, a smaller fraction is part of a larger one, as in the published 1% and
    10% of ImageNet's labels. The result depends only on the arguments.

    Args:
        labels: Int `[n]`; the `N` labels that are not negative count.
        fraction: Float in (0, 1].
        seed: Int in 0 .. 2^32 - 1.

    Returns:
        Int64 `[round(fraction * N)]`, sorted indices.

    Raises:
        ValueError: If the fraction is out of range.

    Example:
        >>> labels = np.array([0, 0, 0, 0, 0, 0, 1, 1, 2, 2])
        >>> labels[balanced_subset(labels, 0.8)]
        array([0, 0, 0, 0, 1, 1, 2, 2])
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"`fraction` must be > 0 and <= 1, got {fraction}.")
    labels = np.asarray(labels)
    random = np.random.RandomState(seed)  # its stream is frozen over NumPy's versions
    shuffled = random.permutation(len(labels))
    turn = random.permutation(labels.max(initial=-1) + 1)  # of a class in each round
    shuffled = shuffled[labels[shuffled] >= 0]
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    classes = labels[by_class]
    rounds = np.arange(len(classes)) - np.searchsorted(classes, classes)
    dealt = by_class[np.lexsort((turn[classes], rounds))]
    return np.sort(dealt[: round(fraction * len(dealt))]).astype(np.int64)


def named_subset(file_names, wanted, where):
    """Images by the names of their files.

    Args:
        file_names: List of `N` str, paths or base names.
        wanted: List of str, each a base name (`n01440764_10026.JPEG`) or the end of a
            path (`n01440764/n01440764_10026.JPEG`).
        where: Str, where `wanted` comes from, for the error.

    Returns:
        Sorted int64 indices; a name that occurs twice counts once.

    Raises:
        UserError: If a name is in no path or in more than one.
    """
    wanted = list(dict.fromkeys(_parts(name) for name in wanted))
    paths = [_parts(name) for name in file_names]
    found = {}
    for length in {len(name) for name in wanted}:
        places = collections.defaultdict(list)
        for index, path in enumerate(paths):
            places[path[-length:]].append(index)
        found |= {n: places.get(n, ()) for n in wanted if len(n) == length}
    unknown = ["/".join(name) for name in wanted if not found[name]]
    if unknown:
        raise UserError(
            f"{where}: no image is called {listed(unknown)}. Allowed: base names, or "
            f"ends of paths, such as {file_names[0]}."
        )
    ambiguous = ["/".join(name) for name in wanted if len(found[name]) > 1]
    if ambiguous:
        raise UserError(
            f"{where}: more than one image is called {listed(ambiguous)}. Write the "
            "folder before the name, as in cat/1.png."
        )
    return np.sort([index for (index,) in found.values()]).astype(np.int64)


def read_names(path):
    """The names in a text file, one per line.

    Raises:
        UserError: If the file cannot be read as text or contains no name.
    """
    try:
        with open(path, encoding="utf-8") as file:
            names = [line.strip() for line in file if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UserError(
            f"--label_file={path} cannot be read: {reason}. Allowed: a text file with "
            "the name of an image on each line."
        ) from error
    if not names:
        raise UserError(
            f"--label_file={path} is empty: it must name an image on each line."
        )
    return names


def classes_without(labels, chosen, class_names):
    """Names of the classes that have examples, but none among those `chosen`.

    Args:
        labels: Int `[N]`.
        chosen: Int indices.
        class_names: Sequence of str.
    """
    missing = set(labels[labels >= 0].tolist()) - set(labels[chosen].tolist())
    return [class_names[label] for label in sorted(missing)]


def listed(names):
    """The first few of a list, and how many more, as text: "a, b, c (and 5 more)".

    Example:
        >>> listed(["a", "b", "c", "d"])
        'a, b, c (and 1 more)'
    """
    more = len(names) - _NAMED
    text = ", ".join(names[:_NAMED])
    return f"{text} (and {more} more)" if more > 0 else text


def _parts(path):
    """The parts of a path, of any system."""
    parts = path.replace("\\", "/").split("/")
    return tuple(part for part in parts if part not in ("", "."))
