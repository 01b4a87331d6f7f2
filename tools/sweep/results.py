"""The results of a sweep, as tables and a picture."""

import csv
import io
import math
import os

from simclr_tf import atomic
from tools.sweep.plan import SEED, Range


def write(plan, trials):
    """Writes `trials.csv`, `table.md` and, for two axes, `heat_map.png`.

    The picture needs matplotlib; without it, it is left out.

    Args:
        plan: `Plan`.
        trials: List of Optuna's `FrozenTrial`.
    """
    done = [trial for trial in trials if trial.state.is_finished()]
    atomic.write(os.path.join(plan.folder, "trials.csv"), _csv(plan, done))
    found = _by_choice(plan, done)
    atomic.write(os.path.join(plan.folder, "table.md"), table(plan, found))
    if len(_axes(plan)) == 2 and _is_grid(plan):
        _draw(plan, found)


def table(plan, found):
    """A Markdown table: a grid for two axes, else a row for each choice, best first.

    Args:
        plan: `Plan`.
        found: Dict from a tuple, the choice on each axis that varies except `seed`, to
            the list of values found, which is empty if all trials failed.

    Returns:
        Str.
    """
    axes = _axes(plan)
    if len(axes) == 2 and _is_grid(plan):
        down, across = axes
        rows = [[f"{down} \\ {across}", *plan.axes[across]]]
        for value in plan.axes[down]:
            cells = [_cell(plan, found, (value, other)) for other in plan.axes[across]]
            rows.append([value, *cells])
    else:
        rows = [[*axes, plan.objective]]
        sign = 1 if plan.lowest_is_best else -1

        def place(choice):
            return sign * _mean(found[choice]) if found[choice] else math.inf

        for choice in sorted(found, key=place):
            rows.append([*map(str, choice), _cell(plan, found, choice)])
    rows.insert(1, ["---"] * len(rows[0]))
    lines = [f"| {' | '.join(_escaped(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _axes(plan):
    """The axes that tables show: those that vary, except the seed."""
    return [
        name
        for name, axis in plan.axes.items()
        if name != SEED and (isinstance(axis, Range) or len(axis) > 1)
    ]


def _is_grid(plan):
    return not any(isinstance(axis, Range) for axis in plan.axes.values())


def _by_choice(plan, trials):
    found = {}
    for trial in trials:
        choice = tuple(trial.params.get(name) for name in _axes(plan))
        values = found.setdefault(choice, [])
        if trial.value is not None:
            values.append(trial.value)
    return found


def _cell(plan, found, choice):
    """The mean, with the range over several seeds; "-" if there is no trial yet."""
    if choice not in found:
        return "-"
    values = found[choice]
    if not values:
        return "failed"
    text = _figure(plan, _mean(values))
    if len(values) == 1:
        return text
    low, high = (_figure(plan, end(values)) for end in (min, max))
    return f"{text} ({low} to {high})"


def _mean(values):
    return sum(values) / len(values)


def _figure(plan, value):
    """A number as tables show it: accuracies in %."""
    if plan.objective.endswith("accuracy"):
        return f"{100 * value:.1f}"
    return f"{value:.4g}"


def _escaped(cell):
    return cell.replace("|", "\\|")


def _csv(plan, trials):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", *plan.axes, plan.objective, "state"])
    for trial in trials:
        choice = [trial.params.get(name) for name in plan.axes]
        writer.writerow([trial.number, *choice, trial.value, trial.state.name.lower()])
    return text.getvalue()


def _draw(plan, found):
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import FuncFormatter
    except ImportError:
        return
    down, across = _axes(plan)
    means = [
        [
            _mean(found[choice]) if found.get(choice := (value, other)) else math.nan
            for other in plan.axes[across]
        ]
        for value in plan.axes[down]
    ]
    figure = Figure(figsize=(2 + len(means[0]), 1.5 + 0.7 * len(means)))
    axes = figure.subplots()
    image = axes.imshow(means, aspect="auto")
    axes.set(
        xlabel=across,
        ylabel=down,
        xticks=range(len(means[0])),
        yticks=range(len(means)),
        xticklabels=plan.axes[across],
        yticklabels=plan.axes[down],
        title=plan.objective,
    )
    middle = sum(image.get_clim()) / 2
    for row, values in enumerate(means):
        for column, value in enumerate(values):
            if not math.isnan(value):
                colour = "black" if value > middle else "white"
                text = _figure(plan, value)
                axes.text(column, row, text, ha="center", va="center", color=colour)
    figure.colorbar(image, format=FuncFormatter(lambda value, _: _figure(plan, value)))
    with atomic.replacing(os.path.join(plan.folder, "heat_map.png")) as path:
        figure.savefig(path, format="png", dpi=120, bbox_inches="tight")
