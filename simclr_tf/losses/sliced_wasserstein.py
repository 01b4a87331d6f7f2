"""The sliced Wasserstein distance between embeddings and a distribution."""

import tensorflow as tf

PRIORS = ("hypersphere", "normal", "hypercube")
# The same with XLA and without it.
_ALGORITHM = "philox"


def sliced_wasserstein(embeddings, prior, seed):
    """Squared distance between embeddings and samples, in random directions.

    In each of E random orthogonal directions `w`, embeddings `z` and as many samples
    `p` of the prior become numbers, which are sorted and compared one by one:

        sum over w of mean over n of (sorted(w.z)_n - sorted(w.p)_n)^2

    Args:
        embeddings: Float tensor `[N, E]`, in the order of any replica.
        prior: Str, "hypersphere" (uniform on the unit sphere), "normal" (standard
            normal) or "hypercube" (uniform in -1..1 in every dimension).
        seed: Two ints, or an int tensor `[2]`: equal seeds give equal directions and
            samples.

    Returns:
        Float32 scalar.

    Raises:
        ValueError: If `prior` is none of these.

    Example:
        >>> samples = tf.random.stateless_normal([999, 3], seed=[1, 2])
        >>> even = sliced_wasserstein(samples, "normal", seed=[0, 0])
        >>> collapsed = sliced_wasserstein(0 * samples, "normal", seed=[0, 0])
        >>> bool(even < 0.05 < 1 < collapsed)
        True

    Reference: Chen, Luo and Li 2021, https://arxiv.org/abs/2011.02803, the loss SWD.
    """
    if prior not in PRIORS:
        raise ValueError(f"`prior` must be one of {', '.join(PRIORS)}, got {prior}.")
    embeddings = tf.cast(embeddings, tf.float32)
    shape, dim = tf.shape(embeddings), tf.shape(embeddings)[1]
    seed = tf.cast(seed, tf.int32)
    normal = tf.random.stateless_normal([dim, dim], seed, alg=_ALGORITHM)
    directions, _ = tf.linalg.qr(normal)  # [E, E]
    samples = _samples(shape, prior, seed + [0, 2**30])
    found, wanted = (
        tf.sort(tf.matmul(rows, directions), axis=0) for rows in (embeddings, samples)
    )
    return tf.reduce_sum(tf.reduce_mean(tf.square(found - wanted), axis=0))


def _samples(shape, prior, seed):
    """Samples `[N, E]` of a prior."""
    if prior == "hypercube":
        return tf.random.stateless_uniform(shape, seed, -1.0, 1.0, alg=_ALGORITHM)
    samples = tf.random.stateless_normal(shape, seed, alg=_ALGORITHM)
    return tf.math.l2_normalize(samples, axis=1) if prior == "hypersphere" else samples
