"""Exports of a run: its SavedModel, and files of other formats."""

import json
import os

import numpy as np

from simclr_tf import data, export
from simclr_tf.augmentation import EvaluationCrop
from simclr_tf.experiment import checkpoints, files, reading, splits
from simclr_tf.experiment.config import AugmentationConfig, ModelConfig, TrainConfig

_REPRESENTATIVE = 100
# Parts of a run's flags that are its recipe.
_PARTS = (AugmentationConfig, ModelConfig, TrainConfig)


def require(config):
    """Refuses, before hours of training, formats that could not be written afterwards.

    Raises:
        UserError: If a package is missing.
    """
    if config.mode == "export" or "eval" in config.mode:
        export.require(config.export.export_formats)


def export_model(config, model, prefix, results=None, say=print):
    """Writes a model in every format of `--export_formats`, replacing earlier files.

    These are `saved_model/<step>/`, and files in `export/<step>/`.

    Args:
        config: `RunConfig`.
        model: `SimCLR` or `Classifier`.
        prefix: Str, its checkpoint.
        results: Dict, the result of `evaluation.evaluate`; None takes that of an
            earlier evaluation of this checkpoint.
        say: Callable that prints a line for the user.

    Raises:
        UserError: If a format cannot be written, or its features differ.
    """
    step = str(checkpoints.step_of(prefix))
    chosen = {name: export.FORMATS[name] for name in config.export.export_formats}
    images = None
    if any(kind.calibrated for kind in chosen.values()):
        images = _representative_images(config)
    card = _card(config, prefix, results)
    for name, kind in chosen.items():
        folder = os.path.join(config.model_dir, "export" if kind.suffix else name)
        path = os.path.join(folder, step)
        if kind.suffix:
            path = os.path.join(path, kind.file)
        found = export.save(
            model.encoder,
            path,
            image_size=config.data.image_size,
            projection_head=model.projection_head,
            linear_head=model.linear_head,
            ft_proj_selector=model.ft_proj_selector,
            overwrite=True,
            format=name,
            representative_images=images,
            card=card,
        )
        files.keep_newest(folder, config.keep_hub_module_max)
        if name == "saved_model":
            say(f"SavedModel: {path}")
            served = f"tf.saved_model.load({os.path.relpath(path)!r})"
            say(f"Next: encoder = {served}.signatures['serving_default']")
        else:
            say(
                f"{name}: {path} (features within {found.difference:.1g} of the "
                f"encoder's, cosine similarity {found.cosine:.4f})"
            )


def _representative_images(config):
    """Preprocessed training images, spread over the whole split."""
    source = splits.open_training(config, say=lambda line: None)
    count = min(_REPRESENTATIVE, source.num_examples)
    rows = np.linspace(0, source.num_examples - 1, count).astype(np.int64)
    source = data.Subset(source, rows)
    batches = data.eval_batches(
        source,
        count,
        EvaluationCrop(config.data.image_size),
        bad_images=reading.bad_images(config, source, say=lambda line: None),
    )
    batch = next(iter(batches))
    return np.asarray(batch[0] if isinstance(batch, tuple) else batch)


def _card(config, prefix, results):
    """The run's facts for the model card; see `export.model_card`."""
    about = checkpoints.unless_deleted(
        prefix, lambda: checkpoints.describe(prefix, "checkpoint")
    )
    about = about or {}
    flags = about.get("flags", {})
    recipe = [name for part in _PARTS for name in part.__dataclass_fields__]
    figures = results or _earlier_results(prefix)
    return {
        "data": _data(flags, about.get("num_examples")),
        "steps": checkpoints.step_of(prefix),
        "recipe": {name: flags[name] for name in recipe if flags.get(name) is not None},
        "accuracy": {
            name: value for name, value in figures.items() if "accuracy" in name
        },
        "licence": config.export.model_licence,
    }


def _data(flags, count):
    if "dataset" not in flags:
        return None
    images = f", {count:,} images" if count else ""
    return f"{flags['dataset']}, split {flags['train_split']}{images}"


def _earlier_results(prefix):
    """The results of an earlier evaluation of a checkpoint; empty if there are none."""
    name = f"result_{checkpoints.step_of(prefix)}.json"
    try:
        with open(
            os.path.join(os.path.dirname(prefix), name), encoding="utf-8"
        ) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}
