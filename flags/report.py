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
values.string(
    "runs",
    None,
    "report: folders of runs with commas between, to be shown side by side in "
    "comparison.html of --model_dir, or of the current folder.",
)


@values.check
def _runs_are_of_the_report(mode, runs):
    if runs and mode != "report":
        return (
            f"--runs must not be given with --mode={mode}, got {runs}: it is for "
            "--mode=report."
        )
    return None
