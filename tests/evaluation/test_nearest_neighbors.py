import numpy as np
import pytest
from sklearn import neighbors

from simclr_tf import evaluation
from simclr_tf.errors import UserError


def test_agrees_with_scikit_learn(clusters):
    train, test = clusters(400, 0), clusters(200, 1)
    oracle = neighbors.KNeighborsClassifier(
        n_neighbors=7,
        metric="cosine",
        algorithm="brute",
        weights=lambda distance: np.exp((1 - distance) / 0.1),
    )
    oracle.fit(train.features, train.labels)
    result = evaluation.evaluate_knn(train, test, 4, 7, temperature=0.1)
    expected = oracle.predict_proba(test.features)
    np.testing.assert_allclose(result.scores, expected, atol=1e-4)


@pytest.mark.parametrize(("block", "bank_block"), [(64, 50), (7, 3), (200, 1)])
def test_any_blocks_give_the_same(clusters, block, bank_block):
    train, test = clusters(400, 0), clusters(100, 1)
    arguments = (test.features, train.features, train.labels, 4, 9)
    whole = evaluation.knn_scores(*arguments, block=1000, bank_block=1000)
    blocks = evaluation.knn_scores(*arguments, block=block, bank_block=bank_block)
    np.testing.assert_allclose(blocks, whole, atol=1e-5)


@pytest.mark.parametrize("bank_block", [1, 2, 3, 100])
def test_of_equally_near_features_the_first_count(bank_block):
    bank = np.eye(2)[[0, 1, 1, 1, 1, 0]]  # exact similarities, 0 and 1
    labels = np.array([3, 1, 2, 0, 0, 3])
    scores = evaluation.knn_scores(
        np.array([[0.0, 5.0]]), bank, labels, 4, 2, bank_block=bank_block
    )
    np.testing.assert_allclose(scores, [[0, 0.5, 0.5, 0]])


def test_two_neighbours_by_hand():
    # Cosines 1 and 0 at temperature 0.5: votes e^2 and e^0.
    bank, labels = np.array([[3.0, 0.0], [0.0, 0.2]]), np.array([1, 0])
    scores = evaluation.knn_scores(bank[:1], bank, labels, 2, 2, temperature=0.5)
    share = np.exp(2) / (np.exp(2) + 1)
    np.testing.assert_allclose(scores, [[1 - share, share]], rtol=1e-6)


def test_features_without_a_label_take_a_place_and_have_no_vote():
    bank, labels = np.eye(3)[[0, 1, 2, 0]], np.array([-1, 1, 0, -1])
    queries = np.array([[3.0, 2.0, 1.0], [1.0, 0.0, 0.0]])
    scores = evaluation.knn_scores(queries, bank, labels, 2, 3, temperature=1e-4)
    # Both are nearest to the unlabelled ones; class 1 has the third place.
    np.testing.assert_allclose(scores, [[0, 1], [0, 1]])
    alone = evaluation.knn_scores(queries, bank, labels, 2, 2)
    np.testing.assert_array_equal(alone, np.zeros([2, 2]))


def test_more_neighbors_than_features_counts_all(clusters):
    train = clusters(8, 0)
    scores = evaluation.knn_scores(
        train.features, train.features, train.labels, 4, 100, temperature=1e6
    )
    np.testing.assert_allclose(scores, np.full([8, 4], 0.25), atol=1e-4)


def test_a_tiny_temperature_leaves_the_nearest_and_stays_finite(clusters):
    train = clusters(40, 0)
    result = evaluation.evaluate_knn(train, train, 4, 10, temperature=1e-6)
    np.testing.assert_allclose(result.scores, np.eye(4)[train.labels], atol=1e-5)


@pytest.mark.parametrize("wrong", [{"neighbors": 0}, {"temperature": 0.0}])
def test_wrong_arguments_say_what_is_allowed(clusters, wrong):
    train = clusters(8, 0)
    with pytest.raises(UserError, match=f"`{next(iter(wrong))}` must be"):
        evaluation.evaluate_knn(train, train, 4, **wrong)
