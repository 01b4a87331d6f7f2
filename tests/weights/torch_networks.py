"""Random values of networks of PyTorch, the same wherever they are drawn."""

import json
import os
import zlib

import numpy as np

RESNETS = {18: (False, (2, 1, 1, 1)), 50: (True, (1, 2, 1, 1))}  # shallower ones
REFERENCE = os.path.join(os.path.dirname(__file__), "torch_reference")


def images():
    """Float32 `[2, 32, 32, 3]`, values in [0, 1]."""
    return np.random.RandomState(1).uniform(size=[2, 32, 32, 3]).astype("float32")


def random_values(shapes):
    """Dict from names to arrays, in PyTorch's layout."""
    values = {}
    for name, shape in shapes.items():
        random = np.random.RandomState(zlib.crc32(name.encode()))
        if name.endswith("num_batches_tracked"):
            values[name] = np.array(3)
        elif name.endswith("running_var") or (len(shape) == 1 and "weight" in name):
            values[name] = random.uniform(0.5, 1.5, shape).astype("float32")
        else:
            fan_in = max(1, int(np.prod(shape[1:])))
            values[name] = random.normal(size=shape).astype("float32") / fan_in**0.5
    return values


def reference(network):
    """`(values, features)` of a network that `scripts.make_torch_reference` ran."""
    with open(os.path.join(REFERENCE, "features.json"), encoding="utf-8") as file:
        about = json.load(file)[network]
    return random_values(about["shapes"]), np.array(about["features"], "float32")


def write_safetensors(path, values):
    """The format's description, followed literally."""
    header, content = {}, b""
    for name, value in values.items():
        kind = {"float32": "F32", "float64": "F64", "int64": "I64", "float16": "F16"}
        place = [len(content), len(content) + value.nbytes]
        header[name] = {
            "dtype": kind[str(value.dtype)],
            "shape": list(value.shape),
            "data_offsets": place,
        }
        content += value.tobytes()
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + content)
