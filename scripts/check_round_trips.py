"""Sends networks of full size through every way in and out, and prints what changes.

    python -m scripts.check_round_trips [--network NAME] [--torch FOLDER]
        [--torch_python PYTHON]

Each network has random weights, then those after three steps of training. Rows are the
sources of `--mode=import` and the formats of `--export_formats`, with the largest
difference of a feature over the largest feature. `--network` takes one
alone, which needs less memory. `--torch` names a folder that
`scripts.make_torch_files` wrote; `--torch_python` an interpreter that has torch and
safetensors, to compute with the exported file. Ends with exit code 1 above 1e-4.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf

import tf_models
from simclr_tf import export, losses
from simclr_tf.weights import comparison, layout
from tests.weights import published
from tests.weights.test_published import paths_of_r18
from tests.weights.test_published_bottlenecks import (
    numbered_paths,
    paths_of_bottlenecks,
)

BOUND = 1e-4
FORMATS = ("saved_model", "onnx", "litert", "keras", "safetensors")
NETWORKS = {
    "ResNet-18 cifar": {"depth": 18, "stem": "cifar"},
    "ResNet-18": {"depth": 18},
    "ResNet-50": {"depth": 50},
    "ResNet-50 SK": {"depth": 50, "sk_ratio": 0.0625},
    "ResNet-50 x 2": {"depth": 50, "width_multiplier": 2},
}
_BARE = ("mixture", "gate/squeeze", "gate/gate")  # no batch norm follows


def randomize(encoder):
    """Moves every batch norm; the last scale of a block would be zero."""
    random = np.random.RandomState(0)
    for name, variable in layout.variables(encoder).items():
        if name.endswith(("gamma", "variance")):
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
        elif name.endswith(("beta", "mean")):
            variable.assign(random.normal(size=variable.shape) / 10)


def train(encoder, size):
    """Three steps of SimCLR on noise, without a head."""
    random = np.random.RandomState(1)
    optimizer = tf.keras.optimizers.SGD(0.1)
    for _ in range(3):
        images = random.uniform(size=[2, 4, size, size, 3]).astype(np.float32)
        with tf.GradientTape() as tape:
            views = [encoder(view, training=True) for view in images]
            loss = tf.reduce_mean(losses.nt_xent(*views))
        gradients = tape.gradient(loss, encoder.trainable_variables)
        pairs = zip(gradients, encoder.trainable_variables, strict=True)
        optimizer.apply_gradients(pairs)


def values_at(encoder, paths):
    """The weights under names `(kernel, norm)` of others, in the order of making."""
    places = {}
    for name, variable in layout.variables(encoder).items():
        place, kind = name.rsplit("/", 1)
        places.setdefault(place, {})[kind] = variable.numpy()
    values = {"global_step": np.int64(3)}
    for (kernel, norm), parts in zip(paths, places.values(), strict=True):
        for kind, array in parts.items():
            owner = norm if kind in published.NORM else os.path.dirname(kernel)
            values[f"{owner}/{kind}"] = array
    return values


def tf1_paths(encoder):
    """Names of variables in a checkpoint of TensorFlow 1."""
    places = dict.fromkeys(n.rsplit("/", 1)[0] for n in layout.variables(encoder))
    behind = ["nothing" if place.endswith(_BARE) else "norm" for place in places]
    return numbered_paths([(None, what) for what in behind])


def tf2_paths(encoder):
    """Paths of objects in a checkpoint of TensorFlow 2."""
    if encoder.depth == 18:
        return paths_of_r18()
    counts = [len(group) for group in encoder._groups()]
    return paths_of_bottlenecks(counts, encoder.sk_ratio > 0, encoder.se_ratio > 0)


def in_torch(python, file, images):
    """What PyTorch computes with an exported file."""
    program = os.path.join(os.path.dirname(comparison.__file__), "torch_features.py")
    with tempfile.TemporaryDirectory() as folder:
        np.save(os.path.join(folder, "images.npy"), images.transpose(0, 3, 1, 2))
        subprocess.run([python, program, folder, file], check=True)
        return np.load(os.path.join(folder, "features.npy"), allow_pickle=False)


def difference(found, expected):
    """The largest, over the largest that is expected."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    return np.abs(found - expected).max() / np.abs(expected).max()


def ways(encoder, size, torch_python):
    """`(way, difference)` of every source and format."""
    images = np.random.RandomState(2).uniform(size=[3, size, size, 3])
    images = images.astype(np.float32)
    expected = encoder(images, training=False)

    def imported(path):
        return difference(export.import_checkpoint(path).encoder(images), expected)

    with tempfile.TemporaryDirectory() as folder:
        prefix = os.path.join(folder, "tf1")
        published.write_tf1(prefix, values_at(encoder, tf1_paths(encoder)))
        yield "from TensorFlow 1", imported(prefix)
        published.write_tf2(
            values_at(encoder, tf2_paths(encoder)), pathlib.Path(folder)
        )
        yield "from TensorFlow 2", imported(os.path.join(folder, "ckpt-7"))
        for name in FORMATS:
            path = os.path.join(folder, f"encoder{export.FORMATS[name].suffix}")
            yield f"to {name}", export.save(encoder, path, size, format=name).difference
        yield "to and from safetensors", imported(path)
        if torch_python:
            found = in_torch(torch_python, path, images)
            yield "to safetensors, in PyTorch", difference(found, expected)


def torch_files(folder):
    """`(file, way, difference)` of what `make_torch_files` wrote."""
    for path in sorted(pathlib.Path(folder).glob("*.ckpt")):
        stem = "cifar_padded" if "padded" in path.stem else "auto"
        imported = export.import_checkpoint(str(path), stem=stem)
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
            found = imported.encoder(arrays["images"], training=False)
            expected, projections = arrays["features"], arrays["projections"]
        yield path.stem, "from PyTorch", difference(found, expected)
        if imported.projection_head.mode != "none":
            found = imported.projection_head(expected, training=False)
            yield path.stem, "its projections", difference(found, projections)


def rows(arguments):
    """All `(network and weights, way, difference)`."""
    if arguments.torch:
        yield from torch_files(arguments.torch)
    for name in [arguments.network] if arguments.network else NETWORKS:
        options = NETWORKS[name]
        size = 32 if "stem" in options else 64
        for weights in ("random", "trained"):
            encoder = tf_models.ResNet(**options)
            if weights == "random":
                randomize(encoder)
            else:
                train(encoder, size)
            for way, found in ways(encoder, size, arguments.torch_python):
                yield f"{name}, {weights}", way, found


def main():
    """Prints the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=NETWORKS)
    parser.add_argument("--torch")
    parser.add_argument("--torch_python")
    print("| network | way | largest difference |\n|---|---|---|")
    largest = 0.0
    for name, way, found in rows(parser.parse_args()):
        print(f"| {name} | {way} | {found:.1e} |", flush=True)
        largest = max(largest, found)
    print(f"The largest of all is {largest:.1e}; allowed is {BOUND:g}.")
    return 0 if largest <= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
