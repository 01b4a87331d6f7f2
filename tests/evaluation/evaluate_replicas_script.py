"""Run as a program: evaluators under two replicas say what they say on one device."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

import simclr_tf
import tf_models
from simclr_tf import augmentation, distribution, evaluation
from tests import networks


def judged(strategy):
    """Features of 21 images in batches of 6, and the logs of an epoch of `fit`."""
    random = np.random.RandomState(0)
    images = random.randint(0, 256, [21, 8, 8, 3]).astype("uint8")
    pairs = tf.data.Dataset.from_tensor_slices((images, np.arange(21) % 3)).batch(6)
    with strategy.scope():
        keras.utils.set_random_seed(3)
        model = simclr_tf.SimCLR(
            tf_models.ResNet(depth=18, width_multiplier=0.125, stem="cifar"),
            tf_models.ProjectionHead(num_layers=2, output_dim=8),
            augmentation.SimCLRAugmentation(8, seed=5),
        )
        model.compile(keras.optimizers.SGD(0.0))
    features = evaluation.extract_features(
        model.encoder, pairs.map(lambda x, y: (tf.cast(x, tf.float32) / 255, y))
    )
    probe = evaluation.EvaluateFeatures(pairs, pairs, 3, ("head", "knn", "logistic"))
    history = model.fit(images[:12], batch_size=12, verbose=0, callbacks=[probe])
    return features, {
        name: values[0] for name, values in history.history.items() if "val_" in name
    }


if __name__ == "__main__":
    networks.make_shallow()
    two = judged(distribution.make_strategy("mirrored", num_cpu_replicas=2))
    one = judged(tf.distribute.get_strategy())
    np.testing.assert_allclose(one[0].features, two[0].features, atol=1e-5)
    np.testing.assert_array_equal(one[0].labels, two[0].labels)
    assert len(one[1]) == 16 and one[1].keys() == two[1].keys()
    for name, value in one[1].items():
        np.testing.assert_allclose(value, two[1][name], atol=0.1, err_msg=name)
    print("equal")
