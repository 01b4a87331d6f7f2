"""Cheap figures beside the loss: do embeddings spread, agree and stay apart?

The loss alone does not tell what goes wrong. Embeddings that have collapsed to one
point have a spread of 0. Alignment and uniformity, which together make a good
representation, pull against each other.
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
    z = _normalized(embeddings)
    cosines = tf.matmul(z, z, transpose_b=True)
    potentials = tf.exp(-2.0 * (2.0 - 2.0 * cosines))  # [N, N], |zi - zj|^2 = 2 - 2 cos
    potentials = tf.linalg.set_diag(potentials, tf.zeros_like(z[:, 0]))
    rows = tf.cast(tf.shape(z)[0], tf.float32)
    mean = tf.math.divide_no_nan(tf.reduce_sum(potentials), rows * (rows - 1.0))
    return tf.where(rows > 1.0, tf.math.log(mean), 0.0)


def effective_rank(embeddings):
    """How many directions embeddings use, RankMe: `exp(-sum p_k ln p_k)`.

    `p_k` is the share of the k-th singular value of the matrix in the sum of all, plus
    1e-7.

    Args:
        embeddings: Float tensor `[N, E]`, taken as they are: neither centred nor scaled
            to length 1. With fewer rows than dimensions it says little.

    Returns:
        Float32 scalar from 1 (all lie on one line) to `min(N, E)` (all directions are
        used alike). 1 where all are 0.

    Example:
        >>> print(effective_rank(tf.eye(4)).numpy().round(3))
        4.0

    Reference: Garrido et al. 2023, https://arxiv.org/abs/2210.02885, equation 1.
    """
    embeddings = tf.cast(embeddings, tf.float32)
    singular_values = tf.linalg.svd(embeddings, compute_uv=False)
    total = tf.reduce_sum(singular_values)
    shares = tf.math.divide_no_nan(singular_values, total) + 1e-7
    return tf.exp(-tf.reduce_sum(shares * tf.math.log(shares)))


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
    """The three figures of this replica's embeddings, on its first images.

    Args:
        projections: Float tensor `[b, 2, E]`, the two views of each image. No gradient
            flows back to it.

    Returns:
        Dict of float32 scalars: `embedding_std` and `uniformity`, of the first views,
        and `alignment`.
    """
    first = tf.stop_gradient(projections[:MAX_IMAGES])
    view_a, view_b = tf.unstack(first, axis=1)
    return {
        "embedding_std": embedding_std(view_a),
        "alignment": alignment(view_a, view_b),
        "uniformity": uniformity(view_a),
    }


def _normalized(embeddings):
    return tf.math.l2_normalize(tf.cast(embeddings, tf.float32), axis=1)
