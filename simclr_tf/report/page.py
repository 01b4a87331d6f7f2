"""Renders the page: all parts in one self-contained HTML file."""

import base64
import hashlib
import os
import re

import jinja2

from simclr_tf.report import embedding_parts, repeating, training_parts, verdict

_TEMPLATES = os.path.join(os.path.dirname(__file__), "templates")
_TILES = 6
_FIGURES = ("top_1_accuracy", "top_5_accuracy", "mean_per_class_accuracy")


def render(contents):
    """A report as HTML, and its list of pairs.

    Args:
        contents: `Contents`.

    Returns:
        `(page, pairs)`: str, and str of CSV, or None if there can be no pairs.
    """
    judged, learned = contents.judged, contents.learned
    found, pairs = embedding_parts.find_pairs(learned)
    geometry = embedding_parts.geometry(judged, contents.projections)
    parts = {
        "curves": training_parts.curve_parts(contents),
        "gallery": training_parts.gallery_parts(contents),
        "similarities": training_parts.similarity_parts(contents),
        "spectrum": embedding_parts.spectrum_parts(contents.spectra),
        "filters": training_parts.filter_parts(contents),
        "neighbors": _of(judged, embedding_parts.neighbor_parts),
        "map": _of(judged, embedding_parts.map_parts),
        "classes": _of(judged, embedding_parts.class_parts, contents.predicted),
        "pairs": _of(learned, embedding_parts.pair_parts, found),
    }
    answer = verdict.judge(_evidence(contents, geometry, found))
    page = fill(
        "report.html",
        run=contents,
        parts=parts,
        verdict=answer,
        tiles=_tiles(contents, geometry),
        geometry=geometry,
        evaluators=evaluator_rows({"": contents.rows}),
    )
    return page, pairs


def fill(template, **values):
    """Fills a template; everything except our own SVG is escaped.

    The page's policy forbids all requests, and all scripts except ours.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = _read("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )
    return environment.get_template(template).render(
        script=script, style=_read("report.css"), policy=policy, **values
    )


def evaluator_rows(runs):
    """The table of evaluators.

    Args:
        runs: Dict from the name of a run to its rows, from `read_results`.

    Returns:
        List of dicts, one for each evaluator and encoder.
    """
    table = []
    for name, title in verdict.TITLES.items():
        for run, rows in runs.items():
            for row, figures in rows.items():
                if f"{name}_top_1_accuracy" in figures:
                    table.append(_evaluator(name, title, run, row, figures))
    return table


def _evaluator(name, title, run, row, figures):
    shown = {}
    for figure in _FIGURES:
        value = figures.get(f"{name}_{figure}")
        shown[figure] = "-" if value is None else verdict.percent(value)
    ends = [figures.get(f"{name}_top_1_accuracy_{end}") for end in ("low", "high")]
    interval = "-" if None in ends else " to ".join(map(verdict.percent, ends))
    return {
        "evaluator": title,
        "encoder": ", ".join(filter(None, (run, row))),
        "trained": row == "trained",
        "share": round(figures[f"{name}_top_1_accuracy"], 3),
        "interval": interval,
        **shown,
    }


def _of(sample, make, *arguments):
    """The part made from a sample; for a note, the note itself."""
    return sample if isinstance(sample, str) else make(sample, *arguments)


def _evidence(contents, geometry, found):
    features = [row for row in geometry if row["alignment"] is False]
    duplicates = {
        number
        for pair in found
        if pair.kind == "near_duplicate"
        for number in (pair.first, pair.second)
    }
    looked_at = 1 if isinstance(contents.learned, str) else contents.learned.count
    return verdict.Evidence(
        curves=contents.curves,
        rows=contents.rows,
        num_classes=contents.num_classes,
        train_mode=contents.train_mode,
        batch_size=contents.batch_size,
        folder=contents.folder,
        data=repeating.of_data(contents.flags),
        rank=features[0]["rank"] if features else None,
        dim=features[0]["most"] if features else None,
        duplicates=len(duplicates) / looked_at,
    )


def _tiles(contents, geometry):
    """The few figures at the top: a list of `(name, value, remark)`."""
    trained = contents.rows.get("trained", {})
    untrained = contents.rows.get("untrained", {})
    tiles = []
    for name, title in verdict.TITLES.items():
        key = f"{name}_top_1_accuracy"
        if key in trained:
            beside = "top-1 accuracy"
            if key in untrained:
                beside = f"untrained {verdict.percent(untrained[key])}"
            tiles.append((title.capitalize(), verdict.percent(trained[key]), beside))
    for tag, title, text in (
        ("train/contrast_loss", "Contrastive loss", "contrast_loss"),
        ("train/contrast_acc", "Views found", "contrast_acc"),
    ):
        if tag in contents.curves:
            value = float(contents.curves[tag].values[-1])
            reference = training_parts.references(contents, text).get("guessing")
            as_text = verdict.percent if text == "contrast_acc" else "{:.2f}".format
            beside = "" if reference is None else f"guessing {as_text(reference)}"
            tiles.append((title, as_text(value), beside))
    for row in geometry[:1]:
        tiles.append(("Effective rank", f"{row['rank']:.1f}", f"of {row['most']}"))
    if "Speed" in contents.facts:
        tiles.append(("Speed", *contents.facts["Speed"].split(" ", 1)))
    return tiles[:_TILES]


def _read(name):
    with open(os.path.join(_TEMPLATES, name), encoding="utf-8") as file:
        return re.sub(r"\s*\n\s*", "\n", file.read()).strip()
