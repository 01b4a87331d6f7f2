import numpy as np
import pytest
from sklearn import linear_model

from simclr_tf import evaluation
from simclr_tf.errors import UserError
from simclr_tf.evaluation import logistic


def uneven(features):
    """The same rows with axes of very different lengths, not around 0."""
    lengths = np.logspace(1, -1, features.features.shape[1])
    return features._replace(features=(features.features + 3) * lengths)


def scikit_learn(train, l2):
    return linear_model.LogisticRegression(C=1 / l2, max_iter=10_000, tol=1e-8).fit(
        train.features.astype("float64"), train.labels
    )


@pytest.mark.parametrize("l2", [1e3, 1.0, 0.03])
@pytest.mark.parametrize("change", [lambda features: features, uneven])
def test_minimum_is_that_of_scikit_learn(clusters, l2, change):
    train, test = change(clusters(600, 0)), change(clusters(200, 1))
    result = evaluation.evaluate_logistic(train, test, 4, l2_values=[l2])
    expected = scikit_learn(train, l2).decision_function(test.features)
    found = result.scores - result.scores.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=0.02 * expected.std())
    assert result.chosen == {"l2": l2}


def test_chosen_l2_is_the_best_on_held_out_rows(clusters):
    train, test = clusters(300, 0), clusters(400, 1)
    values = (1e5, 3e2, 1e-6)
    result = evaluation.evaluate_logistic(train, test, 4, l2_values=values, seed=3)
    kept, held = logistic.stratified_split(train.labels, 0.2, 3)
    part = evaluation.Features(train.features[kept], train.labels[kept])
    scores = [
        scikit_learn(part, l2).score(train.features[held], train.labels[held])
        for l2 in values
    ]
    assert result.chosen["l2"] == values[int(np.argmax(scores))]
    accuracy = np.mean(result.scores.argmax(1) == test.labels)
    oracle = scikit_learn(train, result.chosen["l2"])  # refitted on all rows
    assert accuracy == pytest.approx(
        oracle.score(test.features, test.labels), abs=0.005
    )


def test_the_sweep_is_the_papers():
    values = logistic.L2_VALUES
    assert len(values) == 45
    assert (values[0], values[-1]) == pytest.approx((1e5, 1e-6))
    np.testing.assert_allclose(np.diff(np.log10(values)), -0.25)


def test_split_takes_the_same_share_of_every_class():
    labels = np.array([0] * 50 + [1] * 10 + [2] * 2 + [3])
    kept, held = logistic.stratified_split(labels, 0.2, seed=0)
    assert sorted([*kept, *held]) == list(range(63))
    assert np.bincount(labels[held], minlength=4).tolist() == [10, 2, 1, 0]
    again = logistic.stratified_split(labels, 0.2, seed=0)[1]
    other = logistic.stratified_split(labels, 0.2, seed=1)[1]
    assert held.tolist() == again.tolist() != other.tolist()


def test_a_class_without_training_rows_and_constant_features_do_no_harm(clusters):
    train, test = clusters(90, 0, classes=3), clusters(40, 1)
    train.features[:, 5] = test.features[:, 5] = 7.0
    result = evaluation.evaluate_logistic(train, test, 4)
    assert np.isfinite(result.scores).all()
    assert 3 not in result.scores.argmax(axis=1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"l2_values": [1.0, 0.0]}, "`l2_values` must be positive"),
        ({"l2_values": []}, "`l2_values` must be positive"),
        ({"held_out": 1.0}, "`held_out` must be > 0 and < 1, got 1.0"),
    ],
)
def test_wrong_arguments_say_what_is_allowed(clusters, wrong, message):
    train = clusters(8, 0)
    with pytest.raises(UserError, match=message):
        evaluation.evaluate_logistic(train, train, 4, **wrong)


def test_one_row_a_class_cannot_choose_but_can_be_fitted(clusters):
    train = clusters(4, 0)
    with pytest.raises(UserError, match="no class .* has two rows"):
        evaluation.evaluate_logistic(train, train, 4)
    result = evaluation.evaluate_logistic(train, train, 4, l2_values=[1e-3])
    assert result.scores.argmax(1).tolist() == [0, 1, 2, 3]
