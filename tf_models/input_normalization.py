"""Mean and deviation of each colour, taken from images before the first layer."""

import math

_NAMED = {
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
ALLOWED = f"{', '.join(_NAMED)}, or six numbers, three means and three deviations > 0"


def constants(text):
    """The means and deviations that a word or six numbers stand for.

    Args:
        text: Str, "none", "imagenet" (what torchvision's networks are trained with), or
            "r,g,b,r,g,b", of images in [0, 1].

    Returns:
        Two tuples of three floats.

    Raises:
        ValueError: If it is none of these.

    Example:
        >>> constants("0.5,0.5,0.5,0.25,0.25,0.25")
        ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    """
    if text in _NAMED:
        return _NAMED[text]
    numbers = tuple(map(float, text.split(",")))
    means, deviations = numbers[:3], numbers[3:]
    usable = len(numbers) == 6 and all(map(math.isfinite, numbers))
    if not usable or min(deviations) <= 0:
        raise ValueError(text)
    return means, deviations
