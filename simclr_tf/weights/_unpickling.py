"""What a pickle of `torch.save` says, without running it.

A pickle names functions, and whoever loads it calls them. Here it gets none but those
that make tensors and dicts, and ours in their place. An object of any other class comes
back as an empty shell; to call any other function is refused.
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
# Of these nothing is needed, and checkpoints of Lightning have them.
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
    """A row of numbers in a file of its own: dtype, the file's name, how many."""

    dtype: str
    key: str
    count: int


@dataclasses.dataclass(frozen=True)
class Tensor:
    """Where the numbers of a tensor lie in a `Storage`."""

    storage: Storage
    offset: int
    shape: tuple
    strides: tuple


def load(content):
    """The object in a pickle.

    Args:
        content: Bytes.

    Returns:
        Dict, or whatever it is, with a `Tensor` for each tensor.

    Raises:
        UserError: If it calls a function that makes no tensor.
        Exception: Of any kind, if it is damaged.
    """
    return _Unpickler(io.BytesIO(content)).load()


# That of C makes room for as many objects as a pickle says it has, 2**32 if it likes.
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
    """A function that a pickle can call, and do nothing else with."""

    __slots__ = ("_function",)

    def __init__(self, function):
        object.__setattr__(self, "_function", function)

    def __call__(self, *arguments):
        return self._function(*arguments)

    def __setstate__(self, state):
        raise ValueError("a function is no object")


class _Shell:
    """An object of a class that is not known here."""

    def __setstate__(self, state):
        pass

    def __setitem__(self, key, value):
        pass

    def append(self, value):
        pass

    def extend(self, values):
        pass


class _ShellType(type):
    """A class, or a function, that is not known here."""

    def __call__(cls, *arguments):
        raise UserError(
            f"its pickle calls {cls.__name__}, which makes no tensor: refused, and not "
            "run. Where you trust it, save its tensors alone, in PyTorch: "
            "torch.save(model.state_dict(), PATH)."
        )

    def __setstate__(cls, state):
        raise ValueError("a class is no object")


def _tensor(storage, offset, shape, strides, *_):
    return Tensor(storage, int(offset), tuple(shape), tuple(strides))


_BUILDERS = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    ("torch", "Size"): tuple,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("collections", "defaultdict"): lambda *_: {},
}
