"""Tables of the differences between a checkpoint and the flags."""


def table(rows):
    """Lines with the flags of a checkpoint beside those of now.

    Args:
        rows: Dict from the name of a flag to `(there, here)`.

    Example:
        >>> print(table({"resnet_depth": (18, 34)}))
                       checkpoint  flags now
         resnet_depth          18         34
    """
    cells = [("", "checkpoint", "flags now")]
    cells += [(name, _text(there), _text(here)) for name, (there, here) in rows.items()]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        f" {name:<{widths[0]}}  {there:>{widths[1]}}  {here:>{widths[2]}}"
        for name, there, here in cells
    )


def _text(value):
    if value is None:
        return "none"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
