import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import simclr_tf
import tf_models
from simclr_tf import augmentation
from simclr_tf.errors import UserError
from simclr_tf.losses import distillation_loss
from simclr_tf.training.teacher import SavedModelTeacher
from tests import programs


def encoder(**kwargs):
    return tf_models.ResNet(depth=18, width_multiplier=0.0625, stem="cifar", **kwargs)


def student_of(teacher, rate=0.1, loss_weight_decay=0.0, **kwargs):
    model = simclr_tf.Distillation(
        encoder(), 2, teacher, weight_decay=loss_weight_decay, **kwargs
    )
    model.compile(keras.optimizers.SGD(rate))
    return model


def confident_teacher():
    """Says red or blue by the mean colour, with batch statistics to move."""
    kernel = np.array([[20.0, -20.0], [0.0, 0.0], [-20.0, 20.0]])
    model = keras.Sequential(
        [
            keras.layers.GlobalAveragePooling2D(input_shape=(12, 14, 3)),
            keras.layers.Dense(2, use_bias=False),
            keras.layers.BatchNormalization(epsilon=1e-9),
        ]
    )
    model.layers[1].set_weights([kernel])
    return model


def snapshot(layer):
    return [np.array(weight) for weight in layer.weights]


def test_the_student_learns_what_the_teacher_says_without_labels(photos):
    images, labels = photos
    student = student_of(confident_teacher())
    history = student.fit(images, epochs=15, batch_size=16, verbose=0).history
    assert set(history) == {
        "loss",
        "distill_loss",
        "weight_decay",
        "gradient_norm",
    }
    assert history["distill_loss"][-1] < 0.5 * history["distill_loss"][0]
    logits = student.logits(images.astype("float32") / 255, training=True)
    np.testing.assert_array_equal(np.argmax(logits, axis=1), labels)


def test_the_teacher_does_not_change_by_one_bit(photos):
    teacher = confident_teacher()
    before = snapshot(teacher)
    student = student_of(teacher, loss_weight_decay=1e-2)
    own = snapshot(student.encoder)
    student.fit(*photos, epochs=2, verbose=0)
    assert all(map(np.array_equal, before, snapshot(teacher)))
    assert not all(map(np.array_equal, own, snapshot(student.encoder)))
    assert {id(v) for v in student.trainable_variables} == {
        id(v)
        for network in (student.encoder, student.linear_head)
        for v in network.trainable_variables
    }


@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_loss_is_the_weighted_sum_of_the_paper(photos, temperature):
    images, labels = photos[0], photos[1].copy()
    labels[5:] = -1  # not known
    teacher = simclr_tf.Classifier(encoder(), 2)
    student = student_of(teacher, 0.0, temperature=temperature, label_weight=0.25)
    unit = images.astype("float32") / 255
    soft, logits = teacher(unit).numpy(), student.logits(unit).numpy()
    distill = np.mean(distillation_loss(soft, logits, temperature))
    log_p = logits - np.log(np.sum(np.exp(logits), axis=1, keepdims=True))
    supervised = -np.mean(log_p[np.arange(5), labels[:5]])
    hits = np.mean(np.argmax(logits[:5], axis=1) == labels[:5])
    found = student.evaluate(images, labels, batch_size=16, verbose=0, return_dict=True)
    np.testing.assert_allclose(found["distill_loss"], distill, rtol=1e-4)
    np.testing.assert_allclose(found["supervised_loss"], supervised, rtol=1e-4)
    np.testing.assert_allclose(found["supervised_acc"], hits)
    expected = 0.75 * distill + 0.25 * supervised
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-4)


def test_a_step_is_a_step_down_that_loss(photos):
    # One step of SGD against the gradient of the formula, of the head's kernel.
    images, labels = photos[0], photos[1].copy()
    labels[3:] = -1
    teacher = simclr_tf.Classifier(encoder(), 2)
    student = student_of(
        teacher, 0.5, label_weight=0.4, temperature=2.0, fine_tune_after_block=4
    )
    head = student.linear_head
    before = np.array(head.kernel)
    with tf.GradientTape() as tape:
        logits = student.logits(images.astype("float32") / 255)
        distill = distillation_loss(teacher(images), logits, 2.0)
        supervised = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels[:3], logits[:3]
        )
        loss = 0.6 * tf.reduce_mean(distill) + 0.4 * tf.reduce_mean(supervised)
        kernel = head.kernel if hasattr(head.kernel, "handle") else head.kernel.value
    gradient = tape.gradient(loss, kernel)
    student.fit(images, labels, batch_size=16, verbose=0)
    np.testing.assert_allclose(
        np.array(head.kernel), before - 0.5 * gradient, rtol=1e-4, atol=1e-7
    )


def test_a_batch_without_any_label_counts_as_distillation_alone(photos):
    teacher = simclr_tf.Classifier(encoder(), 2)
    student = student_of(teacher, label_weight=0.5)
    history = student.fit(photos[0], np.full(16, -1), batch_size=8, verbose=0).history
    assert history["supervised_loss"] == [0.0]
    np.testing.assert_allclose(
        history["loss"][0], 0.5 * history["distill_loss"][0], rtol=1e-5
    )


