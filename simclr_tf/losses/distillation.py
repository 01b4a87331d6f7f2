"""The distillation loss of SimCLRv2."""

import tensorflow as tf


def distillation_loss(teacher_logits, student_logits, temperature=1.0):
    """Cross-entropy of the student with the teacher's soft labels.

    `tau^2 * CE(softmax(teacher / tau), softmax(student / tau))`: equation 2 of the
    paper times `tau^2`, as in Hinton et al. 2015 and the published code, so that
    gradients keep their size at any temperature. At tau = 1 it is equation 2 itself.
    The minimum, where the two agree, is not 0.

    Args:
        teacher_logits: Float tensor `[B, K]`; no gradient flows into it.
        student_logits: Float tensor `[B, K]`.
        temperature: Positive float tau.

    Returns:
        Float32 tensor `[B]` in nats.

    Raises:
        ValueError: If `temperature` is not positive, or the numbers of classes differ.

    Reference: Chen et al. 2020b, https://arxiv.org/abs/2006.10029, section 2.3; Hinton
    et al. 2015, https://arxiv.org/abs/1503.02531, section 2.
    """
    if not temperature > 0:
        raise ValueError(f"`temperature` must be positive, got {temperature}.")
    teacher = tf.cast(teacher_logits, tf.float32) / temperature
    student = tf.cast(student_logits, tf.float32) / temperature
    if not teacher.shape[-1] == student.shape[-1]:
        raise ValueError(
            "`teacher_logits` and `student_logits` must be of the same classes, got "
            f"shapes {teacher.shape} and {student.shape}."
        )
    soft_labels = tf.stop_gradient(tf.nn.softmax(teacher))  # P^T(y | x; tau)
    return temperature**2 * tf.nn.softmax_cross_entropy_with_logits(
        soft_labels, student
    )
