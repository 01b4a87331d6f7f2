"""Makes text safe: for a terminal, a log or a picture, and for a shell."""

import shlex

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(text):
    r"""A name on one line, with "?" for control characters and what cannot be shown.

    Args:
        text: Str or bytes, such as the name of a file, whatever its bytes are.

    Example:
        >>> printable("a\x1b[31m\nb.png")
        'a?[31m?b.png'
    """
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    return "".join(map(_shown, text))


def printable_lines(text):
    """The same for text of several lines, which are kept."""
    return "\n".join(map(printable, text.split("\n")))


def shell(*words):
    """`python run.py` with these arguments, quoted for a shell, a line each."""
    return " \\\n  ".join(["python run.py", *map(shlex.quote, words)])


def _shown(letter):
    if letter.isprintable():
        return letter
    is_surrogate = "\ud800" <= letter <= "\udfff"  # a byte that is not UTF-8
    return _REPLACEMENT if is_surrogate else "?"
