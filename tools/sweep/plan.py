"""Turns the arguments into the plan of a sweep."""

import argparse
import dataclasses
import itertools
import re
import typing

import flags
from simclr_tf.errors import UserError
from tools.sweep.presets import ABLATIONS, as_flags

SEED = "seed"  # tables show means over this axis
_SAMPLERS = ("grid", "random", "tpe")


@dataclasses.dataclass(frozen=True)
class Range:
    """An axis of numbers from `low` to `high`, drawn uniformly or log-uniformly."""

    low: float
    high: float
    log: bool

    @property
    def whole(self):
        """Bool, whether only whole numbers are drawn."""
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclasses.dataclass(frozen=True)
class Plan:
    """A sweep.

    Attributes:
        folder: Str, the folder for its trials and tables.
        axes: Dict from each axis to a list of str, or a `Range`.
        flags: List of str, flags of every trial.
        flags_of: Callable from the choice on each axis to flags.
        sampler: Str, grid, random or tpe.
        trials: Int, the number of trials; None for the whole grid.
        objective: Str, a key of `result.json`.
    """

    folder: str
    axes: dict
    flags: list
    flags_of: typing.Callable
    sampler: str
    trials: int | None
    objective: str

    @property
    def lowest_is_best(self):
        """Bool, whether the objective is a loss."""
        return self.objective.endswith("loss")

    def command(self, params):
        """The flags of a trial, without its folder."""
        chosen = self.flags_of(params)
        return ["--report=false", *self.flags, *chosen, "--mode=train_then_eval"]

    def grid(self):
        """Yields all choices on the axes as dicts, with the two ends of a `Range`."""
        values = [
            [axis.low, axis.high] if isinstance(axis, Range) else axis
            for axis in self.axes.values()
        ]
        for chosen in itertools.product(*values):
            yield dict(zip(self.axes, chosen, strict=True))


def read(argv):
    """Reads the arguments of `python -m tools.sweep`.

    Args:
        argv: List of str, without the program's name.

    Returns:
        `Plan`.

    Raises:
        UserError: If an argument is wrong, or a trial's flags are.
    """
    given, rest = _parser().parse_known_args(argv)
    ablation = ABLATIONS.get(given.preset)
    if given.preset and ablation is None and given.preset not in flags.presets():
        raise UserError(
            f"--preset must be an ablation, {', '.join(ABLATIONS)}, or a recipe, "
            f"{', '.join(flags.presets())}, got {given.preset}."
        )
    recipe = [] if ablation or not given.preset else [f"--preset={given.preset}"]
    axes = dict(ablation.axes) if ablation else {}
    for name, *values in given.grid:
        axes[name] = values
    for name, *words in given.range:
        axes[name] = _range(name, words)
    ranges = [name for name, axis in axes.items() if isinstance(axis, Range)]
    sampler = given.sampler or ("tpe" if ranges else "grid")
    plan = Plan(
        folder=given.model_dir,
        axes=axes,
        flags=[*(ablation.flags if ablation else recipe), *rest],
        flags_of=ablation.flags_of if ablation else as_flags,
        sampler=sampler,
        trials=given.trials,
        objective=given.objective,
    )
    _require_axes(plan, ranges)
    _require_runnable(plan)
    return plan


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise UserError(f"{message[:1].upper()}{message[1:]}. See --help.")


def _parser():
    parser = _Parser(
        prog="python -m tools.sweep",
        description="Runs the command once for each of many choices of its flags. All "
        "other flags are those of run.py and apply to every trial. The same command "
        "continues a sweep that was stopped.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--model_dir", required=True, help="Folder for the sweep's trials and tables."
    )
    parser.add_argument(
        "--preset",
        help=f"An ablation of the SimCLR paper: {', '.join(ABLATIONS)}. Or a recipe of "
        "run.py that applies to every trial.",
    )
    parser.add_argument(
        "--grid",
        nargs="+",
        action="append",
        default=[],
        metavar=("FLAG", "VALUE"),
        help="A flag and its values, such as: temperature 0.1 0.5. May be repeated for "
        "other flags. With an ablation, it replaces that axis or adds one. Tables show "
        f"means over {SEED}.",
    )
    parser.add_argument(
        "--range",
        nargs="+",
        action="append",
        default=[],
        metavar=("FLAG", "LOW HIGH"),
        help="A flag and its bounds, such as: learning_rate 0.1 10 log. With log, it "
        "draws on a logarithmic scale.",
    )
    parser.add_argument(
        "--sampler",
        choices=_SAMPLERS,
        help="grid: every combination. random, tpe: --trials of them; tpe draws near "
        "the best so far. Default: grid, or tpe with --range.",
    )
    parser.add_argument(
        "--trials", type=int, help="The number of trials, for random and tpe."
    )
    parser.add_argument(
        "--objective",
        default="eval/knn_top_1_accuracy",
        help="Key of result.json. The lowest loss is best, and the highest value of "
        "anything else. Default: %(default)s.",
    )
    return parser


def _range(name, words):
    log = words[-1:] == ["log"]
    try:
        low, high = (_number(word) for word in words[: len(words) - log])
        if not low < high or (log and low <= 0):
            raise ValueError
    except ValueError:
        raise UserError(
            "--range must be a flag, LOW < HIGH and perhaps log (then LOW > 0), got "
            f"{' '.join([name, *words])}."
        ) from None
    return Range(low, high, log)


def _number(word):
    return int(word) if re.fullmatch(r"-?\d+", word) else float(word)


def _require_axes(plan, ranges):
    if not plan.axes:
        raise UserError(
            f"Give --preset, one of {', '.join(ABLATIONS)}, or --grid or --range; got "
            "none of them."
        )
    for name, values in plan.axes.items():
        if not isinstance(values, Range) and len(set(values)) != max(1, len(values)):
            raise UserError(
                f"--grid {name} must have different values, at least one, got "
                f"{' '.join(values) or 'none'}."
            )
    if plan.sampler == "grid":
        if ranges:
            raise UserError(
                f"--sampler must be random or tpe with --range {ranges[0]}, got grid."
            )
        if plan.trials is not None:
            raise UserError("--trials is for --sampler=random or tpe, got a grid.")
    elif plan.trials is None or plan.trials < 1:
        raise UserError(
            f"--trials must be >= 1 with --sampler={plan.sampler}, got {plan.trials}."
        )


def _require_runnable(plan):
    """Refuses flags that some trial could not start with."""
    for params in plan.grid():
        # Each trial starts in a new folder.
        arguments = [*plan.command(params), f"--model_dir={plan.folder}/new"]
        config, _ = flags.parse(["run.py", *arguments], say=lambda line: None)
    evaluators = config.eval.evaluators
    named = plan.objective.removeprefix("eval/").split("_")[0]
    known = [*evaluators, *(["label"] if "head" in evaluators else [])]
    if named not in known and plan.objective != "eval/regularization_loss":
        raise UserError(
            f"--objective must be a figure of --evaluators={','.join(evaluators)}, "
            f"such as eval/{evaluators[0]}_top_1_accuracy, got {plan.objective}."
        )
