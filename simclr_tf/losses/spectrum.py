"""How many directions of their space embeddings use, by their singular values."""

import tensorflow as tf


def singular_values(embeddings):
    """The singular values of a matrix of embeddings.

    Args:
        embeddings: Float tensor `[N, E]`, taken as they are: neither centred nor scaled
            to length 1.

    Returns:
        Float32 `[min(N, E)]`, the largest first. Those below 1e-7 of the largest are
        rounding.

    Example:
        >>> print(singular_values([[0.0, 3.0], [1.0, 0.0]]).numpy())
        [3. 1.]

    Reference: Jing et al. 2022, https://arxiv.org/abs/2110.09348, section 3, where
    values near 0 are directions that have collapsed.
    """
    # Roots of eigenvalues, for which the longer side, the images, costs little. In
    # float64 they are as exact as an SVD in float32.
    x = tf.cast(tf.convert_to_tensor(embeddings), tf.float64)
    wide = x.shape[0] is not None and x.shape[0] < x.shape[1]
    products = tf.matmul(x, x, transpose_a=not wide, transpose_b=wide)
    squares = tf.maximum(tf.linalg.eigvalsh(products)[::-1], 0.0)
    return tf.cast(tf.sqrt(squares), tf.float32)


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
    return rank_of(singular_values(embeddings))


def rank_of(values):
    """`effective_rank` from the result of `singular_values`."""
    shares = tf.math.divide_no_nan(values, tf.reduce_sum(values)) + 1e-7
    return tf.exp(-tf.reduce_sum(shares * tf.math.log(shares)))
