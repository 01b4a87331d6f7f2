import numpy as np
import pytest
from sklearn import metrics

from simclr_tf import evaluation
from simclr_tf.errors import UserError


def test_figures_by_hand():
    # Ranks of the labels: 1st; 4th; 6th; 1st. Class 5 has no image.
    scores = np.array(
        [
            [6, 5, 4, 3, 2, 1],
            [6, 5, 4, 3, 2, 1],
            [1, 6, 5, 4, 3, 2],
            [0, 9, 0, 0, 0, 0],
        ]
    )
    found = evaluation.figures([0, 3, 0, 1], scores)
    assert found["top_1_accuracy"] == 2 / 4
    assert found["top_5_accuracy"] == 3 / 4
    assert found["mean_per_class_accuracy"] == (1 / 2 + 0 + 1) / 3


def test_figures_agree_with_scikit_learn():
    random = np.random.RandomState(0)
    labels, scores = random.randint(0, 9, 500), random.randn(500, 9)
    found = evaluation.figures(labels, scores)
    for k in (1, 5):
        expected = metrics.top_k_accuracy_score(labels, scores, k=k)
        assert found[f"top_{k}_accuracy"] == pytest.approx(expected)
    assert found["mean_per_class_accuracy"] == pytest.approx(
        metrics.balanced_accuracy_score(labels, scores.argmax(1))
    )


def test_equal_scores_are_ranked_by_class_not_all_found():
    # A constant score finds the first class, and the first five, as `argmax` does.
    found = evaluation.figures(np.arange(10), np.zeros([10, 10]))
    assert found["top_1_accuracy"] == 0.1 and found["top_5_accuracy"] == 0.5


def test_interval_of_wilson_by_hand():
    # 8 of 10: the published example, 49.0 to 94.3 %.
    low, high = evaluation.wilson_interval(8, 10)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert 0.0 <= evaluation.wilson_interval(0, 5)[0] < 1e-9
    assert 1.0 >= evaluation.wilson_interval(5, 5)[1] > 1 - 1e-9
    scores = np.eye(2)[[0] * 10]
    found = evaluation.figures([0] * 8 + [1] * 2, scores)
    assert found["top_1_accuracy_low"] == low
    assert found["top_1_accuracy_high"] == high


def test_interval_covers_the_truth_in_19_of_20_draws():
    hits = np.random.RandomState(0).binomial(200, 0.7, 2000)
    ends = [evaluation.wilson_interval(int(hit), 200) for hit in hits]
    covered = np.mean([low <= 0.7 <= high for low, high in ends])
    assert 0.93 < covered < 0.97


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([], np.zeros([0, 2]), "must have labels, got none"),
        ([0, -1], np.zeros([2, 2]), "labels in 0 .. 1, got -1"),
        ([0, 2], np.zeros([2, 2]), "labels in 0 .. 1, got 2"),
        ([0, 1], np.zeros([3, 2]), "must be \\[2, K\\]"),
        ([0], np.full([1, 2], np.nan), "must be numbers"),
    ],
)
def test_wrong_labels_and_scores_are_refused(labels, scores, message):
    with pytest.raises(UserError, match=message):
        evaluation.figures(np.array(labels, int), scores)
