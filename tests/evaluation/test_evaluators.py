import functools

import numpy as np
import pytest
import tensorflow as tf
from sklearn import linear_model
from tensorflow import keras
from tensorflow.python.eager.polymorphic_function import polymorphic_function

import simclr_tf
import tf_models
from simclr_tf import evaluation
from simclr_tf.errors import UserError

FIGURES = {
    "top_1_accuracy",
    "top_1_accuracy_low",
    "top_1_accuracy_high",
    "top_5_accuracy",
    "mean_per_class_accuracy",
}


def colours():
    """An encoder whose features are the mean colours of the two halves."""
    return keras.Sequential(
        [keras.Input([12, 14, 3]), keras.layers.AveragePooling2D((12, 7))]
    )


def test_every_evaluator_gives_the_same_figures(clusters):
    train, test = clusters(200, 0, spread=1.0), clusters(100, 1, spread=1.0)
    found = evaluation.evaluate_features(train, test, 4, ("head", "knn", "logistic"))
    for name in evaluation.EVALUATORS:
        of_this = {key for key in found if key.startswith(f"{name}_")}
        of_this -= {"logistic_l2"}
        assert of_this == {f"{name}_{figure}" for figure in FIGURES}
        assert found[f"{name}_top_1_accuracy"] > 0.8
        assert found[f"{name}_top_5_accuracy"] == 1.0
    assert found["logistic_l2"] > 0


def test_linear_agrees_with_scikit_learn_and_repeats(clusters):
    train, test = clusters(2000, 0), clusters(1000, 1)
    oracle = linear_model.LogisticRegression(C=1e3, max_iter=1000)
    oracle.fit(train.features, train.labels)
    scores, again = (
        evaluation.evaluate_linear(train, test, 4).scores for _ in range(2)
    )
    assert np.mean(scores.argmax(1) == test.labels) == pytest.approx(
        oracle.score(test.features, test.labels), abs=0.02
    )
    np.testing.assert_array_equal(scores, again)


def test_an_evaluator_of_the_users_own_may_give_bare_scores(clusters):
    test = clusters(8, 0)
    found = evaluation.evaluate_features(
        None, test, 4, {"first": lambda train, test, k: np.eye(k)[[0] * 8]}
    )
    assert found["first_top_1_accuracy"] == 0.25


def test_any_keras_encoder_on_arrays_batches_and_single_images(photos):
    images, labels = photos
    pairs = tf.data.Dataset.from_tensor_slices((images, labels))
    one_hot = pairs.batch(5).map(lambda x, y: (x, tf.one_hot(y, 2)))
    found = [
        evaluation.evaluate(colours(), data, data, 2, {"knn": three}, batch_size=3)
        for three in [functools.partial(evaluation.evaluate_knn, neighbors=3)]
        for data in ((images, labels), pairs, pairs.batch(5), one_hot)
    ]
    assert found[0]["knn_top_1_accuracy"] == 1.0
    assert all(other == found[0] for other in found)


def test_simclr_is_judged_by_its_encoder_with_its_own_preprocessing(photos):
    model = simclr_tf.SimCLR(
        tf_models.ResNet(depth=18, width_multiplier=0.0625, stem="cifar"),
        tf_models.ProjectionHead(num_layers=2, output_dim=8),
        simclr_tf.augmentation.SimCLRAugmentation(8, seed=0),
    )
    seen = {}

    def spy(train, test, num_classes):
        seen["features"] = test.features
        return np.zeros([16, num_classes])

    evaluation.evaluate(model, photos, photos, 2, {"spy": spy}, batch_size=5)
    expected = model.predict(photos[0], verbose=0)
    np.testing.assert_allclose(seen["features"], expected, atol=1e-5)
    crop = simclr_tf.augmentation.EvaluationCrop(8)
    evaluation.evaluate(model.encoder, photos, photos, 2, {"spy": spy}, crop)
    np.testing.assert_allclose(seen["features"], expected, atol=1e-5)


def test_extract_features_keeps_order_and_the_last_batch():
    images = np.random.RandomState(0).rand(10, 4, 4, 3).astype("float32")
    labels = np.arange(10)
    encoder = keras.Sequential(
        [keras.Input([4, 4, 3]), keras.layers.AveragePooling2D(2)]
    )
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).batch(4)
    found = evaluation.extract_features(encoder, batches)
    np.testing.assert_allclose(found.features, images.mean((1, 2)), atol=1e-6)
    np.testing.assert_array_equal(found.labels, labels)
    unlabelled = evaluation.extract_features(encoder, batches.map(lambda x, y: x))
    assert unlabelled.labels is None
    with pytest.raises(UserError, match="a batch at least"):
        evaluation.extract_features(encoder, batches.take(0))


def test_many_encoders_are_judged_without_a_warning(monkeypatch, caplog):
    limit = "FREQUENT_TRACING_WARNING_MAX_WARNING_PER_DETECTOR"  # in one process
    monkeypatch.setattr(polymorphic_function, limit, 1000)
    images = tf.data.Dataset.from_tensors(tf.zeros([2, 12, 14, 3]))
    tf.get_logger().addHandler(caplog.handler)
    try:
        for _ in range(8):
            evaluation.extract_features(colours(), images)
    finally:
        tf.get_logger().removeHandler(caplog.handler)
    assert caplog.messages == []


def test_a_diverged_encoder_is_named(photos):
    images, labels = photos
    broken = np.where(labels[:, None, None, None] == 1, np.nan, images / 255)
    with pytest.raises(UserError, match="must be finite, got nan or inf for 8 of 16"):
        evaluation.evaluate(colours(), (broken, labels), (broken, labels), 2)


def test_what_is_wrong_is_said(photos):
    images, labels = photos
    judge = functools.partial(evaluation.evaluate, colours(), test=photos)
    unlabelled = tf.data.Dataset.from_tensor_slices(images).batch(4)
    endless = tf.data.Dataset.from_tensor_slices(photos).batch(4).repeat()
    for wrong, message in (
        ({"train": images}, "`train` must be a tf.data.Dataset of .* got ndarray"),
        ({"train": unlabelled}, "`train` must have labels"),
        ({"train": endless}, "`train` must be a data set that ends"),
        ({"train": (images, labels + 1)}, "`train` must have labels in 0 .. 1, got 2"),
        ({"train": photos, "evaluators": ("svm",)}, "head, knn, logistic.* got svm"),
        ({"train": photos, "evaluators": ()}, "names out of .* got none"),
        ({"train": photos, "num_classes": 1}, "`num_classes` must be >= 2, got 1"),
    ):
        with pytest.raises(UserError, match=message):
            judge(**{"num_classes": 2, **wrong})


def test_labels_may_be_small_integers():
    random = np.random.RandomState(0)
    labels = np.arange(300) % 30  # 30 * 1024 votes are more than uint8 counts
    features = np.eye(30, dtype="float32")[labels] + 0.1 * random.randn(300, 30)
    found = [
        evaluation.evaluate_features(
            evaluation.Features(features, labels.astype(kind)),
            evaluation.Features(features, labels.astype(kind)),
            np.array(30, kind),
            ("knn",),
        )
        for kind in ("uint8", "int64")
    ]
    assert found[0] == found[1] and found[0]["knn_top_1_accuracy"] == 1.0
