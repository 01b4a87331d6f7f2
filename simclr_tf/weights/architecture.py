"""Infers a network's architecture from the shapes of its weights."""

import dataclasses
import re

from simclr_tf.errors import UserError
from tf_models import resnet

# The usual ratios; any other is computed from the shapes.
_USUAL = (1 / 16, 1 / 8, 1 / 4, 1 / 2)
_HEAD = re.compile(r"projection_head/\d+/kernel")
_BLOCK = re.compile(r"encoder/group([1-4])_block(\d{1,3})/")


@dataclasses.dataclass(frozen=True)
class Architecture:
    """The arguments that networks are built with.

    Attributes:
        encoder: Dict, arguments of `tf_models.ResNet`.
        projection_head: Dict, arguments of `tf_models.ProjectionHead`.
        num_classes: Int, the classes of the linear head, or None without one.
    """

    encoder: dict
    projection_head: dict
    num_classes: int | None


def infer(found):
    """Returns the architecture of the network whose weights were found.

    Args:
        found: `Found`.

    Returns:
        `Architecture`. Not every shape is checked against it, but a network built from
        it is never much larger than the arrays.

    Raises:
        UserError: If `tf_models.ResNet` cannot have such blocks or filters.
    """
    shapes = {name: tuple(array.shape) for name, array in found.arrays.items()}
    bottleneck = "encoder/group1_block0/first/kernel" in shapes
    depth = resnet.depth_of(bottleneck, _counts(shapes))
    if depth is None:
        kind = "bottlenecks" if bottleneck else "blocks of two convolutions"
        raise UserError(
            f"groups of {', '.join(map(str, _counts(shapes)))} {kind} do not make a "
            "ResNet of depth 18, 34, 50, 101, 152 or 200."
        )
    is_deep = "encoder/stem_2/kernel" in shapes
    last = "encoder/stem_2/kernel" if is_deep else "encoder/stem_0/kernel"
    filters = _require(shapes, last)[-1]
    _require_filters(shapes, filters, bottleneck)
    size = _require(shapes, "encoder/stem_0/kernel")[0]
    return Architecture(
        encoder={
            "depth": depth,
            "width_multiplier": filters / 64,
            "sk_ratio": _sk_ratio(shapes, is_deep)
            if found.sk_ratio is None
            else found.sk_ratio,
            "se_ratio": _ratio(shapes, "gate/squeeze", least=1),
            "stem": "imagenet" if is_deep or size > 3 else found.small_stem,
            "variant": found.variant,
            "normalization": found.normalization,
        },
        projection_head=_projection_head(shapes),
        num_classes=_num_classes(shapes),
    )


def _num_classes(shapes):
    shape = shapes.get("linear_head/kernel", ())
    return shape[1] if len(shape) == 2 and shape[1] else None


def _counts(shapes):
    """How many blocks each group has."""
    numbers = {1: set(), 2: set(), 3: set(), 4: set()}
    for match in filter(None, map(_BLOCK.match, shapes)):
        numbers[int(match[1])].add(int(match[2]))
    return [max(found, default=-1) + 1 for found in numbers.values()]


def _require(shapes, name):
    if len(shapes.get(name, ())) != 4 or 0 in shapes[name]:
        raise UserError(
            f"not a network of this program: {name} is missing or is not a kernel."
        )
    return shapes[name]


def _require_filters(shapes, filters, bottleneck):
    """The stem's filters determine those of the first block of each group."""
    for group in range(1, 5):
        name = f"encoder/group{group}_block0/last/kernel"
        found, due = _require(shapes, name)[2:], filters * 2 ** (group - 1)
        due = (due, 4 * due if bottleneck else due)
        if found != due:
            raise UserError(
                f"group {group} has {found[0]} filters and {found[1]} channels, but "
                f"a ResNet that begins with {filters} has {due[0]} and {due[1]}."
            )


def _sk_ratio(shapes, is_deep):
    ratio = _ratio(shapes, "middle/squeeze", least=32)
    return _USUAL[0] if is_deep and not ratio else ratio


def _ratio(shapes, part, least):
    """The ratio of inner filters to a block's width; 0 without this part.

    Args:
        shapes: Dict from names to shapes.
        part: Str, the name of the inner convolution in a block.
        least: Int, the smallest number of inner filters.
    """
    inner = {}
    for group in range(1, 5):
        name = f"encoder/group{group}_block0/"
        if f"{name}{part}/kernel" in shapes:
            filters = shapes[f"{name}last/kernel"][2]
            inner[filters] = shapes[f"{name}{part}/kernel"][-1]
    if not inner:
        return 0.0
    widest = max(inner)
    for ratio in (*_USUAL, inner[widest] / widest):
        if all(max(least, int(f * ratio)) == inner[f] for f in inner):
            return ratio
    return min(1.0, (inner[widest] + 0.5) / widest)


def _projection_head(shapes):
    features = shapes["encoder/group4_block0/last/kernel"][-1]
    count = sum(bool(_HEAD.fullmatch(name)) for name in shapes)
    if count == 0:
        return {"mode": "none", "num_layers": 1, "output_dim": 128}
    kernels = [shapes.get(f"projection_head/{i}/kernel") for i in range(count)]
    wanted = [(features, features)] * (count - 1)
    if kernels[:-1] != wanted or len(kernels[-1] or ()) != 2 or 0 in kernels[-1]:
        raise UserError(
            "the layers of its projection head must have the shapes "
            f"[{features}, {features}], and [{features}, any] for the last, got "
            f"{kernels}."
        )
    return {
        "mode": "nonlinear" if count > 1 else "linear",
        "num_layers": count,
        "output_dim": kernels[-1][-1],
    }
