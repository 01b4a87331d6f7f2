"""From the command line to a `RunConfig`."""

import dataclasses
import difflib
import os
import textwrap

from absl import flags as absl_flags

# Each defines the flags of its theme.
from flags import (
    data,
    evaluation,
    export,
    inheritance,
    losses,
    model,
    report,
    runtime,
    training,
)
from flags.values import FLAGS, run_checks
from simclr_tf.errors import UserError
from simclr_tf.experiment.config import (
    AugmentationConfig,
    DataConfig,
    DistributionConfig,
    EvalConfig,
    ExportConfig,
    ModelConfig,
    ReportConfig,
    RunConfig,
    TrainConfig,
)

_THEMES = (runtime, data, model, training, losses, evaluation, export, report)
_PRESETS = os.path.join(os.path.dirname(__file__), "presets")
# Steps win over epochs, but those of a recipe do not win over epochs that are given.
_STEPS_OF = {"train_epochs": "train_steps", "checkpoint_epochs": "checkpoint_steps"}


def parse(argv, say=print):
    """Parses a command line.

    Flags given on it win over those of `--preset`, these over those of the run that is
    judged (in --mode=eval, export, embed and report), these over the defaults. A
    training that starts from a checkpoint has its networks and image size, whatever a
    preset says. Training and --mode=preview without `--dataset` take the demo preset.

    Args:
        argv: List of str, the program's name first.
        say: Callable that prints a line for the user.

    Returns:
        `(config, values)`: `RunConfig`, and a dict of every flag for flags.json.

    Raises:
        UserError: With one line that says which flag, what is allowed and what came.
    """
    program, arguments = argv[:1], argv[1:]
    _read(program + arguments)
    given = frozenset(name for name in FLAGS if FLAGS[name].present)
    trains = "train" in FLAGS.mode or FLAGS.mode == "preview"
    is_demo = trains and not FLAGS.preset and "dataset" not in given
    recipe = _recipe("demo" if is_demo else FLAGS.preset)
    recipe += [f"--{_STEPS_OF[name]}=0" for name in _STEPS_OF if name in given]
    _read(program + recipe + arguments)
    if FLAGS.mode in ("eval", "export", "embed", "report"):
        _read(program + _remembered() + recipe + arguments)
    _require_data_and_folder()
    if trains:
        inherited = inheritance.of_start(FLAGS, given, say)
        _read(program + recipe + inherited + arguments)
    run_checks(given)
    if is_demo:
        say("No --dataset given: the bundled images with --preset=demo.")
    return _config(given), {name: FLAGS[name].value for name in sorted(FLAGS)}


def presets():
    """Names of the recipes that come with the toolkit."""
    files = sorted(os.listdir(_PRESETS))
    return [file[: -len(".flags")] for file in files if file.endswith(".flags")]


def help_text():
    """All flags by theme, for `--help`."""
    lines = ["Usage: python run.py --mode=train_then_eval [flags]", ""]
    lines += textwrap.wrap("Presets: " + ", ".join(presets()), 88)
    by_module = FLAGS.flags_by_module_dict()
    for theme in _THEMES:
        lines += ["", theme.__doc__.removeprefix("Flags: ").capitalize()]
        for flag in by_module[theme.__name__]:
            default = inheritance.as_text(flag.default)
            usage = f"--{flag.name}={default} ({flag.parser.allowed})"
            lines += textwrap.wrap(
                usage, 88, initial_indent="  ", subsequent_indent=" " * 6
            )
            lines.append(textwrap.indent(textwrap.fill(flag.help, 82), " " * 6))
    return "\n".join(lines)


def _config(given):
    """The `RunConfig` of the flags as they stand."""
    kind, tpu_counts = runtime.kind_of_distribution(
        FLAGS.use_tpu, FLAGS.distribution, given
    )
    no_tpu = {} if tpu_counts else {"tpu_name": None, "master": None}
    return _fill(
        RunConfig,
        data=_fill(DataConfig),
        augmentation=_fill(AugmentationConfig),
        model=_fill(ModelConfig),
        train=_fill(TrainConfig),
        eval=_fill(
            EvalConfig,
            evaluators=tuple(FLAGS.evaluators),
            embed_formats=tuple(FLAGS.embed_formats),
        ),
        export=_fill(ExportConfig, export_formats=tuple(FLAGS.export_formats)),
        report=_fill(ReportConfig),
        devices=_fill(DistributionConfig, distribution=kind, **no_tpu),
        loggers=tuple(FLAGS.loggers),
        profile_steps=FLAGS.profile_steps and tuple(FLAGS.profile_steps),
        checkpoint_scope=runtime.scope_of(
            FLAGS.variable_schema, FLAGS.checkpoint_scope
        ),
    )


def _fill(kind, **parts):
    names = {field.name for field in dataclasses.fields(kind)} - set(parts)
    return kind(**{name: FLAGS[name].value for name in names}, **parts)


def _read(argv):
    """Fills `FLAGS` anew; every mistake becomes one line."""
    FLAGS.unparse_flags()
    try:
        rest = FLAGS(argv)
    except absl_flags.UnrecognizedFlagError as error:
        close = difflib.get_close_matches(error.flagname, list(FLAGS), n=3)
        hint = f" Close: {', '.join('--' + name for name in close)}." if close else ""
        raise UserError(f"--{error.flagname} is no flag.{hint}") from error
    except absl_flags.CantOpenFlagFileError as error:
        # absl keeps the reason only as the error that it met.
        raise UserError(
            f"--flagfile must be a file that can be read: {error.__context__}. For one "
            "that comes with the toolkit: --preset=demo or another."
        ) from error
    except absl_flags.Error as error:
        text = " ".join(str(error).split())
        missing = text.removeprefix("Missing value for flag ")
        raise UserError(
            text if missing == text else f"{missing} needs a value, got none."
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"--flagfile must be a text file, got bytes: {error}"
        ) from error
    if len(rest) > 1:
        raise UserError(f"{rest[1]!r} is no flag: flags begin with --.")


def _recipe(name):
    if name is None:
        return []
    if name not in presets():
        raise UserError(f"--preset must be one of {', '.join(presets())}, got {name}.")
    return [f"--flagfile={os.path.join(_PRESETS, name)}.flags"]


def _remembered():
    """`inheritance.of_judged`, checked."""
    arguments, path = inheritance.of_judged(FLAGS)
    try:
        _read(["flags.json", *arguments])
    except UserError as error:
        raise UserError(f"{path} must be as a run wrote it: {error}") from error
    return arguments


def _require_data_and_folder():
    needs_no_folder = FLAGS.mode in ("preview", "check") or FLAGS.runs
    if FLAGS.model_dir is None and not needs_no_folder:
        raise UserError("--model_dir must be given, the folder of the run; got none.")
    if FLAGS.dataset is None and FLAGS.mode not in ("export", "import", "report"):
        raise UserError(
            "--dataset must be given (bundled, a folder, a file, or a name of "
            "TensorFlow Datasets): got none, and no flags.json in --model_dir="
            f"{FLAGS.model_dir} says it."
        )
