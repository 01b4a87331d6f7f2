"""The words of `--augmentation`: `crop,flip,jitter(0.5),blur | crop,solarize`.

    views     = view ["|" view]
    view      = step {"," step}             the first is crop
    step      = word ["(" argument {"," argument} ")"]
    argument  = number | name "=" number

This file defines the language; `views.build_views` turns it into layers. Nothing here
needs TensorFlow, so the command refuses mistakes immediately.
"""

import dataclasses
import difflib
import re

WHOLE = ("crop_and_flip", "none")  # not composed of words
_SHARE = ("in [0, 1]", lambda value: 0 <= value <= 1)
_PART = ("in (0, 1]", lambda value: 0 < value <= 1)
_POSITIVE = ("> 0 and finite", lambda value: 0 < value < float("inf"))
_STRENGTH = ("in [0, 1.25]", lambda value: 0 <= value <= 1.25)
# Arguments of each word in order, each with its bounds.
WORDS = {
    "crop": {"min_area": _PART, "max_area": _PART},
    "flip": {"probability": _SHARE},
    "jitter": {"strength": _STRENGTH, "probability": _SHARE},
    "grayscale": {"probability": _SHARE},
    "blur": {"probability": _SHARE, "min_sigma": _POSITIVE, "max_sigma": _POSITIVE},
    "cutout": {"size": _PART, "probability": _SHARE, "value": _SHARE},
    "rotate": {"probability": _SHARE},
    "noise": {"stddev": _POSITIVE, "probability": _SHARE},
    "sobel": {"probability": _SHARE},
    "solarize": {"threshold": _SHARE, "probability": _SHARE},
    "equalize": {"probability": _SHARE},
}
_STEP = re.compile(r"\s*([^\s,()|]*)\s*(?:\(([^()|]*)\))?\s*(,|$)")


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of a view as it was written.

    Attributes:
        word: Str, one of `WORDS`.
        arguments: Dict from names to floats, only those that were given.
    """

    word: str
    arguments: dict


def parse_views(text):
    """Parses the steps of one view, or of two that differ.

    Args:
        text: Str.

    Returns:
        List of one or two lists of `Step`.

    Raises:
        ValueError: With what is allowed, as text to follow "must".

    Example:
        >>> [[step.word for step in view] for view in parse_views("crop,blur(1)|crop")]
        [['crop', 'blur'], ['crop']]
    """
    views = [_view(part) for part in text.split("|")]
    if len(views) > 2:
        raise ValueError(f"be one view or two with | between, got {len(views)}")
    return views


def _view(text):
    steps, position = [], 0
    while position <= len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise ValueError(
                "be words with commas between, arguments in brackets, as in "
                f"crop,flip,jitter(0.5), got {text.strip()}"
            )
        steps.append(_step(match[1], match[2]))
        position = match.end() + (match[3] != ",")
    if steps[0].word != "crop":
        raise ValueError(
            f"begin with crop, which decides the size, got {steps[0].word}"
        )
    if [step.word for step in steps].count("crop") > 1:
        raise ValueError(f"crop once, got {text.strip()}")
    return steps


def _step(word, text):
    if word not in WORDS:
        close = difflib.get_close_matches(word, WORDS, n=3)
        hint = f". Close: {', '.join(close)}" if close else ""
        raise ValueError(
            f"be crop_and_flip, none, or a list of {', '.join(WORDS)}, got "
            f"{word or 'an empty word'}{hint}"
        )
    names = list(WORDS[word])
    arguments = {}
    for place, part in enumerate(text.split(",") if text and text.strip() else []):
        name, _, number = part.rpartition("=")
        name = name.strip() or (names[place] if place < len(names) else "")
        if name not in names or name in arguments:
            raise ValueError(
                f"give {word} at most the arguments {', '.join(names)}, got "
                f"{word}({text})"
            )
        arguments[name] = _number(word, name, number.strip())
    _require_order(word, arguments)
    return Step(word, arguments)


def _number(word, name, text):
    allowed, inside = WORDS[word][name]
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not inside(value):
        raise ValueError(f"have a {name} of {word} {allowed}, got {text or 'nothing'}")
    return value


def _require_order(word, arguments):
    """Refuses ranges from high to low, if both ends are given."""
    for low, high in (("min_area", "max_area"), ("min_sigma", "max_sigma")):
        if low in arguments and high in arguments and arguments[low] > arguments[high]:
            raise ValueError(
                f"have a {low} of {word} at most its {high}={arguments[high]:g}, got "
                f"{arguments[low]:g}"
            )
