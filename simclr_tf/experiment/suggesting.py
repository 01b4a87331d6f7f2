"""A start for a data set: flags by the number and the size of its images.

The rules are few, and so are the data sets on which anything was measured. Every
suggestion names its source, and whether the images at hand are like those of it. "The
paper" is Chen et al. 2020, https://arxiv.org/abs/2002.05709.
"""

import dataclasses
import typing

from simclr_tf.printing import shell

_MANY = 1_000_000  # images, from which on the paper's recipe for ImageNet is taken
_SMALL = 32  # pixels, up to which its recipe for CIFAR-10 is taken
_ALIKE = 2  # times as many, or as large, are still alike


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A data set on which something was measured.

    Attributes:
        name: Str.
        num_images: Int.
        pixels: Int, the size at which the network saw them.
    """

    name: str
    num_images: int
    pixels: int

    def is_like(self, num_images, pixels):
        """Whether so many images of such a size are within a factor of two."""
        pairs = (num_images, self.num_images), (pixels, self.pixels)
        return all(max(pair) <= _ALIKE * min(pair) for pair in pairs)


_IMAGENET = DataSet("ImageNet", 1_281_167, 224)
_CIFAR = DataSet("CIFAR-10", 50_000, 32)
_BUNDLED = DataSet("the bundled images", 10_000, 32)
_TEXTURES = DataSet("photographs of textures", 2_220, 64)


@dataclasses.dataclass(frozen=True)
class Rule:
    """A value for data sets of some size; the first rule of a flag that fits counts.

    Attributes:
        flag: Str.
        value: What the flag gets, or a callable from `(num_images, pixels, chosen)` to
            it, where `chosen` is a dict of the flags before.
        source: Str, where it comes from.
        measured_on: Tuple of `DataSet`.
        images: Int, from how many images on it applies.
        pixels: Int, from how large images on it applies, after `image_size`.
    """

    flag: str
    value: typing.Any
    source: str
    measured_on: tuple
    images: int = 0
    pixels: int = 0


def _image_size(num_images, pixels, chosen):
    """No larger than the images; above 32 a multiple of that."""
    most = 224 if num_images >= 20_000 else 96
    return min(most, pixels if pixels <= _SMALL else pixels // _SMALL * _SMALL)


def _batch(most):
    """A power of two, at most a quarter of the images, but at least 2."""

    def batch(num_images, pixels, chosen):
        return min(most, 2 ** (max(num_images // 4, 2).bit_length() - 1))

    return batch


def _steps(num_images, pixels, chosen):
    """300 epochs, from 300,000 images on 100, between them 30 million images seen.

    But 3000 steps at least.
    """
    seen = max(100 * num_images, min(300 * num_images, 30_000_000))
    return max(3000, -(-seen // chosen["train_batch_size"]))


_SWEPT = "docs/small_data.md, 8"
_RULES = (
    Rule("image_size", _image_size, "paper, A and B.9", (_IMAGENET, _CIFAR)),
    Rule("color_jitter_strength", 1.0, "paper, A", (_IMAGENET,), _MANY, _SMALL + 1),
    Rule("color_jitter_strength", 0.5, _SWEPT, (_TEXTURES,), pixels=_SMALL + 1),
    Rule("color_jitter_strength", 0.5, "paper, B.9", (_CIFAR,)),
    Rule("use_blur", True, "paper, A", (_IMAGENET, _TEXTURES), pixels=_SMALL + 1),
    Rule("use_blur", False, "paper, B.9", (_CIFAR,)),
    Rule("train_batch_size", _batch(4096), "paper, 2.3", (_IMAGENET,), _MANY),
    Rule("train_batch_size", _batch(512), "paper, B.9", (_CIFAR,), 20_000),
    Rule("train_batch_size", _batch(256), "README.md, Results", (_BUNDLED,)),
    Rule("temperature", 0.1, "paper, table 5", (_IMAGENET,), _MANY),
    Rule("temperature", 0.2, _SWEPT, (_TEXTURES,), pixels=_SMALL + 1),
    Rule("temperature", 0.5, "paper, figure B.8", (_CIFAR,)),
    Rule("train_steps", _steps, "paper, figure 9", (_IMAGENET,), _MANY),
    Rule("train_steps", _steps, "paper, B.9", (_CIFAR,)),
    Rule("learning_rate_scaling", "sqrt", "paper, B.1", (_IMAGENET,)),
    Rule("learning_rate", 0.075, "paper, B.1", (_IMAGENET,)),
    Rule("resnet_depth", 50, "paper, 2.3", (_IMAGENET,), _MANY),
    Rule("resnet_depth", 18, "README.md, Results", (_BUNDLED,)),
)


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """A flag, and why it gets its value.

    Attributes:
        flag: Str, name of a flag of the command.
        value: Its value.
        source: Str, where the value comes from.
        measured_on: Tuple of `DataSet`.
        extrapolated: Bool, whether the images at hand are more than twice as many or as
            large as in each of these, or less than half.
    """

    flag: str
    value: typing.Any
    source: str
    measured_on: tuple
    extrapolated: bool

    def __str__(self):
        """As the flag of a command: `--temperature=0.5`."""
        value = self.value
        text = f"{value:g}" if isinstance(value, float) else str(value)
        return f"--{self.flag}={text}"


def suggest(num_images, pixels):
    """Flags to start with, for images of which nothing else is known.

    Args:
        num_images: Int >= 2, images to train on.
        pixels: Int >= 1, the shorter side of a typical image.

    Returns:
        List of `Suggestion`.

    Raises:
        ValueError: If there are too few images, or none has a pixel.

    Example:
        >>> print(*suggest(50_000, 32)[3:6])
        --train_batch_size=512 --temperature=0.5 --train_steps=29297
    """
    if num_images < 2 or pixels < 1:
        raise ValueError(
            "`num_images` must be >= 2 and `pixels` >= 1, got "
            f"num_images={num_images}, pixels={pixels}."
        )
    chosen, suggestions = {}, []
    for rule in _RULES:
        size = chosen.get("image_size", pixels)
        applies = num_images >= rule.images and size >= rule.pixels
        if rule.flag in chosen or not applies:
            continue
        value = rule.value
        if callable(value):
            value = value(num_images, pixels, chosen)
        chosen[rule.flag] = value
        size = chosen["image_size"]
        alike = any(one.is_like(num_images, size) for one in rule.measured_on)
        suggestions.append(
            Suggestion(rule.flag, value, rule.source, rule.measured_on, not alike)
        )
    return suggestions


def lines(num_images, pixels, flags=()):
    """Lines for people: each flag of `suggest` with its source, and a command.

    Args:
        num_images: Int.
        pixels: Int.
        flags: Sequence of str, the flags of the command that name the images.

    Returns:
        List of str.
    """
    suggestions = suggest(num_images, pixels)
    texts = list(map(str, suggestions))
    width = max(map(len, texts))
    reasons = [
        f"  {text:<{width}}  {_reason(suggestion)}"
        for text, suggestion in zip(texts, suggestions, strict=True)
    ]
    title = f"A start for {num_images:,} images of {pixels} px:"
    return [title, *reasons, *shell("--mode=train", *flags, *texts).splitlines()]


def _reason(suggestion):
    names = " and ".join(one.name for one in suggestion.measured_on)
    beyond = ", extrapolated to yours" if suggestion.extrapolated else ""
    return f"{suggestion.source}; on {names}{beyond}"
