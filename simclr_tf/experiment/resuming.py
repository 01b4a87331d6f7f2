"""Which flags may change when a run is resumed."""

import dataclasses

from simclr_tf.errors import UserError
from simclr_tf.experiment import differences

# Parts of `RunConfig` that decide what a run computes, apart from these fields.
_PARTS = ("data", "augmentation", "model", "train")
_HARMLESS = {
    "data_dir",
    "eval_split",
    "allow_outside_paths",
    "cache_dataset",
    "on_bad_image",
    "max_bad_fraction",
    "max_image_pixels",
    "prepare_size",
    "jit_compile",
    "on_nonfinite",
}
# Not compared: what belongs to one command, and what is compared by its outcome.
_UNCOMPARED = {
    "mode",
    "model_dir",
    "checkpoint",
    "checkpoint_scope",
    "resume_with_other_flags",
    "from_scratch",
    "preview_images",
    "preview_pairs",
    "report",
    "report_images",
    "runs",
    "embed_formats",
    "export_formats",
    "eval_timeout",
    "compare",
    "stem",
    "input_normalization",
    "source",
    "seed",
    "train_epochs",
    "train_steps",
}
# What `checkpoints.description` says that flags decide together with the data.
_OUTCOMES = ("num_classes", "train_steps", "num_examples", "num_probe_examples")
# Of these, other variables come; no flag makes them fit.
_VARIABLES = {
    "train_mode",
    "num_classes",
    "optimizer",
    "lineareval_while_pretraining",
    "fine_tune_after_block",
    "ft_proj_selector",
    "memory_size",
    "learn_temperature",
}
# What the checkpoints of versions without these flags are of.
_EARLIER = {"memory_size": 0, "learn_temperature": False}


def require_same_run(config, prefix, found, about, say):
    """Refuses to resume a run with flags that would change it.

    Args:
        config: `RunConfig`.
        prefix: Str, the checkpoint to resume from.
        found: Dict, its `description`.
        about: Dict, the `description` of this run.
        say: Callable that prints a line for the user, about other differences.

    Raises:
        UserError: With a table of the differences.
    """
    then, now = _EARLIER | found.get("flags", {}), config.flags()
    changed = {
        name: (then[name], now[name])
        for name in then
        if name in now and name not in _UNCOMPARED and then[name] != now[name]
    }
    for name in _OUTCOMES:
        # Checkpoints of earlier versions do not say all.
        if found.get(name, about[name]) != about[name]:
            changed[name] = (found[name], about[name])
    if config.train.seed not in (None, found["seed"]):
        changed["seed"] = (found["seed"], config.train.seed)
    decisive = set(_OUTCOMES)
    for part in _PARTS:
        fields = dataclasses.fields(getattr(config, part))
        decisive |= {field.name for field in fields} - _HARMLESS
    refused = {name: changed[name] for name in changed if name in decisive}
    unfit = refused.keys() & _VARIABLES
    if unfit or (refused and not config.resume_with_other_flags):
        cure = (
            "Give the flags that it was made with, or another folder; "
            f"--checkpoint={config.model_dir} starts a new run from its weights."
        )
        if not unfit:
            cure += " --resume_with_other_flags goes on all the same."
        raise UserError(
            f"--model_dir={config.model_dir}: {prefix} is of a run with other flags.\n"
            f"{differences.table(refused)}\n{cure}"
        )
    if changed:
        listed = [
            f"{name}={now} (it was {was})" for name, (was, now) in changed.items()
        ]
        say(f"Resumed with other flags: {', '.join(listed)}.")
