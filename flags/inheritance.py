"""What a command takes from the run that it starts from.

A run tells of itself twice: `flags.json` in its folder, and every checkpoint. The
functions here give what it tells as a command line, to be read before the user's own.
"""

import json
import os

from simclr_tf import _startup
from simclr_tf.errors import UserError
from simclr_tf.experiment import differences
from simclr_tf.experiment.config import ENCODER_FIELDS, HEAD_FIELDS, RESNET_FIELDS

# What belongs to one command, not to the run that flags.json describes.
_NOT_REMEMBERED = (
    "mode",
    "source",
    "model_dir",
    "checkpoint",
    "preset",
    "resume_with_other_flags",
    "eval_timeout",
    "compare",
    "embed_formats",
    "export_formats",
    "preview_images",
    "preview_pairs",
    "report",
    "report_images",
    "runs",
    "distribution",
    "num_cpu_replicas",
    "use_tpu",
    "tpu_name",
    "tpu_zone",
    "gcp_project",
    "master",
)


def of_judged(flags):
    """All flags of the run that is to be judged, embedded or exported.

    Args:
        flags: `FlagValues`, as the command line and its preset have them.

    Returns:
        `(arguments, path)`: a list of str, and the file that they are of: `flags.json`
        beside the checkpoints, else the checkpoint itself. Empty where there is none.

    Raises:
        UserError: If what is there cannot be read.
    """
    flag = "checkpoint" if flags.checkpoint else "model_dir"
    place = flags[flag].value
    if place is None:
        return [], None
    path = os.path.join(_folder(place), "flags.json")
    if not os.path.exists(path):
        prefix, about = _description(place, flag)
        return _arguments(about.get("flags", {}) | _networks(about), flags), prefix
    try:
        with open(path, encoding="utf-8") as file:
            return _arguments(json.load(file), flags), path
    except (AttributeError, OSError, ValueError) as error:
        raise UserError(f"{path} must be as a run wrote it: {error}") from error


def of_start(flags, given, say):
    """The networks and the image size of the checkpoint that a training starts from.

    That is the newest one in `--model_dir`, else `--checkpoint`. A student that starts
    from neither has the image size of its teacher.

    Args:
        flags: `FlagValues`, as the command line and its preset have them.
        given: Set of the flags on the command line.
        say: Callable that prints a line for the user.

    Returns:
        List of str, arguments. They win over a preset, but not over the command line.

    Raises:
        UserError: If the command line asks for other networks, or the checkpoint cannot
            be read.
    """
    place, found = None, {}
    for flag in ("model_dir", "checkpoint", "teacher"):
        if not found and (flag != "teacher" or flags.train_mode == "distill"):
            place, about = _description(flags[flag].value, flag)
            found = _found(about, flag, flags.checkpoint_scope)
    here = {name: flags[name].value for name in found if found[name] is not None}
    other = {name: found[name] for name in here if found[name] != here[name]}
    refused = [name for name in other if name in given and name != "image_size"]
    if refused:
        rows = {name: (found[name], here[name]) for name in refused}
        raise UserError(
            f"{place} holds other networks than the flags ask for.\n"
            + differences.table(rows)
            + "\nLeave out these flags, which the checkpoint knows, or give another."
        )
    size = other.get("image_size") if "image_size" in given else None
    if size:
        say(f"--image_size={flags.image_size} instead of the {size} of {place}.")
        del other["image_size"]
    # A stem that goes by the image size is news where that is another.
    news = {name for name in other if here[name] != "auto" or size and name == "stem"}
    told = {name: other[name] for name in news}
    if told:
        listed = ", ".join(f"{name}={value}" for name, value in sorted(told.items()))
        say(f"As in {place}: {listed}.")
    return _arguments(other, flags)


def _found(about, flag, scope):
    """What a checkpoint decides of a training, by the flag that names it."""
    if flag == "teacher":
        return {name: about[name] for name in ("image_size",) if name in about}
    return _networks(about, head=flag == "model_dir" or scope == "model")


def _networks(about, head=True):
    """The flags of the networks and the image size in a checkpoint's description."""
    names = [*ENCODER_FIELDS, "image_size"]
    names += RESNET_FIELDS if about.get("encoder") == "resnet" else ()
    names += HEAD_FIELDS if head else ()
    return {name: about[name] for name in names if name in about}


def _description(place, flag):
    """The prefix and the description of a checkpoint; `(None, {})` where none is.

    Whether one must be there is decided by who fills the networks from it.
    """
    is_folder = place is not None and os.path.isdir(place)
    is_there = place is not None and os.path.exists(f"{place}.index")
    if is_folder:
        is_there = any(name.endswith(".index") for name in os.listdir(place))
    if not is_there:
        return None, {}
    _startup.import_tensorflow()  # not earlier: it takes seconds
    from simclr_tf.experiment import checkpoints

    prefix = checkpoints.find(place, flag, say=lambda line: None)  # said later
    return prefix, checkpoints.describe(prefix, flag)


def _folder(place):
    return place if os.path.isdir(place) else os.path.dirname(place)


def _arguments(values, flags):
    return [
        f"--{name}={as_text(value)}"
        for name, value in values.items()
        if name in flags and value is not None and name not in _NOT_REMEMBERED
    ]


def as_text(value):
    """A flag's value as the command line has it."""
    if value is None:
        return ""
    return ",".join(value) if isinstance(value, list | tuple) else str(value)
