"""From the command line to a `RunConfig`."""

import copy
import dataclasses
import difflib
import json
import os
import re
import textwrap

from absl import flags as absl_flags

# Each defines the flags of its theme.
from flags import data, evaluation, model, runtime, training
from flags.values import FLAGS
from simclr_tf.errors import UserError
from simclr_tf.experiment.config import (
    AugmentationConfig,
    DataConfig,
    EvalConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
)

THEMES = (runtime, data, model, training, evaluation)
PRESETS = os.path.join(os.path.dirname(__file__), "presets")
# What belongs to one command, not to the run that flags.json describes.
_NOT_REMEMBERED = ("mode", "model_dir", "checkpoint", "preset")


def parse(argv):
    """Parses a command line.

    Flags given on it win over those of `--preset`, these over `<model_dir>/flags.json`
    (in --mode=eval and export), these over the defaults. Without `--dataset` the demo
    preset is taken.

    Args:
        argv: List of str, the program's name first.

    Returns:
        `(config, values)`: `RunConfig`, and a dict of every flag for flags.json.

    Raises:
        UserError: With one line that says which flag, what is allowed and what came.
    """
    defaults = _defaults(argv)
    _parse(FLAGS, [argv[0], *defaults, *argv[1:]])
    if FLAGS.dataset is None:
        raise UserError("--dataset is needed: bundled, a folder, a file or a name.")
    if FLAGS.model_dir is None:
        raise UserError("--model_dir is needed: the folder of the run.")
    return config(), values()


def config():
    """The `RunConfig` of the flags as they stand."""
    parts = {
        "data": _fill(DataConfig),
        "augmentation": _fill(AugmentationConfig),
        "model": _fill(ModelConfig),
        "train": _fill(TrainConfig),
        "eval": _fill(EvalConfig, evaluators=tuple(FLAGS.evaluators)),
        "checkpoint_scope": runtime.checkpoint_scope(
            FLAGS.checkpoint_scope, FLAGS.variable_schema
        ),
    }
    return _fill(RunConfig, **parts)


def values():
    """Every flag and its value, as flags.json has them."""
    return {name: FLAGS[name].value for name in sorted(FLAGS)}


def presets():
    """Names of the recipes that come with the toolkit."""
    files = sorted(os.listdir(PRESETS))
    return [file[: -len(".flags")] for file in files if file.endswith(".flags")]


def help_text():
    """All flags by theme, for `--help`."""
    lines = ["Usage: python run.py --mode=train_then_eval [flags]", ""]
    lines.append("Presets: " + ", ".join(presets()))
    by_module = FLAGS.flags_by_module_dict()
    for theme in THEMES:
        lines += ["", theme.__doc__.removeprefix("Flags: ").capitalize()]
        for flag in by_module[theme.__name__]:
            default = flag.default_as_str.strip("'") if flag.default_as_str else ""
            lines.append(f"  --{flag.name}={default}")
            lines += textwrap.wrap(flag.help, 80, initial_indent=" " * 6,
                                   subsequent_indent=" " * 6)
    return "\n".join(lines)


def _defaults(argv):
    """What stands before the flags of the command line."""
    asked = absl_flags.FlagValues()  # the same flags, unchecked: half are still missing
    for name in FLAGS:
        asked[name] = copy.deepcopy(FLAGS[name])
        asked[name].validators = []
    _parse(asked, argv)
    if asked.preset:
        return _preset(asked.preset)
    if asked.mode in ("eval", "export") and asked.model_dir:
        return _remembered(asked.model_dir)
    if "train" in asked.mode and not asked["dataset"].present:
        print("No --dataset given: the bundled images with --preset=demo.", flush=True)
        return _preset("demo")
    return []


def _parse(flag_values, argv):
    flag_values.unparse_flags()
    try:
        rest = flag_values(argv)
    except absl_flags.UnrecognizedFlagError as error:
        close = difflib.get_close_matches(error.flagname, list(FLAGS), n=3)
        hint = f" Close: {', '.join('--' + name for name in close)}." if close else ""
        raise UserError(f"--{error.flagname} is no flag.{hint}") from error
    except absl_flags.Error as error:
        raise UserError(_one_line(error)) from error
    if len(rest) > 1:
        raise UserError(f"{rest[1]!r} is no flag: flags begin with --.")


def _fill(kind, **parts):
    names = {field.name for field in dataclasses.fields(kind)} - set(parts)
    return kind(**{name: FLAGS[name].value for name in names}, **parts)


def _preset(name):
    path = os.path.join(PRESETS, f"{name}.flags")
    if not os.path.exists(path):
        raise UserError(f"--preset must be one of {', '.join(presets())}, got {name}.")
    return [f"--flagfile={path}"]


def _remembered(model_dir):
    """The flags that the run in a folder was made with, as a command line."""
    path = os.path.join(model_dir, "flags.json")
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        remembered = json.load(file)
    return [
        f"--{name}={','.join(value) if isinstance(value, list) else value}"
        for name, value in remembered.items()
        if name in FLAGS and value is not None and name not in _NOT_REMEMBERED
    ]


def _one_line(error):
    """absl's message without its preamble of names and line breaks."""
    text = " ".join(str(error).split())
    return re.sub(r"^flags? .*?: (?=--)", "", text)