class Watching(keras.layers.Layer):
    """A teacher that keeps what it sees."""

    def call(self, images, training=None):
        self.seen = (images, training)
        return images[:, 0, 0, :2]


def test_teacher_and_student_see_the_same_view(photos):
    teacher = Watching()
    student = student_of(teacher, augmentation=augmentation.CropAndFlip(8, seed=0))
    student.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    shown = []
    logits = student.logits
    student.logits = lambda images, training=False: (
        shown.append((images, training)) or logits(images, training)
    )
    student.fit(*photos, batch_size=16, verbose=0)
    (view, training), (seen, teaching) = shown[0], teacher.seen
    assert training and not teaching
    np.testing.assert_array_equal(view, seen)
    assert view.shape == (16, 8, 8, 3)


def test_a_classifier_teaches_on_the_view_as_it_is(photos):
    # Its own preprocessing would crop the view once more.
    teacher = simclr_tf.Classifier(
        encoder(), 2, augmentation=augmentation.EvaluationCrop(64)
    )
    student = student_of(teacher)
    unit = tf.constant(photos[0].astype("float32") / 255)
    np.testing.assert_array_equal(
        student._teach(unit), teacher.logits(unit, training=False)
    )


def test_keras_file_round_trip(photos, tmp_path):
    teacher = simclr_tf.Classifier(encoder(), 2)
    model = student_of(teacher, temperature=0.5, label_weight=0.25)
    model.fit(*photos, verbose=0)
    model.save(tmp_path / "student.keras")
    again = keras.models.load_model(tmp_path / "student.keras")
    assert (again.temperature, again.label_weight) == (0.5, 0.25)
    for one, two in ((again, model), (again.teacher, model.teacher)):
        np.testing.assert_allclose(
            one.predict(photos[0], verbose=0), two.predict(photos[0], verbose=0), 1e-5
        )


def test_wrong_arguments_say_what_is_allowed(photos):
    teacher = simclr_tf.Classifier(encoder(), 3)
    with pytest.raises(ValueError, match="`temperature` must be positive, got 0"):
        student_of(teacher, temperature=0)
    with pytest.raises(ValueError, match=r"`label_weight` must be in \[0, 1\], got 2"):
        student_of(teacher, label_weight=2)
    with pytest.raises(ValueError, match="must be of the same classes"):
        student_of(teacher).fit(*photos, verbose=0)


class Published(tf.Module):
    """What the published code exports: an object to call, and no signature."""

    def __init__(self, names):
        super().__init__()
        self.kernel = tf.Variable(np.arange(6.0).reshape(3, 2), dtype=tf.float32)
        self.names = names

    @tf.function
    def __call__(self, images, trainable):
        features = tf.reduce_mean(images, [1, 2])
        if trainable:
            features = 0.0 * features
        outputs = {"final_avg_pool": features, "logits_sup": features @ self.kernel}
        return {name: outputs[name] for name in self.names}


def publish(folder, *names):
    module = Published(names)
    for trainable in (False, True):
        spec = tf.TensorSpec([None, None, None, 3], tf.float32)
        module.__call__.get_concrete_function(spec, trainable=trainable)
    tf.saved_model.save(module, str(folder))
    return module.kernel.numpy()


def test_a_published_saved_model_teaches(photos, tmp_path):
    kernel = publish(tmp_path / "m", "final_avg_pool", "logits_sup")
    teacher = SavedModelTeacher(tmp_path / "m")
    unit = photos[0].astype("float32") / 255
    np.testing.assert_allclose(teacher(unit), unit.mean((1, 2)) @ kernel, rtol=1e-5)
    assert teacher.num_classes(16) == 2
    assert teacher.weights == []
    student_of(teacher).fit(*photos, verbose=0)


@pytest.mark.parametrize("ours", [True, False])
def test_saved_models_without_logits_or_images_are_refused(tmp_path, ours):
    if ours:
        simclr_tf.export.save(encoder(), tmp_path / "m", image_size=8)
    else:
        publish(tmp_path / "m", "final_avg_pool")
    with pytest.raises(simclr_tf.errors.UserError, match="m gives no logits: it was"):
        SavedModelTeacher(tmp_path / "m").num_classes(8)
    tf.saved_model.save(tf.Module(), str(tmp_path / "other"))
    with pytest.raises(simclr_tf.errors.UserError, match="neither the signature"):
        SavedModelTeacher(tmp_path / "other")
    with pytest.raises(simclr_tf.errors.UserError, match="no SavedModel that can be"):
        SavedModelTeacher(tmp_path / "nothing")


def test_two_replicas_do_what_one_device_does():
    # In processes of their own: a process can use one strategy.
    script = "tests/training/distillation_replicas_script.py"
    printed = [programs.run(script, kind) for kind in ("none", "mirrored")]
    one, two = (eval(text.splitlines()[-1]) for text in printed)
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_allclose(two[name], one[name], 2e-4, 1e-6, err_msg=name)


def test_labels_beyond_the_classes_are_refused(photos):
    images, labels = photos
    student = student_of(confident_teacher())
    student.run_eagerly = True
    with pytest.raises(UserError, match="0..1, .* or -1 where.* from 0 to 2"):
        student.fit(images, 2 * labels, verbose=0)
