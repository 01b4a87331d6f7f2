"""Flags: the page about a run."""

from flags import values

values.boolean(
    "report",
    True,
    "train_then_eval: write report.html to --model_dir when all is done; --mode=report "
    "writes it anew.",
)
values.integer(
    "report_images",
    2000,
    "report: images of each split that are embedded, for the map, the neighbours and "
    "the pairs. Time and size grow with it.",
    low=1,
    high=20_000,
)
