"""The command that repeats a run."""

from simclr_tf.printing import shell

# These say where a run goes and what it writes, not what it computes.
PLACES = ("mode", "model_dir", "seed", "report", "report_images", "runs")
# These say which images there are, and how they are read and divided.
_DATA = (
    "dataset",
    "data_dir",
    "train_split",
    "eval_split",
    "held_out_fraction",
    "held_out_seed",
    "tfrecord_image_key",
    "tfrecord_label_key",
    "tfrecord_name_key",
    "allow_outside_paths",
    "on_bad_image",
    "max_bad_fraction",
    "max_image_pixels",
)


def changed(flags, defaults):
    """The flags that were not at their defaults.

    Args:
        flags: Dict of `flags.json`.
        defaults: Dict from the names of flags that determine a run to their defaults.

    Returns:
        Dict.
    """
    return {
        name: value
        for name, value in sorted(flags.items())
        if name in defaults
        and name not in PLACES
        and value not in (None, defaults[name])
    }


def of_data(decisive):
    """What a command on the same images, or on those with labels, has to say.

    Args:
        decisive: Dict from `changed`.

    Returns:
        List of str, such as `["--dataset=photos"]`. If the run was judged on a second,
        labelled data set, it is that one.
    """
    if "probe_dataset" in decisive:
        split = decisive.get("probe_split", "train")
        labelled = {"dataset": decisive["probe_dataset"], "train_split": split}
        decisive = {**decisive, **labelled}
    return [f"--{name}={_text(decisive[name])}" for name in _DATA if name in decisive]


def command(flags, defaults, seed):
    r"""A command that repeats a run in another folder.

    Args:
        flags: Dict of `flags.json`.
        defaults: See `changed`.
        seed: Int, the seed that the run was given or drew.

    Returns:
        Str, with each flag on its own line; empty if the flags are not known.

    Example:
        >>> flags = {"mode": "train", "model_dir": "runs/a", "dataset": "my cats"}
        >>> print(command(flags, {"dataset": None}, seed=3))
        python run.py \
          --mode=train \
          '--dataset=my cats' \
          --seed=3 \
          --model_dir=runs/a-again
    """
    if "mode" not in flags:
        return ""
    decisive = changed(flags, defaults)
    words = [f"--mode={flags['mode']}"]
    words += [f"--{name}={_text(value)}" for name, value in decisive.items()]
    words += [f"--seed={seed}", f"--model_dir={flags['model_dir']}-again"]
    return shell(*words)


def _text(value):
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
