import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.losses import distillation_loss


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def test_two_classes_by_hand():
    # The teacher says 3/4 and 1/4, the student 1/2 and 1/2: log 2 nats.
    teacher = np.log([[3.0, 1.0]])
    np.testing.assert_allclose(distillation_loss(teacher, [[5.0, 5.0]]), [np.log(2)])
    # The student says the same: the entropy of (3/4, 1/4).
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    np.testing.assert_allclose(distillation_loss(teacher, teacher), [entropy], 1e-6)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 4.0])
def test_is_the_formula(temperature):
    teacher, student = np.random.RandomState(0).randn(2, 5, 7)
    log_p = np.log(softmax(student / temperature))
    expected = -(temperature**2) * np.sum(softmax(teacher / temperature) * log_p, 1)
    loss = distillation_loss(teacher, student, temperature)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert loss.dtype == tf.float32 and loss.shape == (5,)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_gradient_is_the_difference_of_the_soft_labels(temperature):
    # d/ds tau^2 CE(p, softmax(s / tau)) = tau (softmax(s / tau) - p).
    teacher, student = (tf.Variable(x) for x in np.random.RandomState(1).randn(2, 3, 4))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(distillation_loss(teacher, student, temperature))
    to_teacher, to_student = tape.gradient(loss, [teacher, student])
    soft = [softmax(x.numpy() / temperature) for x in (student, teacher)]
    expected = temperature * (soft[0] - soft[1])
    np.testing.assert_allclose(to_student, expected, rtol=1e-4, atol=1e-6)
    assert to_teacher is None


def test_half_precision_is_computed_in_float32():
    teacher = tf.constant([[60000.0, 0.0]], tf.float16)
    loss = distillation_loss(teacher, teacher, temperature=0.1)
    assert loss.dtype == tf.float32 and np.isfinite(loss).all()


def test_wrong_arguments_say_what_is_allowed():
    with pytest.raises(ValueError, match="`temperature` must be positive, got 0"):
        distillation_loss([[1.0]], [[1.0]], 0)
    with pytest.raises(ValueError, match=r"same classes, got shapes \(1, 2\) and"):
        distillation_loss([[1.0, 2.0]], [[1.0, 2.0, 3.0]])
