"""The style of the report's figures, and their conversion to SVG.

Figures are drawn in the colours of a light page. In the SVG these become CSS variables,
so that the page can replace them, as it does on dark screens.
"""

import io
import re

import matplotlib
from matplotlib.figure import Figure

INK, MUTED, GRID, PAPER = "#1c2530", "#5a6675", "#dfe4ea", "#fffffe"
SERIES = (
    "#2463b4",
    "#bd560a",
    "#1a7d58",
    "#a93378",
    "#6b4fc0",
    "#876800",
    "#0a7a91",
    "#c0303a",
    "#59652a",
    "#7a5a48",
)
_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    PAPER: "--paper",
    **{color: f"--series-{number}" for number, color in enumerate(SERIES, start=1)},
}
_SETTINGS = {
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "figure.facecolor": "none",
    "lines.linewidth": 2,
    "lines.solid_capstyle": "round",
    # Text stays text: it is small, has the page's font, and screen readers can read it.
    "svg.fonttype": "none",
    "svg.hashsalt": "simclr_tf",
    "image.interpolation": "nearest",
}


def axes(width=360, height=220):
    """An empty chart.

    Args:
        width: Int, in units of the SVG, in which text is 11 high.
        height: Int, likewise.

    Returns:
        `matplotlib.axes.Axes`. Their `figure` is not registered with pyplot, so it
        needs no screen.
    """
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
        return figure.add_subplot()


def legend(axes, **look):
    """Adds a legend that shows names literally: "$" does not start a formula."""
    shown = axes.legend(frameon=False, labelcolor=INK, **look)
    for text in shown.get_texts():
        text.set_parse_math(False)


def svg(figure, name, label):
    """A figure as an `<svg>` element for a page.

    Args:
        figure: `matplotlib.figure.Figure`.
        name: Str of letters, digits and "-", unique among the figures of the page.
        label: Str, a description for readers who cannot see the figure.

    Returns:
        Str, markup in which text from outside is escaped.
    """
    file = io.StringIO()
    with matplotlib.rc_context(_SETTINGS):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    markup = file.getvalue()
    markup = markup[markup.index("<svg") :]
    markup = re.sub(r"<metadata>.*?</metadata>", "", markup, flags=re.DOTALL)
    head, rest = markup.split(">", 1)
    view_box = re.search(r'viewBox="[^"]*"', head)[0]
    name = f"figure-{name}"
    # matplotlib gives parts of different figures the same ids.
    rest = re.sub(r'\bid="', f'id="{name}-', rest)
    rest = rest.replace("url(#", f"url(#{name}-").replace('href="#', f'href="#{name}-')
    rest = re.sub(r"(font: [^;\"']*?\d+px) [^;\"]*", r"\1 var(--sans)", rest)
    for color, variable in _VARIABLES.items():
        rest = rest.replace(f": {color}", f": var({variable})")
    label = label.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return (
        f'<svg {view_box} role="img" aria-label="{label}" id="{name}" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink">{rest}'
    )
