"""What a contrastive loss is asked in a step, and the figures beside it."""

import tensorflow as tf

from simclr_tf.losses import NTXent, diagnostics
from simclr_tf.training import _common


def needs_labels(loss):
    """Whether a loss learns from labels; a loss of the user's own does not."""
    return getattr(loss, "needs_labels", False)


def of_views(loss, view_a, view_b, labels, step, negatives, temperature):
    """The loss of two views, and its metrics if it has some.

    Args:
        loss: `ContrastiveLoss`, or any Keras loss over `(view_a, view_b)`.
        view_a: Float32 `[b, E]`.
        view_b: Float32 `[b, E]`.
        labels: Int `[b]`, passed on if the loss needs them.
        step: Int scalar, passed on if the loss needs it.
        negatives: Float32 `[M, E]`, or None.
        temperature: Float32 scalar, or None.

    Returns:
        Dict of float32 `[b]`: `contrast_loss`, and `contrast_acc` and
        `contrast_entropy` where the loss has the method `call_with_metrics`.
    """
    extras = _given(negatives=negatives, temperature=temperature)
    if needs_labels(loss):
        extras["labels"] = labels
    if getattr(loss, "needs_step", False):
        extras["step"] = step
    if not hasattr(loss, "call_with_metrics"):
        return {"contrast_loss": loss.call(view_a, view_b, **extras)}
    names = ("contrast_loss", "contrast_acc", "contrast_entropy")
    figures = loss.call_with_metrics(view_a, view_b, **extras)
    return dict(zip(names, figures, strict=True))


def of_small_views(loss, projections, negatives, temperature):
    """The loss of small views against the two full ones.

    Args:
        loss: Keras loss with a method `of_small_views`, if there are small views.
        projections: Float32 `[b, 2 + V, E]`.
        negatives: Float32 `[M, E]`, or None.
        temperature: Float32 scalar, or None.

    Returns:
        Dict with `small_view_loss`, float32 `[b, V]`; empty without small views.

    Raises:
        ValueError: If the loss has no such method.
    """
    if projections.shape[1] == 2:
        return {}
    if not hasattr(loss, "of_small_views"):
        raise ValueError(
            "`loss` must have the method of_small_views with small views, as NTXent "
            f"has, got {type(loss).__name__}."
        )
    full = tf.unstack(projections[:, :2], axis=1)
    extras = _given(negatives=negatives, temperature=temperature)
    return {"small_view_loss": loss.of_small_views(projections[:, 2:], *full, **extras)}


def figures(loss, projections, negatives):
    """Scalars that tell whether it learns, from this replica's `[b, 2, E]`."""
    found = diagnostics.of_projections(projections)
    filled = 0.0
    if negatives is not None:
        is_filled = tf.reduce_any(negatives != 0, axis=1)
        filled = tf.math.count_nonzero(is_filled, dtype=tf.float32)
        found["memory_filled"] = filled
    if isinstance(loss, NTXent):
        rows = _common.global_rows(projections)
        found["contrast_loss_chance"] = diagnostics.chance_loss(rows, filled)
    return found


def _given(**extras):
    """Those that are there."""
    return {name: value for name, value in extras.items() if value is not None}
