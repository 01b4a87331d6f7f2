"""Figures of curves over the steps of training."""

import numpy as np

from simclr_tf.report import style

_MOST_POINTS = 500
_DASHES = ("solid", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))


def draw_curves(lines, references=None):
    """A figure of one or several lines over steps.

    Args:
        lines: Dict from the name of a line to `(steps, values)`, two sequences. Lines
            differ in colour and dashes. If there are several, a legend names them.
        references: Dict from names to values to compare the lines with, such as the
            value by guessing. Each becomes a dotted line with its name.

    Returns:
        `matplotlib.figure.Figure`.

    Example:
        >>> draw_curves({"loss": ([1, 2, 3], [6.2, 5.0, 4.5])}, {"chance": 6.2})
        <Figure size ...>
    """
    axes = style.axes()
    for number, (name, (steps, values)) in enumerate(lines.items()):
        steps, values = thinned(steps, values)
        axes.plot(
            steps,
            values,
            label=name,
            marker="o" if len(steps) < 3 else None,
            **line_look(number),
        )
    for name, value in (references or {}).items():
        axes.axhline(value, color=style.MUTED, linewidth=1.2, linestyle=(0, (1, 2)))
        axes.annotate(
            name,
            (1, value),
            xycoords=("axes fraction", "data"),
            xytext=(0, -3),
            textcoords="offset points",
            ha="right",
            va="top",
            color=style.MUTED,
            fontsize=10,
            parse_math=False,
        )
    axes.margins(x=0.02, y=0.12)
    axes.set_xlabel("step")
    axes.locator_params(axis="x", nbins=5)
    if len(lines) > 1:
        style.legend(axes, fontsize=10, handlelength=2.8)
    return axes.figure


def line_look(number):
    """Colour and dashes of a line, by its number in a chart, for `Axes.plot`."""
    return {
        "color": style.SERIES[number % len(style.SERIES)],
        "linestyle": _DASHES[number % len(_DASHES)],
    }


def thinned(steps, values):
    """The finite points of a line; too many are replaced by means of neighbours."""
    steps, values = np.asarray(steps, float), np.asarray(values, float)
    finite = np.isfinite(values)
    steps, values = steps[finite], values[finite]
    pieces = min(_MOST_POINTS, len(steps))
    if pieces == len(steps):
        return steps, values
    parts = [np.array_split(column, pieces) for column in (steps, values)]
    return tuple(np.array([part.mean() for part in column]) for column in parts)
