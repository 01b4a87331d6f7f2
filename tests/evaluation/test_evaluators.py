import numpy as np
import pytest
import tensorflow as tf
from sklearn import linear_model, neighbors
from tensorflow import keras

from simclr_tf import evaluation


def clusters(count, seed, classes=4, spread=2.5):
    random = np.random.RandomState(seed)
    labels = np.arange(count) % classes
    centres = np.random.RandomState(99).randn(classes, 16)
    features = centres[labels] + spread * random.randn(count, 16)
    return evaluation.Features(features.astype("float32"), labels.astype("int64"))


def test_top_k_accuracies_by_hand():
    scores = [[0.1, 0.5, 0.4], [0.6, 0.3, 0.1], [0.2, 0.3, 0.5]]
    figures = evaluation.top_k_accuracies([1, 2, 0], scores, ks=(1, 2, 5))
    assert figures == pytest.approx(
        {
            "label_top_1_accuracy": 1 / 3,
            "label_top_2_accuracy": 1 / 3,
            "label_top_5_accuracy": 1.0,
        }
    )


def test_knn_agrees_with_scikit_learn():
    train, test = clusters(400, 0), clusters(200, 1)
    oracle = neighbors.KNeighborsClassifier(
        n_neighbors=7,
        metric="cosine",
        algorithm="brute",
        weights=lambda distance: np.exp((1 - distance) / 0.1),
    )
    oracle.fit(train.features, train.labels)
    scores = evaluation.knn_scores(
        test.features, train.features, train.labels, 4, 7, temperature=0.1, block=64
    )
    np.testing.assert_allclose(scores, oracle.predict_proba(test.features), atol=1e-4)
    figures = evaluation.evaluate_knn(train, test, 4, 7, temperature=0.1)
    assert figures["label_top_1_accuracy"] == pytest.approx(
        oracle.score(test.features, test.labels), abs=0.006
    )


def test_more_neighbors_than_features_counts_all():
    train = clusters(8, 0)
    scores = evaluation.knn_scores(
        train.features, train.features, train.labels, 4, 100, temperature=1e6
    )
    np.testing.assert_allclose(scores, np.full([8, 4], 0.25), atol=1e-4)


def test_linear_agrees_with_scikit_learn():
    train, test = clusters(2000, 0), clusters(1000, 1)
    oracle = linear_model.LogisticRegression(C=1e3, max_iter=1000)
    oracle.fit(train.features, train.labels)
    figures = evaluation.evaluate_linear(train, test, 4)
    assert figures["label_top_1_accuracy"] == pytest.approx(
        oracle.score(test.features, test.labels), abs=0.02
    )


def test_extract_features_keeps_order_and_the_last_batch():
    images = np.random.RandomState(0).rand(10, 4, 4, 3).astype("float32")
    labels = np.arange(10)
    encoder = keras.Sequential(
        [keras.layers.AveragePooling2D(2, input_shape=(4, 4, 3))]
    )
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).batch(4)
    found = evaluation.extract_features(encoder, batches)
    np.testing.assert_allclose(found.features, images.mean((1, 2)), atol=1e-6)
    np.testing.assert_array_equal(found.labels, labels)
    unlabelled = evaluation.extract_features(encoder, batches.map(lambda x, y: x))
    assert unlabelled.labels is None


@pytest.mark.parametrize("wrong", [{"neighbors": 0}, {"temperature": 0.0}])
def test_wrong_arguments_say_what_is_allowed(wrong):
    train = clusters(8, 0)
    with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must be"):
        evaluation.evaluate_knn(train, train, 4, **wrong)
