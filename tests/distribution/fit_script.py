"""Run as a program: a few steps of `fit` under a strategy; prints what came out.

    fit_script.py KIND REPLICAS RULE DATA OUT

KIND is none, mirrored or multi_worker (with TF_CONFIG); RULE lars or sgd; DATA views
(drawn beforehand), images (drawn by the model) or pipeline (drawn by ours).
"""

import os
import sys

import numpy as np
import tensorflow as tf
from tensorflow import keras

import tf_models
from simclr_tf import SimCLR, augmentation, data, distribution, optimizers
from simclr_tf.losses import NTXent

STEPS, BATCH, LAST = int(os.environ.get("STEPS", 5)), 12, 7


def make_model(rule, with_augmentation, **options):
    """A small compiled SimCLR."""
    keras.utils.set_random_seed(3)
    encoder = tf_models.ResNet(depth=18, width_multiplier=0.125, stem="cifar")
    view = augmentation.SimCLRAugmentation(16, seed=5) if with_augmentation else None
    head = tf_models.ProjectionHead(num_layers=2, output_dim=8)
    model = SimCLR(encoder, head, view, num_classes=3, weight_decay=1e-3, **options)
    rules = {
        "lars": optimizers.LARS(0.02, weight_decay=1e-3),
        "sgd": keras.optimizers.SGD(0.005, momentum=0.9),
    }
    model.compile(rules[rule], NTXent(0.5))
    return model


def batches(strategy, kind):
    """Five batches of 12; of images and views the last has 7."""
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
    view = augmentation.SimCLRAugmentation(16, seed=5)
    return distribution.distribute(
        strategy,
        lambda share: data.train_batches(source, BATCH, STEPS, view=view, share=share),
    )


class Losses(keras.callbacks.Callback):
    """The running mean of the loss after every step, over all replicas."""

    def on_train_begin(self, logs=None):
        self.values = []

    def on_train_batch_end(self, batch, logs=None):
        self.values.append(float(self.model.get_metrics_result()["loss"]))


def main(kind, replicas, rule, data_kind, out):
    """Trains and writes `losses` and every variable to an .npz file."""
    strategy = distribution.make_strategy(
        kind, num_cpu_replicas=int(replicas) if kind == "mirrored" else 0
    )
    with strategy.scope():
        model = make_model(rule, with_augmentation=data_kind == "images")
    losses = Losses()
    model.fit(
        batches(strategy, data_kind),
        steps_per_epoch=STEPS,
        verbose=0,
        callbacks=[losses],
    )
    evaluated = {}
    if data_kind != "pipeline":
        evaluated = model.evaluate(
            batches(strategy, data_kind), return_dict=True, verbose=0
        )
    networks = (model.encoder, model.projection_head, model.linear_head)
    variables = [v for network in networks for v in network.weights]
    np.savez(
        out,
        losses=losses.values,
        evaluated=[evaluated[name] for name in sorted(evaluated)],
        **{f"{i:03d}": np.array(v.numpy()) for i, v in enumerate(variables)},
    )
    print(losses.values, evaluated)


if __name__ == "__main__":
    main(*sys.argv[1:])
