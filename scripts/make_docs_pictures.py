"""Draws the pictures in docs/ from the bundled images and a run of the demo.

    python run.py --mode=train --preset=demo --seed=1 --model_dir=runs/demo
    python -m scripts.make_docs_pictures runs/demo

Needs matplotlib beside requirements.txt.
"""

import os
import sys

import matplotlib
import numpy as np
import tensorflow as tf
from matplotlib import pyplot
from PIL import Image

import flags
import simclr_tf
from simclr_tf import augmentation, losses, optimizers
from simclr_tf.experiment import checkpoints, loading

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(ROOT, "docs", "pictures")
STYLE = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.figsize": (6, 3.2),
    "figure.autolayout": True,
    "svg.hashsalt": "simclr",  # the same figure gives the same file
}


def main(run):
    """Draws all pictures.

    Args:
        run: Str, the folder of a run of the demo.
    """
    matplotlib.rcParams.update(STYLE)
    test_images = simclr_tf.data.load("bundled", split="test").batch(256)
    images, _ = next(iter(test_images))
    draw = augmentation.SimCLRAugmentation(
        32, color_jitter_strength=0.5, blur=False, seed=3, area_range=(0.2, 1.0)
    )
    views = [draw(images, training=True) for _ in range(10)]
    views_of_images(images[:4], views)
    trained, untrained = models(run)
    pairs = tf.stack(views[:2], axis=1)  # [N, 2, S, S, 3]
    similarities_of_views(
        {"before training": untrained, "after training": trained}, pairs[:16]
    )
    weight_of_negatives(cosines(trained, pairs))
    chance_level()
    learning_rate()


def models(run):
    """The model of a run, and the same one with random weights."""
    config, _ = flags.parse(["run.py", "--mode=eval", f"--model_dir={run}"])
    prefix, flag = checkpoints.chosen(config, print)
    trained, _ = loading.load(config)
    untrained, _ = loading.build_as(config, checkpoints.describe(prefix, flag))
    return trained, untrained


def cosines(model, pairs):
    """Similarities `[2N, 2N]` of the projections of `[N, 2, S, S, 3]` views."""
    features = model.features(tf.reshape(pairs, [-1, *pairs.shape[2:]]))
    z = tf.math.l2_normalize(model.projection_head(features, training=False), axis=1)
    return tf.matmul(z, z, transpose_b=True).numpy()


def views_of_images(images, views):
    """A row for each image: the image, then its views in pairs."""

    def tile(image, gap):
        enlarged = tf.image.resize(image, [64, 64], method="nearest").numpy()
        return np.pad(enlarged, [(3, 3), (0, gap), (0, 0)], constant_values=1)

    rows = []
    for number, image in enumerate(images):
        tiles = [tile(tf.cast(image, tf.float32) / 255, 24)]
        for place, view in enumerate(views):
            tiles.append(tile(view[number], 12 if place % 2 else 2))
        rows.append(np.concatenate(tiles, axis=1))
    pixels = (255 * np.concatenate(rows).clip(0, 1)).astype("uint8")
    Image.fromarray(pixels).convert("L").save(path_of("views.png"), optimize=True)


def similarities_of_views(models_by_title, pairs):
    """The matrix of similarities by each model; the views of an image are adjacent."""
    figure, axes = pyplot.subplots(
        1, len(models_by_title), figsize=(6.4, 3), layout="constrained"
    )
    for axis, (title, model) in zip(axes, models_by_title.items(), strict=True):
        matrix = axis.imshow(cosines(model, pairs), vmin=0, vmax=1)
        axis.set_title(title)
        axis.set_axis_off()
    figure.colorbar(matrix, ax=axes, label="cosine similarity")
    save(figure, "similarities.png")


def weight_of_negatives(similarities):
    """What share of the pull of all negatives the most similar ones have."""
    others = 1 - np.kron(np.eye(len(similarities) // 2), np.ones([2, 2]))
    negatives = similarities[others.astype(bool)].reshape(len(similarities), -1)
    negatives = -np.sort(-negatives, axis=1)
    figure, axis = pyplot.subplots()
    for temperature in (0.05, 0.1, 0.2, 0.5, 1.0):
        weights = tf.nn.softmax(negatives / temperature, axis=1).numpy()
        share = np.cumsum(weights.mean(axis=0))
        axis.plot(np.arange(1, len(share) + 1), share, label=f"{temperature:g}")
    axis.set_xscale("log")
    axis.set_xlabel("most similar negatives")
    axis.set_ylabel("share of the gradient")
    axis.legend(title="temperature")
    save(figure, "temperature.svg")


def chance_level():
    """The loss of a network that guesses."""
    sizes = 2 ** np.arange(4, 14)
    figure, axis = pyplot.subplots()
    axis.plot(sizes, [float(losses.chance_loss(size)) for size in sizes], "o-")
    axis.set_xscale("log", base=2)
    axis.set_xlabel("images in a batch (N)")
    axis.set_ylabel("ln(2N - 1)")
    save(figure, "chance.svg")


def learning_rate():
    """The schedule of the demo."""
    schedule = optimizers.WarmupCosine(1.5, warmup_steps=39, total_steps=300)
    steps = np.arange(301)
    figure, axis = pyplot.subplots()
    axis.plot(steps, [float(schedule(step)) for step in steps])
    axis.set_xlabel("step")
    axis.set_ylabel("learning rate")
    save(figure, "schedule.svg")


def save(figure, name):
    """Writes a figure, without the time at which it was made."""
    figure.savefig(path_of(name), metadata={"Date": None} if "svg" in name else None)
    pyplot.close(figure)


def path_of(name):
    """Where a picture lies."""
    return os.path.join(FOLDER, name)


if __name__ == "__main__":
    main(sys.argv[1])
