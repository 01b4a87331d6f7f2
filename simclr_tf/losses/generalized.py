"""The generalised contrastive loss: pairs align, and all match a distribution."""

import tensorflow as tf
from tensorflow import keras

from simclr_tf.losses import _pairs, _rows
from simclr_tf.losses._rowwise import metrics_of
from simclr_tf.losses.contrastive import ContrastiveLoss
from simclr_tf.losses.sliced_wasserstein import PRIORS, sliced_wasserstein

EMBEDDING_PRIORS = ("logsumexp", *PRIORS)


@keras.utils.register_keras_serializable(package="simclr_tf")
class GeneralizedContrastive(ContrastiveLoss):
    """Alignment of the two views, plus a weight times a distribution loss.

    For the embeddings `z_a` and `z_b` of an image's views:

        loss = |z_a - z_b|^2 / 2 + weight * distribution

    With `embedding_prior` "logsumexp", the distribution loss of an embedding `z` is
    `ln sum over all others of e^(z.z' / t)`. At the weight t, the default, the loss is
    `1 + t NT-Xent`. With any other prior it is `sliced_wasserstein`, which compares the
    embeddings of all replicas with samples of the prior:

    | `embedding_prior` | embeddings shall be | scaled to length 1 |
    |---|---|---|
    | "logsumexp" | far from each other | yes |
    | "hypersphere" | uniform on the sphere | yes |
    | "normal" | of a normal distribution | no |
    | "hypercube" | uniform in -1..1 in every dimension | no |

    The samples and the directions they are compared in depend on `seed` and on the
    `step` alone, so that they are the same on all replicas and in a run that resumes.
    Without a `step` they are always those of step 0.

    Args:
        temperature: Positive float t, for "logsumexp" only.
        embedding_prior: Str, see above.
        embedding_prior_weight: Float >= 0, lambda in the paper; None is t for
            "logsumexp" and 1 for the others.
        seed: Int, for the samples.
        **kwargs: Those of `keras.losses.Loss`.

    Call arguments and returns are those of `ContrastiveLoss`; a `temperature` is taken
    with "logsumexp".

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> loss = GeneralizedContrastive(temperature=1.0)
        >>> print(loss(tf.eye(2), tf.eye(2)).numpy().round(4))  # 1 + NT-Xent
        1.5514

    Reference: Chen, Luo and Li 2021, https://arxiv.org/abs/2011.02803, section 2. The
    published code takes means over the dimensions in place of both sums, here and in
    `sliced_wasserstein`, and counts an embedding among its own others.
    """

    needs_step = True
    _arguments = ("temperature", "embedding_prior", "embedding_prior_weight", "seed")

    def __init__(
        self,
        temperature=0.1,
        embedding_prior="logsumexp",
        embedding_prior_weight=None,
        seed=0,
        name="generalized",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        _pairs.require_temperature(temperature)
        if embedding_prior not in EMBEDDING_PRIORS:
            raise ValueError(
                f"`embedding_prior` must be one of {', '.join(EMBEDDING_PRIORS)}, got "
                f"{embedding_prior}."
            )
        if embedding_prior_weight is not None and not embedding_prior_weight >= 0:
            raise ValueError(
                "`embedding_prior_weight` must be None or at least 0, got "
                f"{embedding_prior_weight}."
            )
        self.temperature = temperature
        self.embedding_prior = embedding_prior
        self.embedding_prior_weight = embedding_prior_weight
        self.seed = seed
        self.takes_temperature = embedding_prior == "logsumexp"

    def _compare(self, view_a, view_b, given, with_metrics):
        on_sphere = self.embedding_prior in ("logsumexp", "hypersphere")
        pairs = _pairs.pairs_of(view_a, view_b, on_sphere)
        everyone = _pairs.gathered(pairs)  # [B, 2, E]
        temperature = self.temperature
        if given.temperature is not None:
            temperature = given.temperature
        if self.embedding_prior == "logsumexp":
            distribution = _log_sums(pairs / temperature, everyone)  # [b]
            weight = self.temperature
        else:
            embeddings = tf.reshape(everyone, [-1, tf.shape(everyone)[-1]])
            step = 0 if given.step is None else tf.cast(given.step, tf.int32)
            seed = tf.stack([self.seed, step])
            distribution = sliced_wasserstein(embeddings, self.embedding_prior, seed)
            weight = 1.0
        if self.embedding_prior_weight is not None:
            weight = self.embedding_prior_weight
        difference = pairs[:, 0] - pairs[:, 1]
        alignment = tf.reduce_sum(tf.square(difference), axis=1) / 2.0  # [b]
        losses = alignment + weight * distribution
        if not with_metrics:
            return losses, None, None
        scale = tf.sqrt(temperature if self.takes_temperature else 1.0)
        return (losses, *metrics_of(pairs / scale, everyone / scale))


def _log_sums(pairs, everyone):
    """Logarithms of the sums of exponentials over all others, `[b]`, means of views."""
    dim = tf.shape(everyone)[-1]
    rows, columns = (tf.reshape(rows, [-1, dim]) for rows in (pairs, everyone))
    numbers_of_columns = tf.range(tf.shape(columns)[0])

    def others(numbers):
        return numbers[:, tf.newaxis] != numbers_of_columns

    sums = _rows.log_sums(rows, columns, others)
    return tf.reduce_mean(tf.reshape(sums, [-1, 2]), axis=1)
