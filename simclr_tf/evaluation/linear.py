"""A linear head trained on frozen features, as in the published evaluation."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

import tf_models
from simclr_tf.evaluation.accuracy import Result


def evaluate_linear(
    train, test, num_classes, steps=1000, batch_size=256, learning_rate=0.01, seed=0
):
    """Trains a linear head on features `train` with Adam; returns its logits of `test`.

    The learning rate falls to 0 along a cosine. Features are scaled by one number, the
    root mean square of `train`, so that one learning rate fits every encoder. The head
    starts at zero.

    Args:
        train: `Features` with labels, to learn from.
        test: `Features`, to be judged on.
        num_classes: Int.
        steps: Int, optimizer steps.
        batch_size: Int, rows per step.
        learning_rate: Float, rate of the first step.
        seed: Int, seed of the order of the rows.

    Returns:
        `Result`.
    """
    scale = 1.0 / max(float(np.sqrt(np.mean(np.square(train.features)))), 1e-12)
    features = tf.constant(train.features * scale)
    labels = tf.constant(train.labels)
    rows = tf.data.Dataset.range(len(train.labels))
    rows = rows.shuffle(len(train.labels), seed=seed).repeat().batch(batch_size)
    batches = rows.map(lambda row: (tf.gather(features, row), tf.gather(labels, row)))
    head = keras.Sequential([tf_models.LinearHead(num_classes, zero_init=True)])
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    head.compile(
        keras.optimizers.Adam(schedule),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    head.fit(batches.take(steps), epochs=1, shuffle=False, verbose=0)
    return Result(head.predict(test.features * scale, batch_size=1024, verbose=0))
