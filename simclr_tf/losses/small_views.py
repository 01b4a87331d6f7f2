"""NT-Xent of multi-crop: small views against the two full views of every image."""

import tensorflow as tf

from simclr_tf.losses import _pairs, _rows


def nt_xent_small_views(
    small,
    view_a,
    view_b,
    temperature=0.1,
    hidden_norm=True,
    gather=tf.identity,
    negatives=None,
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
        temperature: Positive float dividing the similarities, or a float32 scalar
            tensor.
        hidden_norm: Bool, whether rows are scaled to length 1 first.
        gather: Callable from `[b, ..]` to the rows `[B, ..]` of all replicas, this
            one's first, through which gradients flow.
        negatives: Float tensor `[M, E]` or None, more negatives, without a gradient;
            rows of zeros are left out.

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
    small = _pairs.scaled(small, hidden_norm) / temperature
    full = _pairs.pairs_of(view_a, view_b, hidden_norm)  # [b, 2, E]
    own = tf.matmul(small, full, transpose_b=True)  # [b, V, 2]
    others = _log_sums_of_others(small, gather(full))  # [b, V]
    if negatives is not None:
        negatives, filled = _pairs.negatives_of(negatives, hidden_norm)
        rows = tf.reshape(small, [-1, small.shape[-1]])
        more = _rows.log_sums(rows, negatives, lambda numbers: filled)
        others = _pairs.log_add(others, tf.reshape(more, tf.shape(others)))
    # -ln(e^own / (e^own + e^others)) = ln(1 + e^(others - own))
    return tf.reduce_mean(tf.nn.softplus(others[..., tf.newaxis] - own), axis=-1)


def _log_sums_of_others(small, everyone):
    """Logarithms of the sums of exponentials over the full views of other images.

    Args:
        small: Float32 `[b, V, E]`, rows of this replica's images, divided by the
            temperature.
        everyone: Float32 `[B, 2, E]`, the pairs of all replicas, those of this one
            first.

    Returns:
        Float32 `[b, V]`, with gradients for both arguments. Without other images, the
        lowest float and no gradient.
    """
    views, dim = small.shape[1:]
    columns = tf.reshape(everyone, [-1, dim])  # [2B, E], image by image
    image_of_column = tf.range(tf.shape(columns)[0]) // 2

    def others(numbers):
        return (numbers // views)[:, tf.newaxis] != image_of_column

    sums = _rows.log_sums(tf.reshape(small, [-1, dim]), columns, others)
    return tf.reshape(sums, [-1, views])
