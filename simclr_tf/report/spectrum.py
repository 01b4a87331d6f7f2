"""The spectrum of singular values of features: which directions are used."""

import numpy as np

from simclr_tf.report import style
from simclr_tf.report.curves import line_look

_LOWEST = 1e-5  # of the largest; below is rounding


def draw_spectrum(spectra):
    """A figure of singular values by rank, each divided by the largest of its line.

    Args:
        spectra: Dict from the name of a line to the result of
            `simclr_tf.losses.singular_values`, a sequence that falls.

    Returns:
        `matplotlib.figure.Figure`.

    Example:
        >>> draw_spectrum({"step 100": [3.0, 1.0, 0.1], "step 200": [2.0, 1.5, 1.0]})
        <Figure size ...>
    """
    axes = style.axes(520, 260)
    for number, (name, values) in enumerate(spectra.items()):
        values = np.asarray(values, float)
        shares = values / max(values[0], np.finfo(float).tiny)
        ranks = np.arange(1, len(values) + 1)
        axes.plot(ranks, np.maximum(shares, _LOWEST), label=name, **line_look(number))
    axes.set_yscale("log")
    axes.set(xlabel="direction", ylabel="singular value / largest")
    axes.set_ylim(_LOWEST / 1.5, 1.5)
    axes.margins(x=0.02)
    style.legend(axes, fontsize=10, handlelength=2.8)
    return axes.figure
