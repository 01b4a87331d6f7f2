"""NT-Xent of multi-crop: small views against the two full views of every image."""

import tensorflow as tf

from simclr_tf.losses import _blockwise

# Cells of the largest matrix of similarities that is made at once: 16 MB.
_MAX_CELLS = 2**22


def nt_xent_small_views(
    small, view_a, view_b, temperature=0.1, hidden_norm=True, gather=tf.identity
):
    """SimCLR loss of small views: pick a full view of the same image.

    Both full views `a_i` and `b_i` of its image are positives of a small view `s`, and
    the loss is the mean over the two. The negatives are the full views of the other
    images; small views are never candidates:

        loss(s) = (l(s, a_i) + l(s, b_i)) / 2
        l(s, k) = -ln(e(s, k) / (e(s, k) + sum over j != i of e(s, a_j) + e(s, b_j)))
        e(s, k) = exp(cosine(s, k) / temperature)

    So `l` is equation 1 of SimCLR with `s` in place of the other full view, and with as
    many candidates: `2B - 1`. The loss of an image is the mean over all its `2(V + 1)`
    pairs whose second is a full view, as in the published code of SwAV:

        (nt_xent(a_i, b_i) + sum of loss(s) over its V small views) / (V + 1)

    Args:
        small: Float tensor `[b, V, E]`; row i shows the same image as `view_a[i]`.
        view_a: Float tensor `[b, E]`, the first full views.
        view_b: Float tensor `[b, E]`, the second ones.
        temperature: Positive float dividing the similarities.
        hidden_norm: Bool, whether rows are scaled to length 1 first.
        gather: Callable from `[b, ..]` to the rows `[B, ..]` of all replicas, this
            one's first, through which gradients flow.

    Returns:
        Float32 tensor `[b, V]` in nats.

    Raises:
        ValueError: If `small` is not of rank 3.

    Example:
        >>> views = tf.eye(2)
        >>> losses = nt_xent_small_views(views[:, tf.newaxis], views, views, 1.0)
        >>> print(losses.numpy().round(4))
        [[0.5514]
         [0.5514]]

    Reference: Caron et al. 2020, https://arxiv.org/abs/2006.09882, section 3.2, where
    codes come from the full views only; its supplement adds multi-crop to SimCLR.
    """
    small = tf.convert_to_tensor(small)
    if small.shape.rank != 3:
        raise ValueError(f"`small` must be of shape [b, V, E], got {small.shape}.")
    # float32, because exponentials of cosines / temperature pass float16's range.
    small = tf.cast(small, tf.float32)
    full = tf.cast(tf.stack([view_a, view_b], axis=1), tf.float32)  # [b, 2, E]
    if hidden_norm:
        small = tf.math.l2_normalize(small, axis=-1)
        full = tf.math.l2_normalize(full, axis=-1)
    small /= temperature
    own = tf.matmul(small, full, transpose_b=True)  # [b, V, 2]
    others = _blockwise.log_sums_of_others(small, gather(full), _MAX_CELLS)  # [b, V]
    # -ln(e^own / (e^own + e^others)) = ln(1 + e^(others - own))
    return tf.reduce_mean(tf.nn.softplus(others[..., tf.newaxis] - own), axis=-1)
