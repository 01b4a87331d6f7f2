"""A linear classifier on frozen features."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

import tf_models
from simclr_tf.evaluation.accuracy import top_k_accuracies


def evaluate_linear(
    train, test, num_classes, steps=1000, batch_size=256, learning_rate=0.01, seed=0
):
    """Trains a linear head on fixed features with Adam; its accuracy on others.

    The learning rate falls to 0 along a cosine. Features are scaled by one number, the
    root mean square of `train`, so that one learning rate fits every encoder.

    Args:
        train: `Features` with labels, to learn from.
        test: `Features` with labels, to be judged on.
        num_classes: Int.
        steps: Int, optimizer steps.
        batch_size: Int, rows a step.
        learning_rate: Float, of the first step.
        seed: Int, of the order of the rows and the first weights.

    Returns:
        Dict `label_top_1_accuracy`, `label_top_5_accuracy` -> float in [0, 1].
    """
    scale = 1.0 / max(float(np.sqrt(np.mean(np.square(train.features)))), 1e-12)
    rows = tf.data.Dataset.from_tensor_slices((train.features * scale, train.labels))
    rows = rows.shuffle(len(train.labels), seed=seed).repeat().batch(batch_size)
    head = keras.Sequential([tf_models.LinearHead(num_classes)])
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    head.compile(
        keras.optimizers.Adam(schedule),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    head.fit(rows.take(steps), epochs=1, shuffle=False, verbose=0)
    logits = head.predict(test.features * scale, batch_size=1024, verbose=0)
    return top_k_accuracies(test.labels, logits)
