"""A part of the images to evaluate on, if a data set has no split for it."""

import dataclasses
import hashlib
import os

import numpy as np

from simclr_tf.data.sources.subset import Subset
from simclr_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """A part of a source, and the rest of it.

    Within its class, whether an image is held out depends only on its name, the seed
    and the fraction. If files are added or removed, most others stay on their side.
    Images without names are identified by their number.

    Attributes:
        fraction: Float in (0, 1), share of every class; at least one image of a class
            that has two.
        seed: Int.
    """

    fraction: float = 0.1
    seed: int = 0

    def part(self, source):
        """The images that are held out, a `Subset`."""
        return self._subset(source, self._chosen(source), "held out")

    def rest(self, source):
        """All others, a `Subset`."""
        return self._subset(source, ~self._chosen(source), "rest")

    def _subset(self, source, mask, what):
        if not mask.any():
            raise UserError(
                f"--held_out_fraction={self.fraction:g} of the {source.num_examples} "
                f"images of {source.name} leaves one part empty: more images are "
                "needed, or another fraction."
            )
        subset = Subset(source, np.flatnonzero(mask))
        subset.name = f"{source.name} ({what})"
        return subset

    def _chosen(self, source):
        """Bool `[N]`, the images with the smallest digests of every class."""
        labels = source.labels() if source.labels_at_hand else None
        if labels is None:
            labels = np.full([source.num_examples], -1)
        digests = self._digests(source)
        chosen = np.zeros([source.num_examples], bool)
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            count = round(self.fraction * len(members))
            count = min(max(count, 1), len(members) - 1)
            ranked = members[np.argsort(digests[members], kind="stable")]
            chosen[ranked[:count]] = True
        return chosen

    def _digests(self, source):
        """Uint64 `[N]`, digests of the names below the common folder."""
        names = source.file_names() if source.names_at_hand else None
        if names is None:
            names = [str(number) for number in range(source.num_examples)]
        else:
            root = os.path.commonprefix([min(names), max(names)])
            start = root.rfind("/") + 1
            names = [name[start:] for name in names]
        salt = f"{self.seed} ".encode()
        digests = [
            hashlib.blake2b(salt + os.fsencode(name), digest_size=8).digest()
            for name in names
        ]
        return np.frombuffer(b"".join(digests), ">u8")
