"""Names in ResNets of PyTorch, as torchvision, lightly and solo-learn save them.

| torchvision | ours |
|---|---|
| `conv1`, `bn1` | `encoder/stem_0` |
| `layerG.B.conv1`, `.conv2`, `.conv3` and `bn1`, ... | `first`, `middle`, `last` |
| `layerG.B.downsample.0`, `.1` | `shortcut/projection` |

Files that we wrote have more names, see `simclr_tf.export.torchvision_names`.

Prefixes such as `backbone.` or `module.encoder.` may come before these. In lightly's
`backbone.0`, `backbone.1`, ... a Sequential numbers the children of the network.
Lightly's own small network calls the projection `shortcut`, and may keep separate
statistics of several parts of a batch. Its ReLU after `bn1` is not a child, so a
Sequential of it has none. See `torch_heads` for heads.
"""

import re

from simclr_tf.errors import UserError
from simclr_tf.weights import comparison, report, torch_heads
from simclr_tf.weights.found import Found

_STEM = re.compile(r"(conv|bn)1\.(\w+)")
_BLOCK = re.compile(r"layer([1-4])\.(\d+)\.(conv|bn)([123])\.(\w+)")
_INNER = re.compile(r"layer([1-4])\.(\d+)\.(s[ke]\.\w+)\.(\w+)")
_DEEP_STEM = re.compile(r"conv1\.([01346])\.(\w+)")
_SHORTCUT = re.compile(r"layer([1-4])\.(\d+)\.downsample\.([01])\.(\w+)")
_HEAD = re.compile(r"(fc|linear|classifier|\w*head\w*|proj\w*|pred\w*|queue\w*)(\.|$)")
_COPY = re.compile(r"momentum|teacher|target|ema|_k\b")
_INNER_PARTS = {
    "sk.conv1": ("middle/squeeze", "conv"),
    "sk.bn1": ("middle/squeeze", "bn"),
    "sk.conv2": ("middle/mixture", "conv"),
    "se.fc1": ("gate/squeeze", "conv"),
    "se.fc2": ("gate/gate", "conv"),
}
_COUNTER = "num_batches_tracked"
_KINDS = {
    "conv": {"weight": "kernel", "bias": "bias"},
    "bn": {
        "weight": "gamma",
        "bias": "beta",
        "running_mean": "moving_mean",
        "running_var": "moving_variance",
    },
}


def read(arrays, step=0):
    """Translates arrays into a `Found`.

    Args:
        arrays: Dict from the source's names to arrays.
        step: Int, the training step, or 0.
    """
    prefix, names = as_torchvision(arrays)
    weights = {name: arrays[theirs] for name, theirs in names.items()}
    found = Found(
        "PyTorch",
        {},
        variant="torchvision",
        small_stem=_small_stem(arrays, prefix),
        normalization="imagenet",
        step=step,
        assumed=["images normalised as for ImageNet (else --input_normalization)"],
        run=comparison.of_torchvision(weights),
    )
    if "conv1.weight" in weights and weights["conv1.weight"].shape[-1:] == (3,):
        found.assumed.append(f"the stem {found.small_stem} (else --stem)")
    has_kernels = "layer1.0.sk.conv1.weight" in names
    parts = ["middle/branches" if has_kernels else "middle", "last"]
    if "layer1.0.conv3.weight" in names:
        parts = ["first", *parts]
    last_of_stem = 2 if "conv1.0.weight" in names else 0
    for name, theirs in names.items():
        place = _place(name, parts, last_of_stem)
        if place is None:
            found.unmatched.append(theirs)
        else:
            found.arrays[f"encoder/{place}"] = transposed(arrays[theirs])
    found.arrays |= _of_whole_batches(found.arrays)
    heads = torch_heads.read(found, arrays, prefix)
    used = {*names.values(), *heads}
    found.left_over = [n for n in arrays if n not in used and not n.endswith(_COUNTER)]
    return found


