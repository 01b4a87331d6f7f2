"""Reads a file that `torch.save` wrote, since PyTorch 1.6.

It is a zip archive of `data.pkl`, which describes the content, and `data/0`, `data/1`,
..., which hold the raw numbers, not compressed.

Reference: https://pytorch.org/docs/stable/notes/serialization.html
"""

import os
import zipfile

import numpy as np

from simclr_tf.errors import UserError
from simclr_tf.weights import _unpickling
from simclr_tf.weights.safetensors_file import from_bfloat16

_LARGEST_PICKLE = 64 * 2**20  # bytes; a ResNet with its optimizer needs 0.1 MB
# The keys under which trainers save the weights.
_PLACES = ("state_dict", "model_state_dict", "model", "net", "network", "encoder")


def read(path):
    """Reads the weights in a file.

    Args:
        path: Str, a zip archive.

    Returns:
        `(arrays, step)`: a dict from names to arrays, and an int.

    Raises:
        UserError: If it is damaged, holds no tensors, or its pickle calls a function
            that does not make a tensor.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive, os.path.getsize(path))
    except UserError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        reason = str(error) or type(error).__name__
        raise UserError(f"not a file of torch.save, or damaged ({reason}).") from error


def _read(archive, size):
    _require_plain(archive, size)
    names = [name for name in archive.namelist() if name.endswith("data.pkl")]
    if len(names) != 1:
        raise UserError("a zip archive, but not of torch.save: it has no data.pkl.")
    root = names[0].removesuffix("data.pkl")
    if archive.getinfo(names[0]).file_size > _LARGEST_PICKLE:
        raise UserError(
            "its data.pkl is larger than 64 MB, which no network of this program needs."
        )
    if f"{root}byteorder" in archive.namelist():
        if archive.read(f"{root}byteorder") != b"little":
            raise UserError("it was written on a big-endian machine.")
    content = _unpickling.load(archive.read(names[0]))
    tensors, storages = _tensors(content), {}
    step = content.get("global_step", 0)
    arrays = {
        name: _array(tensor, archive, root, storages)
        for name, tensor in tensors.items()
    }
    return arrays, step if isinstance(step, int) and step > 0 else 0


def _require_plain(archive, size):
    """Refuses archives that would unpack to more than the file's size."""
    infos = archive.infolist()
    compressed = any(info.compress_type != zipfile.ZIP_STORED for info in infos)
    if compressed or sum(info.file_size for info in infos) > size:
        raise UserError(
            "its archive is compressed or unpacks to more than its size, unlike those "
            "of torch.save."
        )


def _tensors(content):
    """The dict of tensors in the saved object."""
    if not isinstance(content, dict):
        raise UserError("it holds a whole object, not a dict of tensors (state_dict).")
    for place in (*_PLACES, None):
        found = content if place is None else content.get(place)
        if isinstance(found, dict):
            tensors = {
                name: tensor
                for name, tensor in found.items()
                if isinstance(name, str) and isinstance(tensor, _unpickling.Tensor)
            }
            if tensors:
                return tensors
    raise UserError("it holds no dict of tensors (state_dict).")


def _array(tensor, archive, root, storages):
    """A view of a tensor's numbers; `storages` caches those that were read."""
    storage, shape, strides = tensor.storage, tensor.shape, tensor.strides
    kind = np.dtype("<u2" if storage.dtype == "bfloat16" else storage.dtype)
    if storage not in storages:
        numbers = np.frombuffer(archive.read(f"{root}data/{storage.key}"), kind)
        if len(numbers) < storage.count:
            raise ValueError(f"data/{storage.key} is too short")
        storages[storage] = numbers
    numbers = storages[storage]
    last = tensor.offset + sum(
        (length - 1) * stride for length, stride in zip(shape, strides, strict=True)
    )
    inside = min((tensor.offset, *shape, *strides)) >= 0 and last < len(numbers)
    if not inside or np.prod(shape, dtype=float) > len(numbers):
        raise ValueError("a tensor lies outside its storage")
    view = np.lib.stride_tricks.as_strided(
        numbers[tensor.offset :],
        shape,
        [stride * kind.itemsize for stride in strides],
        writeable=False,
    )
    return from_bfloat16(view) if storage.dtype == "bfloat16" else view
