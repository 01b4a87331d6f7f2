"""Results for people to read."""

_TITLES = {
    "head": "linear head",
    "knn": "nearest neighbours",
    "logistic": "logistic regression",
}


def lines(rows):
    """Lines of a table: one per evaluator, and below it the other encoders.

    Args:
        rows: Dict from "trained" and, if they were evaluated, "untrained" and the paths
            of other runs, to figures from `evaluation.evaluate_features`.
    """
    table = [("accuracy in %", "top-1", "95% interval", "top-5", "mean per class")]
    for name, title in _TITLES.items():
        for row, figures in rows.items():
            if f"{name}_top_1_accuracy" in figures:
                label = title if row == "trained" else f"  {row}"
                table.append((label, *_cells(name, figures)))
    width = max(20, *(len(label) for label, *_ in table))
    for label, *cells in table:
        yield _line(label.ljust(width), *cells)


def _cells(name, figures):
    percent = {
        figure: f"{100 * value:.1f}"
        for figure, value in figures.items()
        if figure.startswith(f"{name}_")
    }
    yield percent[f"{name}_top_1_accuracy"]
    low, high = (percent[f"{name}_top_1_accuracy_{end}"] for end in ("low", "high"))
    yield f"{low} to {high}"
    yield percent[f"{name}_top_5_accuracy"]
    yield percent[f"{name}_mean_per_class_accuracy"]
    if f"{name}_l2" in figures:
        yield f"l2 = {figures[f'{name}_l2']:.2g}"


def _line(label, *cells):
    widths = (9, 16, 9, 17, 15)
    pairs = zip(cells, widths, strict=False)
    return label + "".join(f"{cell:>{width}}" for cell, width in pairs)
