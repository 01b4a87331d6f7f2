"""Lists of names, short enough to read."""

from simclr_tf.printing import printable

_MOST = 20


def listed(lists):
    """Lines, each a heading and its names.

    Args:
        lists: Dict from headings to lists of str; empty lists are left out.

    Example:
        >>> print(listed({"missing": ["a", "b"], "left over": []}))
        <BLANKLINE>
         missing: a, b
    """
    lines = [f"\n {kind}: {shortened(names)}" for kind, names in lists.items() if names]
    return "".join(lines)


def shortened(names):
    """The first names, separated by commas, and how many more there are."""
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return printable(", ".join(names[:_MOST]) + more)
