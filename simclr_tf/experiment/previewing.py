"""Shows the images and views of a training: `--mode=preview`."""

import os
import random

from simclr_tf import augmentation
from simclr_tf.data import preview
from simclr_tf.errors import UserError
from simclr_tf.experiment import labels, views


def show(config, say=print):
    """Writes a contact sheet of random training images and of views of them.

    Args:
        config: `RunConfig`. The folder is `preview` in `model_dir` or, without that,
            here.
        say: Callable that prints a line for the user.

    Returns:
        List of the paths of the PNG and of the HTML page.

    Raises:
        UserError: For anything that the user can correct.
    """
    source = labels.open_training_split(config, say)
    for line in source.summary():
        say(line)
    seed = config.train.seed
    seed = random.randrange(2**31) if seed is None else seed
    layers = views.build_views(config, seed)
    rows = preview.draw_rows(
        source, layers, config.preview_images, config.preview_pairs, seed
    )
    folder = os.path.join(config.model_dir or "", "preview")
    try:
        paths = preview.write(rows, _header(config, source, layers, seed), folder)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written: {error.strerror}. Give a folder that you may "
            "write to with --model_dir."
        ) from error
    for path in paths:
        say(f"Preview: {path}")
    return paths


def _header(config, source, layers, seed):
    classes = f"{source.num_classes} classes" if source.num_classes else "no labels"
    noun = "image" if source.num_examples == 1 else "images"
    lines = [
        f"{source.name}",
        f"{source.num_examples:,} {noun}, {classes}. --train_mode="
        f"{config.train.train_mode} at {config.data.image_size} px, --seed={seed}.",
    ]
    full, small = layers[:2], layers[2:]
    places = ("First view", "Second view") if len(set(full)) > 1 else ("Views",)
    lines += [
        f"{place}: {augmentation.describe(layer)}."
        for place, layer in zip(places, full, strict=False)
    ]
    if small:
        said = augmentation.describe(small[0])
        lines.append(f"{len(small)} small views: {said}.")
    return lines
