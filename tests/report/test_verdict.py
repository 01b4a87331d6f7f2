"""What is said of a run."""

import numpy as np
import pytest

from simclr_tf.report import repeating, verdict
from simclr_tf.report.folder import Curve


def curve(*values):
    steps = 10 * np.arange(1, len(values) + 1)
    return Curve(steps, np.array(values, float), steps.astype(float))


LEARNED = {
    "train/contrast_loss": curve(6.0, 4.0, 3.0),
    "train/contrast_loss_chance": curve(6.2, 6.2, 6.2),
    "train/contrast_acc": curve(0.1, 0.3, 0.5),
    "train/embedding_std": curve(0.9, 0.9, 0.9),
}


FALLING = curve(*range(20, 5, -1))


def judged(trained, untrained=None, low=None):
    rows = {"trained": {"knn_top_1_accuracy": trained}}
    rows["trained"]["knn_top_1_accuracy_low"] = trained if low is None else low
    if untrained is not None:
        rows["untrained"] = {"knn_top_1_accuracy": untrained}
    return rows


def judge(curves=LEARNED, rows=None, **more):
    more = {"num_classes": 10, "batch_size": 256, "folder": "runs/a", **more}
    return verdict.judge(verdict.Evidence(curves, rows or {}, **more))


def test_a_run_that_learned():
    found = judge(rows=judged(0.8, 0.5))
    assert (found.kind, found.headline) == ("yes", "Yes, it learned.")
    assert found.reasons == [
        "The contrastive loss went from 6.00 to 3.00; guessing gives 6.20.",
        "The other view of an image is found among 256 in 50.0% of cases; guessing "
        "finds it in 0.4%.",
        "By nearest neighbours, 80.0% of the evaluation images are classified "
        "correctly, against 50.0% with an untrained network and 10.0% by guessing.",
    ]
    ((_, command),) = found.advice
    assert "--checkpoint=runs/a" in command


def test_what_it_says_to_try_next_is_tried_on_the_same_images():
    data = repeating.of_data(
        {"dataset": "my cats", "eval_split": "test", "temperature": 0.2}
    )
    assert data == ["--dataset=my cats", "--eval_split=test"]
    ((_, command),) = judge(rows=judged(0.8, 0.5), data=data).advice
    assert "'--dataset=my cats'" in command and "--eval_split=test" in command


def test_what_it_says_to_try_next_is_tried_on_the_images_with_labels():
    flags = {"dataset": "all", "train_split": "a", "probe_dataset": "some"}
    assert repeating.of_data(flags) == ["--dataset=some", "--train_split=train"]
    flags["probe_split"] = "b"
    assert repeating.of_data(flags) == ["--dataset=some", "--train_split=b"]


def test_without_labels_it_asks_for_images_that_have_some():
    found = judge(rows=judged(0.8, 0.5), data=["--dataset=photos"], num_classes=None)
    ((_, command),) = found.advice
    assert "--dataset=LABELLED" in command and "photos" not in command


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        (judged(0.8, 0.5, low=0.7), "yes"),
        (judged(0.8, 0.75, low=0.7), "partly"),  # the interval has both
        (judged(0.5, 0.6, low=0.4), "no"),
        (judged(0.8), "yes"),  # beside guessing
        (judged(0.2, low=0.05), "partly"),
    ],
)
def test_the_untrained_network_is_what_counts(rows, kind):
    assert judge(rows=rows).kind == kind
    asked = any("--compare_untrained" in (c or "") for _, c in judge(rows=rows).advice)
    assert asked == ("untrained" not in rows)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"train/embedding_std": curve(0.9, 0.01)}, "no", "have collapsed"),
        (
            {
                "train/contrast_loss": curve(6.2, 6.2),
                "train/contrast_acc": curve(0.004, 0.004),
            },
            "no",
            "does not learn",
        ),
        ({"train/supervised_acc": curve(0.1, 0.1)}, "partly", "guesses"),
        ({"train/contrast_loss": curve(9.0, 7.0)}, "partly", "went from 9.00 to 7.00"),
    ],
)
def test_problems_are_said_in_the_words_of_the_training(change, kind, words):
    found = judge(LEARNED | change)
    assert found.kind == kind and words in found.reasons[0]
    assert found.reasons[0][0].isupper()


def test_with_nothing_to_judge_by_nothing_is_claimed():
    assert judge({}).kind == "unknown"


def test_fine_tuning_is_judged_by_its_accuracy():
    curves = {"train/supervised_acc": curve(0.3, 0.9)}
    found = judge(curves, judged(0.8, 0.5), train_mode="finetune")
    assert found.kind == "yes" and "predicts 90.0%" in found.reasons[0]
    assert "guessing gives 10.0%" in found.reasons[0]
    assert not any("fine-tune" in text for text, _ in found.advice)
    compared = judge(curves, train_mode="distill", num_classes=None)  # with other runs
    assert "predicts 90.0% of all images correctly." in compared.reasons[0]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"batch_size": 64}, "few negatives"),
        ({"rank": 5.0, "dim": 512}, "few directions"),
        ({"duplicates": 0.2}, "20.0% of the training images"),
        (
            {"curves": LEARNED | {"train/contrast_loss": curve(*range(20, 5, -1))}},
            "longer",
        ),
    ],
)
def test_advice(more, words):
    usual = [text for text, _ in judge(rows=judged(0.8, 0.5)).advice]
    found = [text for text, _ in judge(rows=judged(0.8, 0.5), **more).advice]
    (new,) = set(found) - set(usual)
    assert words in new
