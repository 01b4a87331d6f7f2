"""Reads a pickle that `torch.save` wrote, without running its code.

A pickle names functions, and whoever loads it calls them. Here it can only call those
that make tensors and dicts, and it gets functions of ours in their place. An object of
any other class comes back as an empty shell. A call of any other function is refused.
"""

import collections
import dataclasses
import io
import pickle

from simclr_tf.errors import UserError

_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "<u1",
}
# Lightning's checkpoints contain these, and nothing of them is needed.
_UNUSED = {
    ("torch", "device"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("_codecs", "encode"),
    ("pathlib", "PosixPath"),
    ("__builtin__", "set"),
    ("builtins", "set"),
}


@dataclasses.dataclass(frozen=True)
class Storage:
    """A row of numbers in its own file: their dtype, the file's name, their count."""

    dtype: str
    key: str
    count: int


@dataclasses.dataclass(frozen=True)
class Tensor:
    """The place of a tensor's numbers in a `Storage`."""

    storage: Storage
    offset: int
    shape: tuple
    strides: tuple


def load(content):
    """Returns the object in a pickle.

    Args:
        content: Bytes.

    Returns:
        The object, usually a dict, with a `Tensor` in place of each tensor.

    Raises:
        UserError: If the pickle calls a function that does not make a tensor.
        Exception: Of any kind, if the pickle is damaged.
    """
    return _Unpickler(io.BytesIO(content)).load()


# The C unpickler allocates room for as many objects as the pickle claims, up to 2**32.
class _Unpickler(pickle._Unpickler):
    def find_class(self, module, name):
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if (module, name) in _UNUSED:
            return _Builder(lambda *_: _Shell())
        if (module, name) in _BUILDERS:
            return _Builder(_BUILDERS[module, name])
        return _ShellType(f"{module}.{name}", (_Shell,), {})

    def persistent_load(self, pid):
        _, dtype, key, _, count = pid
        if not (isinstance(dtype, str) and isinstance(key, str)):
            raise ValueError("a storage of an unknown kind")
        return Storage(dtype, key, int(count))


class _Builder:
    """A function that a pickle can call but not change."""

    __slots__ = ("_function",)

    def __init__(self, function):
        object.__setattr__(self, "_function", function)

    def __call__(self, *arguments):
        return self._function(*arguments)

    def __setstate__(self, state):
        raise ValueError("a function is not an object")


class _Shell:
    """An object of an unknown class."""

    def __setstate__(self, state):
        pass

    def __setitem__(self, key, value):
        pass

    def append(self, value):
        pass

    def extend(self, values):
        pass


class _ShellType(type):
    """An unknown class or function."""

    def __call__(cls, *arguments):
        raise UserError(
            f"its pickle calls {cls.__name__}, which does not make a tensor, so it was "
            "refused and not run. If you trust the file, save only its tensors, in "
            "PyTorch: torch.save(model.state_dict(), PATH)."
        )

    def __setstate__(cls, state):
        raise ValueError("a class is not an object")


def _tensor(storage, offset, shape, strides, *_):
    return Tensor(storage, int(offset), tuple(shape), tuple(strides))


_BUILDERS = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    ("torch", "Size"): tuple,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("collections", "defaultdict"): lambda *_: {},
}
