"""How flags are defined and checked, so that a mistake in one reads as one line.

absl reads the command line; the parser here makes its messages say which flag, what is
allowed and what came.
"""

import inspect
import math
import operator
import re

from absl import flags as absl_flags

from simclr_tf.errors import UserError
from simclr_tf.printing import printable

# Ours alone: `--help` shows these, and a process may parse more than once.
FLAGS = absl_flags.FlagValues()
# Flags belong to the module that calls the functions below.
absl_flags.disclaim_key_flags()

# No name has these, and they would garble the log: line ends, escapes, NUL.
_CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]")
_LONGEST_SHOWN = 100
_CHECKS = []
_SIGNS = {">": operator.gt, ">=": operator.ge, "<=": operator.le, "<": operator.lt}


class _Parser(absl_flags.ArgumentParser):
    """Turns the text of one flag into its value.

    Args:
        name: Str, the flag.
        allowed: Str, what it takes, as in "--<name> must be <allowed>".
        read: Callable from text, or from a default, to the value; raises `ValueError`
            for what is not allowed.
    """

    def __init__(self, name, allowed, read):
        self.name, self.allowed, self._read = name, allowed, read

    def parse(self, argument):
        try:
            return self._read(argument)
        except ValueError as error:
            raise absl_flags.IllegalFlagValueError(
                f"--{self.name} must be {self.allowed}, got {_shown(argument)}."
            ) from error


def floating(name, default, help_text, above=None, low=None, high=None, below=None):
    """Defines a float flag, finite; `above` and `below` are not allowed themselves."""
    bounds = {">": above, ">=": low, "<=": high, "<": below}
    _number(float, "a number", name, default, help_text, bounds)


def integer(name, default, help_text, low=None, high=None):
    """Defines an int flag."""
    bounds = {">=": low, "<=": high}
    _number(int, "a whole number", name, default, help_text, bounds)


def boolean(name, default, help_text):
    """Defines a bool flag: `--name`, `--noname` or `--name=False`."""
    absl_flags.DEFINE_bool(name, default, help_text, flag_values=FLAGS)
    read = absl_flags.BooleanParser().parse
    FLAGS[name].parser = _Parser(name, "true or false", read)


def string(name, default, help_text):
    """Defines a str flag; an empty one is a mistake, mostly an unset shell variable."""

    def read(text):
        if not text.strip() or _CONTROL.search(text):
            raise ValueError(text)
        return text

    _define(name, default, help_text, "text without control characters", read)


def one_of(name, default, allowed, help_text):
    """Defines a flag that is one of some words or ints."""
    by_text = {str(value): value for value in allowed}

    def read(text):
        if str(text) not in by_text:
            raise ValueError(text)
        return by_text[str(text)]

    _define(name, default, help_text, f"one of {', '.join(by_text)}", read)


def some_of(name, default, allowed, help_text):
    """Defines a flag that lists some of a few words, with commas between."""

    def read(text):
        words = text.split(",") if isinstance(text, str) else list(text)
        words = [word.strip() for word in words]
        if not set(words) <= set(allowed) or len(set(words)) != len(words):
            raise ValueError(text)
        return words

    _define(name, default, help_text, f"a list of {', '.join(allowed)}", read)


def span(name, default, help_text, low):
    """Defines a flag of two ints >= `low`, the second no less than the first."""

    def read(text):
        if not str(text).isascii():
            raise ValueError(text)
        first, last = map(int, text.split(",") if isinstance(text, str) else text)
        if not low <= first <= last:
            raise ValueError(text)
        return [first, last]

    allowed = f"first,last with {low} <= first <= last, such as 10,20"
    _define(name, default, help_text, allowed, read)


def check(function):
    """Declares a check of several flags, those that its parameters name.

    The function returns None, or what is wrong. A parameter `given` is the set of the
    flags that the command line itself has: not those of a preset or of `flags.json`.
    """
    _CHECKS.append(function)
    return function


def run_checks(given):
    """Runs every `check`.

    Args:
        given: Set of str, the flags that the command line has.

    Raises:
        UserError: With the message of the first check that gives one.
    """
    for function in _CHECKS:
        names = inspect.signature(function).parameters
        message = function(
            **{name: given if name == "given" else FLAGS[name].value for name in names}
        )
        if message:
            raise UserError(message)


def _number(kind, noun, name, default, help_text, bounds):
    bounds = {sign: bound for sign, bound in bounds.items() if bound is not None}
    allowed = " and ".join(f"{sign} {bound}" for sign, bound in bounds.items())

    def read(text):
        if not str(text).isascii():  # Python reads the digits of every script
            raise ValueError(text)
        value = kind(text)
        inside = all(_SIGNS[sign](value, bound) for sign, bound in bounds.items())
        if not (inside and math.isfinite(value)):
            raise ValueError(text)
        return value

    _define(name, default, help_text, f"{noun} {allowed}".strip(), read)


def _shown(argument):
    """What came, as an error shows it."""
    text = printable(str(argument))
    if len(text) > _LONGEST_SHOWN:
        text = f"{text[:_LONGEST_SHOWN]}..."
    return text if text.strip() else "nothing"


def _define(name, default, help_text, allowed, read):
    parser = _Parser(name, allowed, read)
    absl_flags.DEFINE(parser, name, default, help_text, flag_values=FLAGS)
