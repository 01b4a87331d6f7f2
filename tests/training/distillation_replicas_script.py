"""Run as a program: a few steps of distillation and of a linear evaluation.

    distillation_replicas_script.py none|mirrored

Prints a dict of figures that are the same for any number of replicas. The networks are
shallow and smooth, see `tests/networks.py`.
"""

import sys

import numpy as np
from tensorflow import keras

import simclr_tf
import tf_models
from simclr_tf import augmentation, data, distribution
from tests import networks

BATCH, STEPS = 8, 3
# Of the first batch replicas have 1 and 3 labelled images, of the last none.
SOME_LABELS = np.full(24, -1)
SOME_LABELS[[0, 5, 6, 7, 9, 15]] = [0, 1, 2, 0, 1, 2]


def encoder(**kwargs):
    """A very small one."""
    return tf_models.ResNet(depth=18, width_multiplier=0.0625, stem="cifar", **kwargs)


def batches(strategy, labels):
    """Three batches of 8."""
    images = np.random.RandomState(0).randint(0, 256, [24, 8, 8, 3]).astype("uint8")
    source = data.ArraySource(images, labels, ["a", "b", "c"])
    crop = augmentation.EvaluationCrop(8)
    return distribution.distribute(
        strategy, lambda share: data.eval_batches(source, BATCH, crop, share=share)
    )


def values(layer):
    """Its variables as NumPy."""
    return [np.array(variable.numpy()) for variable in layer.weights]


def distill(strategy):
    """Means over an epoch, and what the student has learned."""
    keras.utils.set_random_seed(1)
    with strategy.scope():
        teacher = simclr_tf.Classifier(encoder(), 3)
        student = simclr_tf.Distillation(
            encoder(), 3, teacher, label_weight=0.5, weight_decay=1e-3
        )
        student.compile(keras.optimizers.SGD(0.01))
    before = values(teacher)
    student.fit(
        batches(strategy, SOME_LABELS), steps_per_epoch=STEPS, shuffle=False, verbose=0
    )
    assert all(map(np.array_equal, before, values(teacher)))
    figures = {name: float(v) for name, v in student.get_metrics_result().items()}
    figures["head"] = values(student.linear_head)[0].tolist()
    sizes = [float(np.sum(np.abs(value))) for value in values(student.encoder)]
    return figures | {"encoder": sizes}


def require_frozen(strategy, global_bn):
    """A linear evaluation must not change the encoder by one bit.

    Returns the norm of its last gradient.
    """
    keras.utils.set_random_seed(1)
    with strategy.scope():
        network = encoder(global_bn=global_bn)
        model = simclr_tf.Classifier(network, 3, fine_tune_after_block=4)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.1), loss)
    before, head = values(network), values(model.linear_head)
    labelled = batches(strategy, np.arange(24) % 3)
    model.fit(labelled, steps_per_epoch=STEPS, shuffle=False, verbose=0)
    assert all(map(np.array_equal, before, values(network)))
    assert not any(map(np.array_equal, head, values(model.linear_head)))
    return float(model.gradient_norms.total()[0])


if __name__ == "__main__":
    kind = sys.argv[1]
    networks.make_shallow()
    networks.remove_kinks()
    chosen = distribution.make_strategy(kind, 2 if kind == "mirrored" else 0)
    norms = [require_frozen(chosen, synchronized) for synchronized in (True, False)]
    print(distill(chosen) | {"linear_norms": norms})
