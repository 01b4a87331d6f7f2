"""Linear evaluation on features that are computed once."""

import tensorflow as tf

from simclr_tf import data, distribution, evaluation
from simclr_tf.augmentation import EvaluationCrop
from simclr_tf.experiment import reading
from simclr_tf.training import _common

_MOST_BYTES = 2**32  # of features that are kept; of more, each step computes its own


def applies(config, source, model):
    """Whether a run trains a linear head on features that never change.

    This holds if the whole encoder is frozen and views are not random.

    Args:
        config: `RunConfig`.
        source: `Source` of the images.
        model: `Classifier`.
    """
    return (
        config.train.train_mode == "finetune"
        and config.train.fine_tune_after_block == 4
        and config.augmentation.augmentation == "none"
        and 4 * source.num_examples * _common.feature_dim(model.encoder) <= _MOST_BYTES
    )


def compute(config, source, model, strategy, bad):
    """The features of every image, as a source that replaces the images.

    Args:
        config: `RunConfig`.
        source: `Source` with labels.
        model: `Classifier`, made under the strategy.
        strategy: `tf.distribute.Strategy`.
        bad: `BadImages` of the source.

    Returns:
        `FeatureSource`, in the order of `source`.
    """
    batch_size = config.eval.eval_batch_size
    preprocess = EvaluationCrop(config.data.image_size)
    batches = distribution.distribute(
        strategy,
        lambda share: data.eval_batches(
            source, batch_size, preprocess, share=share, bad_images=bad
        ),
    )
    features = evaluation.extract_features(
        model.encoder, batches, num_examples=source.num_examples
    )
    shown = data.stand_ins(reading.bad_of_all(strategy, bad), source.num_examples)
    features = evaluation.Features(features.features[shown], features.labels[shown])
    cached = config.data.cache_dataset and source.image_shape is not None
    return FeatureSource(features, source, source.random_access or cached)


def as_they_are(features, training, seed):
    """The identity, as the view of features."""
    return features


class FeatureSource(data.Source):
    """Features `[N, C]` in memory, used instead of images.

    Args:
        features: `Features` with labels.
        source: `Source` of their images.
        random_access: Bool, whether they may be read by number.
    """

    def __init__(self, features, source, random_access):
        super().__init__(
            source.name,
            source.num_examples,
            source.class_names,
            features.features.shape[1:],
            features.labels,
        )
        self.random_access = random_access
        with tf.device("CPU"):
            self._features = tf.constant(features.features)
            self._labels = tf.constant(features.labels, tf.int64)

    def read(self, index):
        return tf.gather(self._features, index), tf.gather(self._labels, index)
