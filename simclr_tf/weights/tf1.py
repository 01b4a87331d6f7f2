"""Checkpoints of the published SimCLR code for TensorFlow 1, of both papers.

| theirs | ours |
|---|---|
| `base_model/conv2d`, `conv2d_1`, ... | convolutions, in the order of creation |
| `base_model/batch_normalization`, ... | their batch norms, numbered separately |
| `head_contrastive/nl_0/dense`, `/batch_normalization` | `projection_head/0` |
| `head_supervised/linear_layer/dense` | `linear_head` |

A block creates its shortcut first, then its convolutions, then squeeze-and-excitation.
The names tell only this order; the role of a convolution follows from its kernel.
"""

import re

import numpy as np

from simclr_tf.errors import UserError
from simclr_tf.weights.found import Found
from simclr_tf.weights.layout import NORM

_ENCODER = re.compile(
    r"(?:.*/)?base_model/(conv2d|batch_normalization)(?:_(\d+))?/"
    r"(kernel|bias|gamma|beta|moving_mean|moving_variance)"
)
_HEAD = re.compile(r"(?:.*/)?head_contrastive/n?l_(\d+)/[a-z]\w*/(\w+)")
_LINEAR = re.compile(r"(?:.*/)?head_supervised/linear_layer/dense/(kernel|bias)")
# These have no batch norm.
_BARE = ("mixture", "gate/squeeze", "gate/gate")


def is_theirs(names):
    """Whether the names of variables are those of this code."""
    return any("base_model/conv2d/kernel" in name for name in names)


def read(arrays):
    """Translates a dict from the checkpoint's names to arrays into a `Found`."""
    convolutions, norms, found = {}, {}, Found("SimCLR for TensorFlow 1", {})
    for name, array in sorted(arrays.items()):
        if match := _ENCODER.fullmatch(name):
            layers = convolutions if match[1] == "conv2d" else norms
            layers.setdefault(int(match[2] or 0), {})[match[3]] = array
        elif match := _HEAD.fullmatch(name):
            found.arrays[f"projection_head/{match[1]}/{match[2]}"] = array
        elif match := _LINEAR.fullmatch(name):
            found.arrays[f"linear_head/{match[1]}"] = array
        elif name == "global_step":
            found.step = int(array)
        elif not is_slot(name, arrays):
            in_encoder = "base_model/" in name
            (found.unmatched if in_encoder else found.left_over).append(name)
    convolutions = [convolutions[number] for number in sorted(convolutions)]
    norms = [norms[number] for number in sorted(norms)]
    places = _places(convolutions)
    normed = [place for place in places if not place.endswith(_BARE)]
    for layers, where, kinds in (
        (convolutions, places, ("kernel", "bias")),
        (norms, normed, NORM),
    ):
        for number, layer in enumerate(layers):
            theirs = f"batch_normalization_{number}"  # there are more than places
            place = where[number] if number < len(where) else theirs
            for kind in layer.keys() & kinds:
                found.arrays[f"encoder/{place}/{kind}"] = layer[kind]
    return found


def is_slot(name, names):
    """Whether a variable is an optimizer's slot or counter."""
    owner, _, kind = name.rpartition("/")
    return owner in names or kind in ("beta1_power", "beta2_power")


def _places(convolutions):
    """Our name of each convolution, in order."""
    kernels = [layer.get("kernel") for layer in convolutions]
    if any(np.ndim(kernel) != 4 for kernel in kernels):
        raise UserError("a convolution of its base_model has no kernel.")
    small = [kernel.shape[0] == 1 for kernel in kernels]
    stem = small.index(True) if True in small else len(small)
    if len(small) < stem + 4:
        raise UserError("its base_model has too few convolutions.")
    bottleneck = small[stem + 1]
    if stem > 1 and not bottleneck:
        raise UserError(
            "a ResNet-18 or 34 with --sk_ratio of the code for TensorFlow 1, whose "
            "blocks read what the shortcut has pooled. No network of this program does."
        )
    parts = _parts(kernels[stem + 2]) if bottleneck else ["middle", "last"]
    if any("bias" in layer for layer in convolutions):
        parts += ["gate/squeeze", "gate/gate"]
    places, group, block = [f"stem_{number}" for number in range(stem)], 0, 0
    while len(places) < len(kernels):
        here = len(places)
        following = small[here + 1] if here + 1 < len(small) else False
        block += 1
        if small[here] and (following or not bottleneck):
            group, block = group + 1, 0
            places.append(f"group{group}_block0/shortcut/projection")
        places += [f"group{group}_block{block}/{part}" for part in parts]
    return places


def _parts(kernel):
    """The convolutions of a bottleneck, told from its middle kernel."""
    if kernel.shape[3] == 2 * kernel.shape[2]:
        middle = [f"middle/{part}" for part in ("branches", "squeeze", "mixture")]
        return ["first", *middle, "last"]
    return ["first", "middle", "last"]
