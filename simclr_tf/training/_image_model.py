"""`fit`, `evaluate` and `predict` for images in every form."""

import warnings

import tensorflow as tf

from simclr_tf import keras_compat
from simclr_tf.errors import UserError
from simclr_tf.training import _batching, _checks


class ImageModel(keras_compat.DistributedModel):
    """A model of images, with or without labels, that refuses bad data clearly.

    It has an `augmentation` (None if the data contains views) and `num_classes`.
    """

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        *,
        validation_data=None,
        validation_split=0.0,
        **kwargs,
    ):
        """`keras.Model.fit`; also batches data sets of single images.

        Raises:
            UserError: If there are weights of classes or images, if the model cannot
                use the images or labels, or if a batch has one image.
        """
        _require_no_weights(**kwargs)
        self._require_trainable(x, y, batch_size or 32, validation_split)
        x, rest = self._in_batches(x, batch_size, training=True)
        if isinstance(validation_data, (tuple, list)) and len(validation_data) > 2:
            raise _no_weights("`validation_data`", "sample weights")
        validation_data, _ = self._in_batches(validation_data, batch_size)
        with _checks.in_words():
            return super().fit(
                x,
                y,
                batch_size=rest,
                epochs=epochs,
                validation_data=validation_data,
                validation_split=validation_split,
                **kwargs,
            )

    def evaluate(self, x=None, y=None, batch_size=None, **kwargs):
        """`keras.Model.evaluate`; also batches data sets of single images."""
        _require_no_weights(**kwargs)
        x, rest = self._in_batches(x, batch_size)
        with _checks.in_words():
            return super().evaluate(x, y, batch_size=rest, **kwargs)

    def predict(self, x, batch_size=None, **kwargs):
        """Features `[N, C]`; also batches data sets of single images."""
        x, rest = self._in_batches(x, batch_size)
        with _checks.in_words():
            return super().predict(x, batch_size=rest, **kwargs)

    def _in_batches(self, x, batch_size, training=False):
        """`x` as batches if it holds single images, and the remaining `batch_size`."""
        if not _batching.holds_single_images(x):
            return x, batch_size
        augmentation = self.augmentation if training else None
        return _batching.batched(x, batch_size or 32, augmentation), None

    def _require_trainable(self, x, y, batch_size, validation_split):
        """Refuses problems that can be seen before the first step.

        The number of images is known for arrays and for data sets of single images; a
        data set of batches would have to be read.
        """
        if isinstance(x, tf.data.Dataset):
            _require_batches(x)
            if _batching.holds_single_images(x) and (count := int(x.cardinality())) > 0:
                _require_sizes(count, batch_size)
        if self.augmentation is None or not hasattr(x, "dtype"):
            return
        _checks.require_arrays(x, y, batch_size, self.num_classes)
        _require_sizes(int(len(x) * (1 - validation_split)), batch_size)


def _require_batches(data):
    """Refuses data sets whose elements are not batches to train on."""
    spec = data.element_spec
    if isinstance(spec, tuple) and len(spec) > 2 and not _batching.is_views(spec):
        raise _no_weights("The data", "sample weights")
    first = tf.nest.flatten(spec)[0]
    if first.shape.rank == 4 and first.shape[0] == 1:
        raise UserError(_checks.alone("as in dataset.unbatch().batch(256)"))


def _require_sizes(num_images, batch_size):
    if 1 in (batch_size, num_images, num_images % batch_size):
        cure = f"such that none of the {num_images} images is left over alone"
        raise UserError(_checks.alone(cure))
    if batch_size > num_images:
        warnings.warn(
            f"`batch_size` is {batch_size}, but there are {num_images} images: a step "
            "has no more.",
            stacklevel=4,
        )


def _require_no_weights(class_weight=None, sample_weight=None, **_):
    if class_weight is not None:
        raise _no_weights("`class_weight`", "weights of classes")
    if sample_weight is not None:
        raise _no_weights("`sample_weight`", "weights of images")


def _no_weights(what, kind):
    return UserError(
        f"{what} must not be given, got {kind}: in the contrastive loss all images "
        "count alike. Show those oftener that are to count more."
    )