def as_torchvision(arrays):
    """The encoder's tensors under torchvision's names.

    Args:
        arrays: Dict from the source's names to arrays.

    Returns:
        `(prefix, names)`: what the source puts before the encoder's names, and a dict
        from torchvision's names to the source's.

    Raises:
        UserError: If there is no ResNet.
    """
    in_torchvision = re.compile(r"(.*?)layer1\.0\.conv1\.weight")
    in_sequential = re.compile(r"(.*?)\d{1,3}\.0\.conv1\.weight")
    for pattern, *first in (
        (in_torchvision, "conv1.weight", "conv1.0.weight"),
        (in_sequential, "0.weight"),
    ):
        matches = filter(None, map(pattern.fullmatch, arrays))
        prefixes = {m[1] for m in matches if any(m[1] + f in arrays for f in first)}
        if prefixes:
            # The network itself, rather than a copy that follows it.
            prefix = min(prefixes, key=lambda p: (bool(_COPY.search(p)), len(p), p))
            inner = {n.removeprefix(prefix): n for n in arrays if n.startswith(prefix)}
            inner = {
                name.replace(".shortcut.", ".downsample."): theirs
                for name, theirs in inner.items()
                if not (_HEAD.match(name) or name.endswith(_COUNTER))
            }
            return prefix, _named(inner) if pattern is in_sequential else inner
    raise UserError(
        "its tensors do not have the names of a ResNet of torchvision, lightly or "
        f"solo-learn: {report.shortened(list(arrays))}."
    )


def _named(numbered):
    """Dict from torchvision's names to those of a Sequential."""
    first_block = re.compile(r"(\d{1,3})\.0\.conv1\.")
    groups = {match[1] for match in filter(None, map(first_block.match, numbered))}
    words = {"0": "conv1", "1": "bn1"}
    words |= {child: f"layer{n}" for n, child in enumerate(sorted(groups, key=int), 1)}
    parts = {name: name.partition(".") for name in numbered}
    return {
        f"{words.get(child, child)}.{rest}": numbered[name]
        for name, (child, _, rest) in parts.items()
    }


def _place(name, parts, last_of_stem):
    """Our name of one of the encoder's tensors, or None."""
    if match := _STEM.fullmatch(name):
        place, layer, kind = f"stem_{last_of_stem}", match[1], match[2]
    elif match := _DEEP_STEM.fullmatch(name):
        number, is_norm = divmod(int(match[1]), 3)
        place, layer, kind = f"stem_{number}", ("conv", "bn")[is_norm], match[2]
    elif match := _BLOCK.fullmatch(name):
        part = dict(enumerate(parts, start=1)).get(int(match[4]))
        place = part and f"group{match[1]}_block{match[2]}/{part}"
        layer, kind = match[3], match[5]
    elif (match := _INNER.fullmatch(name)) and match[3] in _INNER_PARTS:
        part, layer = _INNER_PARTS[match[3]]
        place, kind = f"group{match[1]}_block{match[2]}/{part}", match[4]
    elif match := _SHORTCUT.fullmatch(name):
        place = f"group{match[1]}_block{match[2]}/shortcut/projection"
        layer, kind = ("conv", "bn")[int(match[3])], match[4]
    else:
        return None
    return f"{place}/{_KINDS[layer][kind]}" if place and kind in _KINDS[layer] else None


def _small_stem(arrays, prefix):
    """The stem to choose for a first kernel of 3x3."""
    if f"{prefix}0.weight" in arrays and f"{prefix}2.0.conv1.weight" in arrays:
        return "cifar_no_relu"
    is_inside = prefix in ("backbone.", "encoder.")
    of_solo_learn = is_inside and "classifier.weight" in arrays
    return "cifar_padded" if of_solo_learn else "cifar"


def _of_whole_batches(encoder):
    """Whole batches' statistics, by our names, averaged over parts of batches."""
    means = {}
    for name, array in encoder.items():
        place, kind = name.rsplit("/", 1)
        gamma = encoder.get(f"{place}/gamma")
        if kind.startswith("moving_") and gamma is not None and array.ndim == 1:
            parts, rest = divmod(len(array), max(1, gamma.size))
            if parts > 1 and not rest:
                means[name] = array.reshape(parts, -1).mean(axis=0)
    return means


def transposed(array):
    """Turns OIHW into HWIO, and transposes a matrix."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T
