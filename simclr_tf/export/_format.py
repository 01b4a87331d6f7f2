"""The description of a format, and the comparison of its files with the encoder."""

import contextlib
import dataclasses
import importlib
import os
import typing

import numpy as np

from simclr_tf.errors import UserError

_BATCHES = (1, 3)


@dataclasses.dataclass(frozen=True)
class Format:
    """One way to write an encoder and to read it back.

    Attributes:
        file: Str, the file's name in a run; empty for a folder.
        write: Callable `(networks, path, images)`: `ServedNetworks`, the path of a new
            file or folder, float32 images `[N, S, S, 3]` in [0, 1].
        read: Callable from such a path to a function from images to features `[B, C]`,
            computed by the program that reads the format elsewhere.
        raw: Bool, whether it takes uint8 images of any size and preprocesses them,
            instead of preprocessed float32 images.
        packages: Dict from required module, besides TensorFlow, to what installs it.
        calibrated: Bool, whether `images` must be like those that will be served.
        bound: Float, the largest acceptable difference of a feature, as a share of the
            largest feature.
    """

    file: str
    write: typing.Callable
    read: typing.Callable
    raw: bool = False
    packages: dict[str, str] = dataclasses.field(default_factory=dict)
    calibrated: bool = False
    bound: float = 1e-3

    @property
    def suffix(self):
        """Str, the required end of a file's name; empty for a folder."""
        return os.path.splitext(self.file)[1]


class Comparison(typing.NamedTuple):
    """The difference between a file's features and the encoder's.

    Attributes:
        difference: Float, the largest difference, as a share of the largest feature.
        cosine: Float, the smallest cosine similarity between an image's two features.
    """

    difference: float
    cosine: float


def require(name, chosen):
    """Refuses a format whose packages are not installed.

    Args:
        name: Str, the format's.
        chosen: `Format`.

    Raises:
        UserError: With the command that installs them.
    """
    for module, extra in chosen.packages.items():
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise UserError(
                f"Export format {name} needs the package {module}, which cannot be "
                f'imported ({error}): pip install ".[{extra}]" in the clone of '
                "simclr-tf."
            ) from error


@contextlib.contextmanager
def converting(networks, name):
    """Turns errors of converters, which may be of any class, into one line."""
    try:
        yield
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"Encoder {type(networks.encoder).__name__} cannot be converted to {name}: "
            f"{reason}"
        ) from error


def compare(name, chosen, networks, path, images):
    """Reads a file back, and refuses it if its features differ from the encoder's.

    Args:
        name: Str, the format's.
        chosen: `Format`.
        networks: `ServedNetworks` that were written.
        path: Str, the file or folder.
        images: Float32 `[N, S, S, 3]` in [0, 1], N at least 3.

    Returns:
        `Comparison`, the worse of a batch of 1 image and of 3.

    Raises:
        UserError: If they differ by more than the format's bound.
    """
    read = chosen.read(path)
    images = _as_raw(images) if chosen.raw else images
    found = [_compare(networks, read, images[:batch]) for batch in _BATCHES]
    worst = Comparison(
        float(np.max([each.difference for each in found])),
        float(np.min([each.cosine for each in found])),
    )
    if not worst.difference <= chosen.bound:  # nor if it is NaN
        raise UserError(
            f"Export format {name}: the features that were read back differ from the "
            f"encoder's by {worst.difference:.2g} of the largest (allowed: "
            f"{chosen.bound:g}; cosine similarity {worst.cosine:.4f}). Nothing was "
            "written."
        )
    return worst


def _as_raw(images):
    """Converts to uint8 and pads: not square, and not of the encoder's size."""
    images = np.rint(255 * images).astype(np.uint8)
    return np.pad(images, [(0, 0), (2, 3), (7, 4), (0, 0)], mode="symmetric")


def _compare(networks, read, images):
    wanted = networks.serve_in_float32(images)["features"]
    wanted = np.asarray(wanted, np.float64)
    found = np.asarray(read(images), np.float64)
    tiny = np.finfo(np.float32).tiny
    scale = max(np.abs(wanted).max(), tiny)
    lengths = np.linalg.norm(wanted, axis=1) * np.linalg.norm(found, axis=1)
    cosine = np.sum(wanted * found, axis=1) / np.maximum(lengths, tiny)
    return Comparison(np.abs(wanted - found).max() / scale, cosine.min())
