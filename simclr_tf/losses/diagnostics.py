"""Cheap figures beside the loss: do embeddings spread, agree and stay apart?

The loss alone does not tell what goes wrong. Embeddings that have collapsed to one
point have a spread of 0. Alignment and uniformity, which together make a good
representation, pull against each other. The most similar negatives say how hard the
task is, and whether some of them show the same thing as the image.
"""

import math

import tensorflow as tf

# Figures on so many images of a replica are as good, and cost nothing beside the step.
MAX_IMAGES = 256


def embedding_std(embeddings):
    """Spread of embeddings over the directions of their space.

    The mean over dimensions of the standard deviation of the embeddings scaled to
    length 1, times `sqrt(E)`.

    Args:
        embeddings: Float tensor `[N, E]`; need not be normalised.

    Returns:
        Float32 scalar: 0 if all point in one direction (collapse), about 1 if they
        spread evenly over all directions.

    Example:
        >>> corners = tf.constant([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
        >>> print(embedding_std(corners).numpy().round(4))
        1.0

    Reference: Chen and He 2021, https://arxiv.org/abs/2011.10566, section 4.1.
    """
    z = _normalized(embeddings)
    # The variance of what is all alike is 0, or a little less by rounding.
    deviations = tf.sqrt(tf.maximum(tf.math.reduce_variance(z, axis=0), 0.0))  # [E]
    return tf.reduce_mean(deviations) * tf.sqrt(tf.cast(tf.shape(z)[1], tf.float32))


def alignment(view_a, view_b):
    """Mean squared distance between the two views of an image, both of length 1.

    Args:
        view_a: Float tensor `[N, E]`; need not be normalised.
        view_b: Float tensor `[N, E]`; row i shows the same image as `view_a[i]`.

    Returns:
        Float32 scalar from 0 (views agree) to 4 (they are opposite); 2 if they are
        unrelated.

    Example:
        >>> print(alignment(tf.eye(2), tf.eye(2)[::-1]).numpy().round(4))
        2.0

    Reference: Wang and Isola 2020, https://arxiv.org/abs/2005.10242, section 4.1.1,
    with alpha = 2.
    """
    difference = _normalized(view_a) - _normalized(view_b)
    return tf.reduce_mean(tf.reduce_sum(tf.square(difference), axis=1))


def uniformity(embeddings):
    """How evenly embeddings cover the sphere: `ln mean exp(-2 |z_i - z_j|^2)`, i != j.

    Args:
        embeddings: Float tensor `[N, E]`, N >= 2; need not be normalised.

    Returns:
        Float32 scalar in nats, from 0 (all in one point) down to about -4 (spread
        evenly). 0 for a single row, which has no pair.

    Example:
        >>> print(uniformity(tf.eye(2)).numpy().round(4))  # |z_0 - z_1|^2 = 2
        -4.0

    Reference: Wang and Isola 2020, https://arxiv.org/abs/2005.10242, section 4.1.2,
    with t = 2.
    """
    return _uniformity(_cosines(embeddings))


def hardest_negative(embeddings):
    """How similar the most similar other image is, on average.

    Such negatives give most of the gradient. Which of them are useful and which show
    the same thing, no figure tells without labels; see `likely_false_negatives`.

    Args:
        embeddings: Float tensor `[N, E]`, one row per image; need not be normalised.

    Returns:
        Float32 scalar, the mean over rows of the largest cosine with another row, from
        -1 to 1. It rises with N, as there are more to choose from. 0 for a single row,
        which has no other.

    Example:
        >>> rows = tf.constant([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
        >>> print(hardest_negative(rows).numpy().round(4))  # 0.6, 0.8, 0.8
        0.7333

    Reference: Robinson et al. 2021, https://arxiv.org/abs/2010.04592, section 3, where
    negatives are the harder the more similar they are to the image.
    """
    return _hardest_negative(_cosines(embeddings))


