"""Exports one encoder of each kind: `python export_kinds.py FOLDER`.

Of each there are then `FOLDER/<kind>/model` and `FOLDER/<kind>/expected.npz`: what
`predict` gives of `IMAGES`, what it gives where the same weights compute in float32,
the preprocessed images, and the number of weights in the SavedModel. The export does
not read back what it wrote: the tests do, in every loader.
"""

import os
import sys

import numpy as np
import tensorflow as tf
from tensorflow import keras

import simclr_tf
import tf_models
from simclr_tf.export import _format
from tests import processor

IMAGES = np.random.RandomState(0).randint(0, 256, (3, 20, 24, 3)).astype("uint8")


class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.convolution = keras.layers.Conv2D(4, 3)
        self.norm = keras.layers.BatchNormalization()

    def call(self, x, training=False):
        return self.norm(self.convolution(x), training=training)


class SubclassedWithoutTraining(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.convolution = keras.layers.Conv2D(4, 3, activation="relu")

    def call(self, pictures):
        return self.convolution(pictures)


def resnet(**kwargs):
    return tf_models.ResNet(depth=18, width_multiplier=0.0625, **kwargs)


def mobilenet():
    return keras.applications.MobileNet(
        [32, 32, 3], alpha=0.25, include_top=False, weights=None
    )


def convnext():
    from keras.src.applications import convnext

    return convnext.ConvNeXt(
        depths=[1, 1, 1, 1],
        projection_dims=[4, 4, 4, 4],
        drop_path_rate=0.1,
        include_top=False,
        weights=None,
        input_shape=[32, 32, 3],
    )


def functional():
    images = keras.Input([16, 16, 3])
    hidden = keras.layers.Conv2D(4, 3)(images)
    hidden = tf_models.BatchNormalization(synchronized=True)(hidden)
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(hidden))
    return keras.Model(images, features)


def with_lambda():
    return keras.Sequential(
        [
            keras.Input([16, 16, 3]),
            keras.layers.Lambda(lambda images: 2.0 * images - 1.0),
            keras.layers.Conv2D(4, 3),
        ]
    )


def sequential():
    return keras.Sequential(
        [keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()]
    )


KINDS = {  # kind: encoder, its policy, whether it is exported with heads
    "resnet": (lambda: resnet(stem="cifar"), "float32", True),
    "resnet_bfloat16": (lambda: resnet(sk_ratio=0.0625), "mixed_bfloat16", False),
    "mobilenet": (mobilenet, "float32", True),
    "convnext": (convnext, "float32", False),
    "functional": (functional, "float32", False),
    "sequential": (sequential, "float32", True),
    "with_lambda": (with_lambda, "float32", False),
    "subclassed": (Subclassed, "float32", True),
    "subclassed_without_training": (SubclassedWithoutTraining, "float32", False),
    "functional_float16": (functional, "mixed_float16", True),
    "mirrored": (functional, "float32", True),
}
if not processor.bfloat16_works():
    del KINDS["resnet_bfloat16"]


def make_model(kind, policy):
    size = 32 if kind in ("mobilenet", "convnext") else 16
    keras.mixed_precision.set_global_policy(policy)
    model = simclr_tf.SimCLR(
        KINDS[kind][0](),
        tf_models.ProjectionHead(num_layers=2, output_dim=8),
        augmentation=simclr_tf.augmentation.SimCLRAugmentation(size, seed=0),
        num_classes=2,
    )
    keras.mixed_precision.set_global_policy("float32")
    return model


def stir(model):
    """Moves every weight: a new ResNet's branches and batch statistics are trivial."""
    random = np.random.RandomState(0)
    for network in (model.encoder, model.projection_head, model.linear_head):
        weights = network.get_weights()
        network.set_weights([w + 0.1 * random.rand(*w.shape) for w in weights])
    return model


def train_on_two_replicas():
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        model = make_model("mirrored", "float32")
        model.compile(keras.optimizers.SGD(0.1))
    images = np.concatenate([IMAGES, IMAGES[::-1]])
    model.fit(images, np.arange(6) % 2, batch_size=6, verbose=0)
    return model


def write(kind, model, folder):
    heads = KINDS[kind][2]
    simclr_tf.export.save(
        model.encoder,
        os.path.join(folder, "model"),
        image_size=model.augmentation.image_size,
        projection_head=model.projection_head if heads else None,
        linear_head=model.linear_head if heads else None,
    )
    float32 = model
    if KINDS[kind][1] != "float32":
        float32 = make_model(kind, "float32")
        float32.set_weights(model.get_weights())
    np.savez(
        os.path.join(folder, "expected.npz"),
        predict=model.predict(IMAGES, verbose=0),
        float32=float32.predict(IMAGES, verbose=0),
        preprocessed=simclr_tf.augmentation.EvaluationCrop(
            model.augmentation.image_size
        )(IMAGES),
        num_weights=sum(
            weight.size
            for network in (model.encoder, model.projection_head, model.linear_head)
            for weight in network.get_weights()
            if heads or network is model.encoder
        ),
    )


def main(folder):
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, two)
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    _format.compare = lambda *_: None
    for kind, (_, policy, _) in KINDS.items():
        mirrored = kind == "mirrored"
        model = train_on_two_replicas() if mirrored else stir(make_model(kind, policy))
        os.makedirs(os.path.join(folder, kind))
        write(kind, model, os.path.join(folder, kind))


if __name__ == "__main__":
    main(sys.argv[1])
