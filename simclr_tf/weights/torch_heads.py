"""Heads of PyTorch networks: classifiers, and projection heads like ours.

| theirs | ours |
|---|---|
| `fc`; lightly's `linear`; solo-learn's `classifier` | `linear_head` |
| lightly's `projection_head.layers`; solo-learn's `projector` | `projection_head` |

The projection heads are Sequentials. They are imported if they are Linear, BatchNorm,
ReLU, Linear, BatchNorm, ... and their hidden layers are as wide as the features, such
as lightly's `SimCLRProjectionHead`. They may have two things that ours does not have:
a bias before a batch norm, which subtracts it again, and the offset of the last batch
norm. Both go into a moving mean. Other heads are left over, such as those of solo-learn
that have no batch norm.
"""

import re

import numpy as np

_PROJECTION = re.compile(r"(?:projection_head\.layers|projector)\.(\d{1,3})\.(\w+)")
_NORM = {"weight", "bias", "running_mean", "running_var"}
_EPSILON = 1e-5
_OFFSET = (
    "the offset of the projection head's last batch norm is now in its moving mean: "
    "projections are the same, but further training starts without it"
)


def read(found, arrays, prefix):
    """Adds the heads to what was found.

    Args:
        found: `Found`, with the encoder.
        arrays: Dict from the source's names to arrays.
        prefix: Str, what the source puts before the encoder's names.

    Returns:
        Set of str, the source's names of the arrays that were added.
    """
    sizes = [found.arrays[n].size for n in found.arrays if n.endswith("last/gamma")]
    channels = max(sizes, default=0)
    linear = _linear_head(arrays, prefix, channels)
    found.arrays |= {name: arrays[theirs].T for name, theirs in linear.items()}
    parts = _parts_of_projection_head(arrays, re.sub(r"\w+\.$", "", prefix))
    layers = [
        {kind: np.asarray(arrays[name], np.float32) for kind, name in part.items()}
        for part in parts
    ]
    if not _are_ours(layers, channels):
        return {*linear.values()}
    for number, (dense, norm) in enumerate(_pairs(layers)):
        is_last = number == len(layers) // 2 - 1
        for kind, array in _layer(dense, norm, is_last).items():
            found.arrays[f"projection_head/{number}/{kind}"] = array
    if np.any(layers[-1]["bias"]):
        found.changed.append(_OFFSET)
    return {*linear.values(), *(name for part in parts for name in part.values())}


def _linear_head(arrays, prefix, channels):
    """Dict from our names of the linear classifier to theirs; empty without one."""
    for name in (f"{prefix}fc", f"{prefix}linear", "classifier"):
        weight, bias = f"{name}.weight", f"{name}.bias"
        if weight in arrays and bias in arrays and arrays[weight].ndim == 2:
            if arrays[weight].shape[1] == channels:
                return {"linear_head/kernel": weight, "linear_head/bias": bias}
    return {}


def _parts_of_projection_head(arrays, root):
    """A dict from kinds to names for a Linear, a BatchNorm, a Linear, ...; or none."""
    parts = {}
    for name in arrays:
        match = _PROJECTION.fullmatch(name.removeprefix(root))
        if match and match[2] != "num_batches_tracked":
            parts.setdefault(int(match[1]), {})[match[2]] = name
    # Every third child is a ReLU, which has no tensors.
    numbers = [number for number in range(max(parts, default=0) + 1) if number % 3 < 2]
    return [parts[n] for n in numbers] if sorted(parts) == numbers else []


def _are_ours(layers, channels):
    """Whether one of our projection heads can have such Linears and BatchNorms."""
    if not layers or len(layers) % 2:
        return False
    for dense, norm in _pairs(layers):
        if dense.keys() - {"bias"} != {"weight"} or norm.keys() != _NORM:
            return False
        units = norm["weight"].size if norm is layers[-1] else channels
        vectors = [*norm.values(), dense.get("bias", norm["bias"])]
        if dense["weight"].shape != (units, channels):
            return False
        if any(vector.shape != (units,) for vector in vectors):
            return False
    return np.all(layers[-1]["weight"])  # a mean cannot move what is scaled by 0


def _pairs(layers):
    return zip(layers[::2], layers[1::2], strict=True)


def _layer(dense, norm, is_last):
    """A Linear and its BatchNorm under our names."""
    mean = norm["running_mean"] - dense.get("bias", 0.0)
    found = {
        "kernel": dense["weight"].T,
        "gamma": norm["weight"],
        "beta": norm["bias"],
        "moving_mean": mean,
        "moving_variance": norm["running_var"],
    }
    if is_last:
        deviation = np.sqrt(np.maximum(norm["running_var"], 0) + _EPSILON)
        offset = found.pop("beta") * deviation / norm["weight"]
        found["moving_mean"] = mean - offset
    return found