def likely_false_negatives(view_a, view_b):
    """Share of negatives that are more similar to an image than its own other view.

    A negative that is very similar to an image is likely to show the same thing, and
    the loss pushes it away all the same. What is "very similar" is measured here by the
    image's own positive instead of a fixed threshold. Before anything is learned, the
    share is high for another reason: nothing is told apart.

    Args:
        view_a: Float tensor `[N, E]`; need not be normalised.
        view_b: Float tensor `[N, E]`; row i shows the same image as `view_a[i]`.

    Returns:
        Float32 scalar in 0..1: among the pairs of different rows i and j, the share for
        which `cos(a_i, a_j) > cos(a_i, b_i)`; 0.5 if views are unrelated. 0 for a
        single row.

    Example:
        >>> a = tf.constant([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
        >>> print(likely_false_negatives(a, a).numpy())
        0.0
        >>> print(likely_false_negatives(a, a[::-1]).numpy().round(4))  # two of six
        0.3333

    Reference: Huynh et al. 2022, https://arxiv.org/abs/2011.11765, section 3, where
    candidates of high similarity are taken for false negatives; the threshold is ours.
    """
    return _likely_false_negatives(_cosines(view_a), view_a, view_b)


def chance_loss(num_images, num_negatives=0):
    """NT-Xent if all embeddings are the same: `ln(2N - 1 + M)`, a guess among so many.

    Args:
        num_images: Number of images `N` in the batch of all replicas; a Python number,
            or a tensor.
        num_negatives: Number of further negatives `M`, as those of a memory.

    Returns:
        Float, or a float32 scalar tensor.

    Example:
        >>> round(chance_loss(256), 3)
        6.236
    """
    if tf.is_tensor(num_images):
        num_negatives = tf.cast(num_negatives, tf.float32)
        return tf.math.log(2.0 * tf.cast(num_images, tf.float32) - 1.0 + num_negatives)
    return math.log(2 * num_images - 1 + num_negatives)


def of_projections(projections):
    """The figures of this replica's embeddings, on its first images.

    Args:
        projections: Float tensor `[b, 2, E]`, the two views of each image. No gradient
            flows back to it.

    Returns:
        Dict of float32 scalars by the name of the function: `embedding_std`,
        `uniformity` and `hardest_negative` of the first views, `alignment` and
        `likely_false_negatives` of both.
    """
    first = tf.stop_gradient(projections[:MAX_IMAGES])
    view_a, view_b = tf.unstack(first, axis=1)
    cosines = _cosines(view_a)
    return {
        "embedding_std": embedding_std(view_a),
        "alignment": alignment(view_a, view_b),
        "uniformity": _uniformity(cosines),
        "hardest_negative": _hardest_negative(cosines),
        "likely_false_negatives": _likely_false_negatives(cosines, view_a, view_b),
    }


def _uniformity(cosines):
    potentials = tf.exp(-2.0 * (2.0 - 2.0 * cosines))  # |z_i - z_j|^2 = 2 - 2 cos
    return tf.where(_several(cosines), tf.math.log(_mean_of_others(potentials)), 0.0)


def _hardest_negative(cosines):
    others = tf.linalg.set_diag(cosines, tf.fill([tf.shape(cosines)[0]], -1.0))
    hardest = tf.reduce_mean(tf.reduce_max(others, axis=1))
    return tf.where(_several(cosines), hardest, 0.0)


def _likely_false_negatives(cosines, view_a, view_b):
    positives = tf.reduce_sum(_normalized(view_a) * _normalized(view_b), axis=1)
    closer = cosines > positives[:, tf.newaxis]
    return _mean_of_others(tf.cast(closer, tf.float32))


def _mean_of_others(values):
    """The mean of `[N, N]` without its diagonal; 0 for a single row."""
    values = tf.linalg.set_diag(values, tf.zeros_like(values[:, 0]))
    rows = tf.cast(tf.shape(values)[0], tf.float32)
    return tf.math.divide_no_nan(tf.reduce_sum(values), rows * (rows - 1.0))


def _several(cosines):
    return tf.shape(cosines)[0] > 1


def _cosines(embeddings):
    """Float32 `[N, N]`, of all pairs of rows."""
    z = _normalized(embeddings)
    return tf.matmul(z, z, transpose_b=True)


def _normalized(embeddings):
    return tf.math.l2_normalize(tf.cast(embeddings, tf.float32), axis=1)
