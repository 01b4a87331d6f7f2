"""What all contrastive losses have in common: the interface that training calls."""

import typing

import tensorflow as tf
from tensorflow import keras


class Given(typing.NamedTuple):
    """What a loss is given beside the two views; each may be None."""

    labels: tf.Tensor | None = None
    negatives: tf.Tensor | None = None
    temperature: tf.Tensor | None = None
    step: tf.Tensor | None = None


class ContrastiveLoss(keras.losses.Loss):
    """A Keras loss over the projections of two views of each image.

    A subclass implements `_compare`. Under a strategy it compares with the images of
    all replicas, and gradients flow to every one of them. `SimCLR` gives a loss what
    its attributes ask for.

    Attributes:
        needs_labels: Bool, whether `labels` must be given.
        needs_step: Bool, whether the loss draws random numbers by `step`.
        takes_negatives: Bool, whether `negatives` may be given.
        takes_temperature: Bool, whether `temperature` may be given.

    Call arguments:
        view_a: Float tensor `[b, E]`, this replica's projections of the first views.
        view_b: Float tensor `[b, E]`, those of the second views.
        labels: Int tensor `[b]`, the class of each image, -1 where it is not known.
            Only read if `needs_labels`.
        negatives: Float tensor `[M, E]`, projections of other images, such as those of
            a memory, equal on all replicas. No gradient flows to them. Rows of zeros
            are empty places: they are left out.
        temperature: Float32 scalar tensor, positive, instead of the loss's own
            temperature. A gradient flows to it.
        step: Int scalar, the number of the training step. Only read if `needs_step`.

    Returns:
        Float32 `[b]`, one value for each image, whose mean over the images of all
        replicas is the loss. Calling the object reduces them as Keras does.

    Raises:
        ValueError: If the loss needs labels and gets none, or gets negatives or a
            temperature that it cannot use.
    """

    needs_labels = False
    needs_step = False
    takes_negatives = False
    takes_temperature = True
    _arguments = ()  # names of the constructor's own arguments, for `get_config`

    def call(
        self,
        view_a,
        view_b,
        labels=None,
        negatives=None,
        temperature=None,
        step=None,
    ):
        given = Given(labels, negatives, temperature, step)
        self._require_usable(given)
        losses, *_ = self._compare(view_a, view_b, given, with_metrics=False)
        return losses

    def call_with_metrics(
        self,
        view_a,
        view_b,
        labels=None,
        negatives=None,
        temperature=None,
        step=None,
    ):
        """The loss and the contrastive metrics.

        Args:
            view_a: Float tensor `[b, E]`.
            view_b: Float tensor `[b, E]`.
            labels: Int tensor `[b]`, or None.
            negatives: Float tensor `[M, E]`, or None.
            temperature: Float32 scalar tensor, or None for the loss's own.
            step: Int scalar, or None.

        Returns:
            `(losses, accuracies, entropies)`, each float32 `[b]`: what `call` gives,
            and `contrastive_accuracy` and `contrastive_entropy` among the images of all
            replicas.

        Raises:
            ValueError: As `call` does.
        """
        given = Given(labels, negatives, temperature, step)
        self._require_usable(given)
        return self._compare(view_a, view_b, given, with_metrics=True)

    def _compare(self, view_a, view_b, given, with_metrics):
        """`(losses, accuracies, entropies)`, the last two unused without metrics."""
        raise NotImplementedError

    def get_config(self):
        own = {name: getattr(self, name) for name in self._arguments}
        return {**super().get_config(), **own}

    def _require_usable(self, given):
        if self.needs_labels and given.labels is None:
            raise ValueError(
                f"`labels` must be given to {type(self).__name__}, int [b] with -1 for "
                "an image without one, got None."
            )
        for name, value, usable in (
            ("negatives", given.negatives, self.takes_negatives),
            ("temperature", given.temperature, self.takes_temperature),
        ):
            if value is not None and not usable:
                raise ValueError(
                    f"`{name}` must be None for {type(self).__name__}, which has no "
                    f"use for it, got {value}."
                )
