"""Run as a program: a few steps of `fit` under a strategy; writes what came out.

    fit_script.py KIND REPLICAS OUT RULE:DATA ...

KIND is none, mirrored or multi_worker (with TF_CONFIG). RULE is lars or sgd. DATA is
views (drawn beforehand), images (drawn by the model, by every kind of layer), pipeline
(drawn by ours) or pieces (as pipeline, one image at a time through the networks, batch
norm in inference); of views and images the last batch is smaller. To the images and the
pieces belong small views, and a temperature that is learned.
`OUT/RULE-DATA[-worker].npz` gets the losses, what `evaluate` gives, and how far every
variable has moved.

The networks are smooth, see `tests/networks.py`. Graphs are not rewritten: that takes
longer than three steps, and is left to the command, in `run_script.py`.
"""

import glob
import os
import sys
import time

import numpy as np
import tensorflow as tf
from tensorflow import keras

import tf_models
from simclr_tf import SimCLR, augmentation, data, distribution, optimizers
from simclr_tf.losses import NTXent
from simclr_tf.training import LearnedTemperature
from tests import networks
from tf_models import convolution
from tf_models.blocks import ResidualBlock

STEPS, BATCH, LAST = 3, 12, 7


def make_encoder():
    """Residual block and mean, as in ResNet, in a model of the user's own."""
    norm = {"momentum": 0.5, "epsilon": 1e-5, "synchronized": True}
    return keras.Sequential(
        [
            keras.Input([None, None, 3]),
            ResidualBlock(16, 2, False, True, norm=norm),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )


def make_model(rule, kind):
    """A small compiled SimCLR."""
    keras.utils.set_random_seed(3)
    view = policies(kind) if kind == "images" else None
    head = tf_models.ProjectionHead(num_layers=2, output_dim=8, batch_norm_decay=0.5)
    micro_batch_size = 1 if kind == "pieces" else None
    model = SimCLR(
        make_encoder(),
        head,
        view,
        3,
        micro_batch_size,
        weight_decay=1e-3,
        temperature=LearnedTemperature(0.5) if kind in ("images", "pieces") else None,
    )
    for layer in model._flatten_layers() if kind == "pieces" else ():
        if isinstance(layer, tf_models.BatchNormalization):
            layer.trainable = False
    rules = {
        "lars": optimizers.LARS(0.02, weight_decay=1e-3),
        "sgd": keras.optimizers.SGD(0.002, momentum=0.5),
    }
    model.compile(rules[rule], NTXent(0.5))
    return model


def policies(kind):
    """What draws each view."""
    steps = augmentation.SimCLRAugmentation(16, seed=5).steps
    plain = augmentation.Policy(steps, seed=5)
    if kind == "pipeline":
        return (plain, plain)
    small = augmentation.small_view(plain, 12, seed=6)
    if kind == "pieces":
        return (plain, plain, small, small)
    rest = [
        augmentation.RandomCutout(seed=0),
        augmentation.RandomRotation90(seed=0),
        augmentation.RandomGaussianNoise(seed=0),
        augmentation.RandomSobel(0.2, seed=0),
        augmentation.RandomSolarize(seed=0),
        augmentation.RandomEqualize(seed=0),
    ]
    cropped = augmentation.small_view(
        augmentation.Policy(steps[:1], seed=5), 12, seed=6
    )
    return (augmentation.Policy([*steps, *rest], seed=5), plain, cropped, cropped)


def batches(strategy, kind):
    """Three global batches of 12; of images and views the last has 7."""
    random = np.random.RandomState(0)
    count = BATCH * (STEPS - 1) + LAST
    images = random.randint(0, 256, [count, 20, 18, 3]).astype("uint8")
    labels = np.arange(count) % 3
    if kind == "images":
        return tf.data.Dataset.from_tensor_slices((images, labels)).batch(BATCH)
    if kind == "views":
        views = tuple(random.rand(2, count, 16, 16, 3).astype("float32"))
        return tf.data.Dataset.from_tensor_slices((views, labels)).batch(BATCH)
    source = data.ArraySource(images, labels)
    layers = policies(kind)
    options = {"view": layers, "num_views": len(layers)}
    return distribution.distribute(
        strategy,
        lambda share: data.train_batches(source, BATCH, STEPS, share=share, **options),
        endless=True,
    )


class Losses(keras.callbacks.Callback):
    """The running mean of the loss after every step, over all replicas."""

    def on_train_begin(self, logs=None):
        self.values = []

    def on_train_batch_end(self, batch, logs=None):
        self.values.append(float(self.model.get_metrics_result()["loss"]))


def train(strategy, rule, kind):
    """What one training gives, as a dict of arrays."""
    with strategy.scope():
        model = make_model(rule, kind)
    start = variables(model)
    losses = Losses()
    history = model.fit(
        batches(strategy, kind),
        steps_per_epoch=STEPS,
        shuffle=False,
        verbose=0,
        callbacks=[losses],
    ).history
    results = {"losses": losses.values, "history": history["loss"]}
    results["gradient_norm"] = history["gradient_norm"]
    if kind == "views":
        figures = model.evaluate(batches(strategy, kind), return_dict=True, verbose=0)
        results |= {f"evaluate_{name}": value for name, value in figures.items()}
    moved = zip(start, variables(model), strict=True)
    return results | {
        f"moved_{number:03d}": after - before
        for number, (before, after) in enumerate(moved)
    }


def variables(model):
    """Every variable and moving statistic of the networks, as NumPy."""
    networks = [model.encoder, model.projection_head, model.linear_head]
    networks += [model.temperature] if model.temperature else []
    weights = [weight for network in networks for weight in network.weights]
    return [np.array(tf.convert_to_tensor(weight)) for weight in weights]


def main(kind, replicas, out, *cases):
    """Runs each case and writes its file."""
    networks.remove_kinks()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    if (kind, replicas) == ("mirrored", "2"):  # its convolutions are others, besides
        convolution.is_faster = lambda images: None not in images.shape[1:3]
    strategy = distribution.make_strategy(
        kind, num_cpu_replicas=int(replicas) if kind == "mirrored" else 0
    )
    worker = ""
    if kind == "multi_worker":
        worker = f"-{strategy.cluster_resolver.task_id}"
    for case in cases:
        rule, data_kind = case.split(":")
        results = train(strategy, rule, data_kind)
        np.savez(os.path.join(out, f"{rule}-{data_kind}{worker}.npz"), **results)
    if worker:  # the others may still read this one's share of the last figures
        open(os.path.join(out, f"done{worker}"), "w").close()
        for _ in range(600):
            if len(glob.glob(os.path.join(out, "done-*"))) == int(replicas):
                break
            time.sleep(0.1)


if __name__ == "__main__":
    main(*sys.argv[1:])
