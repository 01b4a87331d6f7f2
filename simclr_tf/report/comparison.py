"""A page that shows several runs side by side."""

import dataclasses
import os

from simclr_tf import atomic
from simclr_tf.errors import UserError
from simclr_tf.report import curves, folder, page, style, verdict
from simclr_tf.report.repeating import PLACES
from simclr_tf.report.training_parts import CHARTS, references, tag_of

_NONE = "-"


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run wrote.

    Attributes:
        name: Str.
        flags: Dict of `flags.json`.
        results_step: Int, the step that was evaluated, or None.
        rows: Dict of the evaluators' figures, from `read_results`.
        curves: Dict of `Curve` by tag.
    """

    name: str
    flags: dict
    results_step: int | None
    rows: dict
    curves: dict

    @property
    def batch_size(self):
        """Int, or None if it is not known."""
        return self.flags.get("train_batch_size")

    num_classes = None  # none of these files has it


def compare(run_dirs, path):
    """Writes a page about several runs: curves, evaluators and differing flags.

    Args:
        run_dirs: Sequence of two or more str, the folders of the runs.
        path: Str, the HTML file.

    Raises:
        UserError: If there are fewer than two runs, one has nothing to show, or the
            page cannot be written.
    """
    if len(set(run_dirs)) < 2 or len(set(run_dirs)) < len(run_dirs):
        raise UserError(
            f"--runs must name two or more different folders, got {','.join(run_dirs)}."
        )
    runs = [_read(run_dir, name) for run_dir, name in _names(run_dirs).items()]
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        atomic.write(path, render(runs).encode("utf-8", "replace"))
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror}. Give a folder that you may "
            "write to with --model_dir."
        ) from error


def render(runs):
    """The page about several runs, as a str.

    Args:
        runs: List of `Run`, each with a different name.
    """
    return page.fill(
        "comparison.html",
        runs=[_summary(run) for run in runs],
        charts=_charts(runs),
        evaluators=page.evaluator_rows({run.name: run.rows for run in runs}),
        flags=differing(runs),
    )


def differing(runs):
    """The flags that differ between runs.

    Args:
        runs: List of `Run`.

    Returns:
        List of `(flag, values)`; the values are a list of str, one for each run.
    """
    names = sorted({name for run in runs for name in run.flags} - {*PLACES} | {"seed"})
    rows = []
    for name in names:
        values = [run.flags.get(name) for run in runs]
        if any(value != values[0] for value in values):
            rows.append((name, [_text(value) for value in values]))
    return rows


def _read(run_dir, name):
    flags = folder.read_flags(run_dir)
    step, rows = folder.read_results(run_dir)
    found = folder.read_curves(os.path.join(run_dir, "train"))
    if not (flags or rows or found):
        raise UserError(
            f"--runs: {run_dir} is not the folder of a run: it has no flags.json, no "
            "result.json and no events in train/."
        )
    return Run(name, flags, step, rows, found)


def _names(run_dirs):
    """Names of runs by their folders: only the last part if those all differ."""
    short = [os.path.basename(os.path.abspath(run_dir)) for run_dir in run_dirs]
    same = len(set(short)) < len(short)
    return dict(zip(run_dirs, run_dirs if same else short, strict=True))


def _summary(run):
    evidence = verdict.Evidence(
        curves=run.curves,
        rows=run.rows,
        train_mode=run.flags.get("train_mode", "pretrain"),
        batch_size=run.batch_size,
    )
    answer = verdict.judge(evidence)
    return {
        "name": run.name,
        "kind": answer.kind,
        "headline": answer.headline,
        "step": _NONE if run.results_step is None else f"{run.results_step:,}",
    }


def _charts(runs):
    charts = []
    for name, title, text in CHARTS:
        tag = tag_of(name)
        lines = {run.name: run.curves[tag].line for run in runs if tag in run.curves}
        if not lines:
            continue
        beside = [references(run, name) for run in runs if tag in run.curves]
        same = all(one == beside[0] for one in beside)
        figure = curves.draw_curves(lines, beside[0] if same else {})
        ends = (f"{run} {values[-1]:.3g}" for run, (_, values) in lines.items())
        label = f"{title} at the end: {', '.join(ends)}"
        svg = style.svg(figure, name.replace("_", "-"), label)
        charts.append({"title": title, "text": text, "svg": svg})
    return charts


def _text(value):
    if value is None:
        return _NONE
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
