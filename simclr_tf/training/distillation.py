"""A student that learns from a teacher's predictions, as in SimCLRv2."""

import tensorflow as tf
from tensorflow import keras

from simclr_tf import keras_compat
from simclr_tf.losses import distillation_loss
from simclr_tf.training import _checks, _common
from simclr_tf.training.classifier import Classifier

_LOGS = (
    "loss",
    "distill_loss",
    "supervised_loss",
    "supervised_acc",
    "weight_decay",
    "gradient_norm",
)


@keras.utils.register_keras_serializable(package="simclr_tf")
class Distillation(Classifier):
    """Trains a classifier on the soft labels of another one.

    The loss of a batch is equation 3 of the paper, with `w` its `1 - alpha`:

        (1 - w) * mean over images of  tau^2 * CE(P^T(y | x; tau), P^S(y | x; tau))
          + w   * mean over labelled images of  -log P^S(y | x)

    The factor `tau^2` comes from the published code, see
    `simclr_tf.losses.distillation_loss`. Teacher and student see the same view. The
    teacher runs in inference mode and never changes. The student is a `Classifier`, and
    only its variables are trained. `fit` takes `images` or `(images, labels)`, with -1
    for labels that are not known.

    Args:
        encoder: The student's encoder, see `Classifier`.
        num_classes: Int, classes of the teacher and the labels.
        teacher: `Classifier`, or any Keras model or layer from float images
            `[B, H, W, 3]` in [0, 1] to logits `[B, num_classes]`. It gets frozen.
        temperature: Positive float tau.
        label_weight: Float `w` in [0, 1].
        **kwargs: Those of `Classifier`.

    Call arguments, returns: those of `Classifier`, for the student.

    Raises:
        ValueError: If an argument is out of range or, in training, if the teacher has
            another number of classes.

    Example:
        >>> import tf_models
        >>> small = tf_models.ResNet(depth=18, width_multiplier=0.25, stem="cifar")
        >>> teacher = Classifier(tf_models.ResNet(depth=18, stem="cifar"), 10)
        >>> student = Distillation(small, 10, teacher)
        >>> student.compile("adam")
        >>> len(student.trainable_variables) == len(small.trainable_variables) + 2
        True

    Reference: Chen et al. 2020b, https://arxiv.org/abs/2006.10029, section 2.3.
    """

    def __init__(
        self,
        encoder,
        num_classes,
        teacher,
        temperature=1.0,
        label_weight=0.0,
        **kwargs,
    ):
        if not temperature > 0:
            raise ValueError(f"`temperature` must be positive, got {temperature}.")
        if not 0 <= label_weight <= 1:
            raise ValueError(f"`label_weight` must be in [0, 1], got {label_weight}.")
        super().__init__(encoder, num_classes, **kwargs)
        teacher.trainable = False
        self.teacher = teacher
        self.temperature = temperature
        self.label_weight = label_weight
        self._trackers = {name: keras.metrics.Mean(name=name) for name in _LOGS}

    @property
    def metrics(self):
        return list(self._trackers.values())

    def _symbolic_build(self, iterator=None, data_batch=None):
        """Builds what is still missing on Keras 3: the optimizer's state."""
        keras_compat.build_optimizer_state(self.optimizer, self.trainable_variables)

    def train_step(self, data):
        """One step of the student; returns the running means."""
        images, labels = self._view(data, training=True)
        soft = self._teach(images)
        with tf.GradientTape() as tape:
            loss, values = self._loss(soft, self.logits(images, training=True), labels)
        variables = self.trainable_variables
        gradients = keras_compat.scaled_gradients(tape, loss, variables, self.optimizer)
        values["gradient_norm"] = self._apply(gradients, variables)
        return _common.track(self._trackers, values)

    def test_step(self, data):
        """The same figures with the student in inference mode."""
        images, labels = self._view(data, training=False)
        student = self.logits(images)
        _, values = self._loss(self._teach(images), student, labels)
        return _common.track(self._trackers, values)

    def _view(self, data, training):
        images, labels = keras_compat.unpack(data)
        images = self.preprocess(images, training)
        if self.augmentation is None:
            images = _checks.views(images)
        if labels is not None:
            _checks.require_label_kind(labels, self.num_classes)
            labels = _common.sparse_labels(labels)
            labels = _checks.labels(labels, self.num_classes)
        return images, labels

    def _teach(self, images):
        """The teacher's logits `[B, K]` of a view."""
        if isinstance(self.teacher, Classifier):  # no preprocessing of its own
            return self.teacher.logits(images, training=False)
        return self.teacher(images, training=False)

    def _loss(self, teacher, student, labels):
        """This replica's share of the loss, and the figures to track."""
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        distill = distillation_loss(teacher, student, self.temperature)  # [B]
        undecayed = _common.undecayed(self.trainable_variables, self.optimizer)
        decay = _common.l2_penalty(undecayed, self.weight_decay)
        loss = (1 - self.label_weight) * _common.global_mean(distill)
        loss += decay / replicas
        values = {"distill_loss": distill, "weight_decay": decay}
        if labels is not None:
            known = _common.known(labels)
            supervised = tf.nn.sparse_softmax_cross_entropy_with_logits(
                tf.maximum(labels, 0), student
            )
            hits = tf.equal(labels, tf.argmax(student, axis=-1))
            loss += self.label_weight * _common.global_mean(supervised, known)
            values["supervised_loss"] = (supervised, known)
            values["supervised_acc"] = (hits, known)
        values["loss"] = replicas * loss
        return loss, values

    def get_config(self):
        return {
            **super().get_config(),
            **_common.serialized(self, ("teacher",)),
            "temperature": self.temperature,
            "label_weight": self.label_weight,
        }
