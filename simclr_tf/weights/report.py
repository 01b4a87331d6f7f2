"""Lists of names, short enough to read."""

from simclr_tf.printing import printable

_MOST = 20


def listed(lists):
    """Lines of names below their headings.

    Args:
        lists: Dict from headings to lists of str; empty ones are left out.

    Example:
        >>> print(listed({"missing": ["a", "b"], "left over": []}))
        <BLANKLINE>
         missing: a, b
    """
    lines = [f"\n {kind}: {shortened(names)}" for kind, names in lists.items() if names]
    return "".join(lines)


def shortened(names):
    """Names with commas between, and how many more there are."""
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return printable(", ".join(names[:_MOST]) + more)
