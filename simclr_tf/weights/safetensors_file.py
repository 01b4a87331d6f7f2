"""Reads and writes `.safetensors` files.

Such a file has eight bytes with the length of the header, little-endian; the header,
which is JSON from names to `dtype`, `shape` and `data_offsets`; and the tensors, one
after the other, each row by row.

Reference: https://huggingface.co/docs/safetensors
"""

import json
import math
import os

import numpy as np

from simclr_tf.errors import UserError

_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8"}
_LONGEST_HEADER = 100_000_000


def is_one(head):
    """Whether a file with this beginning is a `.safetensors` file.

    Args:
        head: Bytes, at least the first nine.
    """
    return len(head) > 8 and head[8:9] == b"{"


def read(path):
    """Reads the tensors and the metadata of a file.

    Args:
        path: Str.

    Returns:
        `(arrays, metadata)`: a dict from names to arrays, without tensors whose dtype
        no network has, and a dict from str to str.

    Raises:
        UserError: If the file is damaged.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(size - 8, _LONGEST_HEADER):
            raise UserError("its header is longer than the file, which is cut off.")
        try:
            header = json.loads(file.read(length))
            metadata = dict(header.pop("__metadata__", {}))
            arrays = {
                name: _array(file, 8 + length, size, **about)
                for name, about in header.items()
                if about["dtype"] in _TYPES
            }
            return arrays, metadata
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"damaged, or not a safetensors file ({error}).") from error


def write(path, arrays, metadata):
    """Writes tensors to a file.

    Args:
        path: Str.
        arrays: Dict from names to float32 arrays.
        metadata: Dict from str to str.
    """
    header, end = {"__metadata__": metadata}, 0
    for name, array in arrays.items():
        begin, end = end, end + array.nbytes
        header[name] = {
            "dtype": "F32",
            "shape": array.shape,
            "data_offsets": (begin, end),
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # aligns the numbers
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            file.write(np.asarray(array, "<f4").tobytes())


def _array(file, start, size, dtype, shape, data_offsets):
    kind = np.dtype(_TYPES[dtype])
    begin, end = data_offsets
    fits = end - begin == math.prod(shape) * kind.itemsize
    if min((begin, *shape)) < 0 or start + end > size or not fits:
        raise ValueError("a tensor lies outside the file")
    file.seek(start + begin)
    array = np.frombuffer(file.read(end - begin), kind).reshape(shape)
    return from_bfloat16(array) if dtype == "BF16" else array


def from_bfloat16(array):
    """Converts bfloat16, stored as uint16, to float32."""
    return (array.astype(np.uint32) << 16).view(np.float32)
