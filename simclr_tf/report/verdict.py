"""Judges in words whether a run has learned, and what to try next."""

import dataclasses
import math

from simclr_tf.printing import shell
from simclr_tf.training import _problems

TITLES = {
    "knn": "nearest neighbours",
    "logistic": "logistic regression",
    "head": "linear head",
}
_STILL_FALLING = 0.02  # share of the whole fall, over the last fifth of the steps
_SMALL_BATCH = 256
_FEW_DIRECTIONS = 0.1
_MANY_DUPLICATES = 0.01


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What is known about a run; what is not known keeps its default.

    Attributes:
        curves: Dict of `Curve` by tag.
        rows: Dict of the evaluators' figures, from `read_results`.
        num_classes: Int, the classes of the labels.
        train_mode: Str, "pretrain", "finetune" or "distill".
        batch_size: Int.
        folder: Str, the run's folder.
        data: List of str, the arguments of a command on the same images.
        rank: Float, the effective rank of the features.
        dim: Int, the largest rank that they could have.
        duplicates: Float, near-duplicates as a share of the images that were compared.
    """

    curves: dict
    rows: dict
    num_classes: int | None = None
    train_mode: str = "pretrain"
    batch_size: int | None = None
    folder: str = ""
    data: list = dataclasses.field(default_factory=list)
    rank: float | None = None
    dim: int | None = None
    duplicates: float = 0.0

    def last(self, name):
        """The last value of a curve `train/...`, or None."""
        curve = self.curves.get(f"train/{name}")
        return None if curve is None else float(curve.values[-1])

    def first(self, name):
        """The first value of a curve with several values, or None."""
        curve = self.curves.get(f"train/{name}")
        return float(curve.values[0]) if curve and len(curve.values) > 1 else None


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The answer to "did it learn?".

    Attributes:
        kind: "yes", "partly", "no" or "unknown".
        headline: Str.
        reasons: List of str.
        advice: List of `(text, command)`, what to try next; the command may be None.
    """

    kind: str
    headline: str
    reasons: list
    advice: list


def judge(evidence):
    """Judges an `Evidence`; returns a `Verdict`."""
    problems = _problems_of(evidence)
    reasons = [*map(_sentence, problems.values()), *_of_task(evidence, problems)]
    worth = _worth(evidence)
    reasons += [worth[1]] if worth else []
    advice = list(_advice(evidence, problems))
    kind, headline = _answer(evidence, problems, worth, reasons)
    if kind == "unknown":
        reasons = ["There are neither training curves nor results of evaluators."]
    return Verdict(kind, headline, reasons, advice)


def _answer(evidence, problems, worth, reasons):
    """The kind of a verdict, and its headline."""
    compared = worth[0] if worth else None
    loss, chance = evidence.last("contrast_loss"), evidence.last("contrast_loss_chance")
    if problems.keys() & {"collapse", "no_learning"}:
        return "no", "No, it did not learn."
    if compared == "worse":
        return "no", "No: the features of an untrained network are as good."
    if compared == "unclear":
        return "partly", "Perhaps: the lead over an untrained network may be chance."
    if compared == "guessing":
        return "partly", "Perhaps: the lead over guessing may be chance."
    if problems:
        return "partly", "It learned its task, but nothing about these labels."
    if not worth and None not in (loss, chance) and loss >= chance:
        return "partly", "Hardly: the contrastive loss is not below that of guessing."
    if not reasons:
        return "unknown", "There is too little to tell."
    return "yes", "Yes, it learned."


def percent(share):
    """A share as people read it: "78.8%"."""
    return f"{100 * share:.1f}%"


def _problems_of(evidence):
    names = (
        "embedding_std",
        "contrast_loss",
        "contrast_loss_chance",
        "contrast_acc",
        "memory_filled",
        "supervised_acc",
        "temperature",
    )
    figures = {name: evidence.last(name) for name in names}
    figures = {name: value for name, value in figures.items() if value is not None}
    first = evidence.first("contrast_loss")
    first = math.inf if first is None else first
    chance = evidence.first("contrast_loss_chance")
    return _problems.find(figures, first, evidence.num_classes, chance)


def _of_task(evidence, problems):
    """Yields sentences about the task that was trained."""
    first, last = evidence.first("contrast_loss"), evidence.last("contrast_loss")
    chance = evidence.last("contrast_loss_chance")
    if last is not None and first is not None and "no_learning" not in problems:
        beside = "" if chance is None else f"; guessing gives {chance:.2f}"
        yield f"The contrastive loss went from {first:.2f} to {last:.2f}{beside}."
    found = evidence.last("contrast_acc")
    if found is not None and evidence.batch_size:
        yield (
            f"The other view of an image is found among {evidence.batch_size:,} in "
            f"{percent(found)} of cases; guessing finds it in "
            f"{percent(1 / evidence.batch_size)}."
        )
    accuracy = evidence.last("supervised_acc")
    if last is None and accuracy is not None and "guessing" not in problems:
        classes = evidence.num_classes
        beside = f"; guessing gives {percent(1 / classes)}" if classes else ""
        yield (
            f"In training, the linear head predicts {percent(accuracy)} of all images "
            f"correctly{beside}."
        )


def _worth(evidence):
    """Compares the features with an untrained network's: a word and a sentence.

    The word is "better", "unclear" (the interval includes the untrained network's
    accuracy) or "worse". If no untrained network was evaluated, they are compared with
    guessing: "better", or "guessing" if the interval includes that; None if the number
    of classes is not known either.
    """
    trained = evidence.rows.get("trained", {})
    untrained = evidence.rows.get("untrained", {})
    names = [name for name in TITLES if f"{name}_top_1_accuracy" in trained]
    if not names:
        return None
    both = [name for name in names if f"{name}_top_1_accuracy" in untrained]
    name = (both or names)[0]
    key = f"{name}_top_1_accuracy"
    beside = []
    if both:
        beside.append(f"{percent(untrained[key])} with an untrained network")
    if evidence.num_classes:
        beside.append(f"{percent(1 / evidence.num_classes)} by guessing")
    low = trained.get(f"{key}_low", 0)
    compared = None
    if both:
        rather = "unclear" if trained[key] > untrained[key] else "worse"
        compared = "better" if low > untrained[key] else rather
    elif evidence.num_classes:
        compared = "better" if low > 1 / evidence.num_classes else "guessing"
    by = f"the {TITLES[name]}" if name == "head" else TITLES[name]
    sentence = (
        f"By {by}, {percent(trained[key])} of the evaluation images are classified "
        "correctly"
    )
    return (
        compared,
        f"{sentence}{', against ' * bool(beside)}{' and '.join(beside)}.",
    )


def _advice(evidence, problems):
    if evidence.train_mode == "pretrain":
        yield from _of_pretraining(evidence, problems)
    if evidence.duplicates >= _MANY_DUPLICATES:
        yield (
            f"{percent(evidence.duplicates)} of the training images compared have a "
            "near-duplicate, which the loss pushes away: remove one of each pair "
            "(listed below).",
            None,
        )
    if "untrained" not in evidence.rows:
        yield (
            "Evaluate the untrained network too: only the comparison shows what was "
            "learned.",
            shell(
                "--mode=eval",
                f"--model_dir={evidence.folder}",
                "--evaluators=knn,logistic",
                "--compare_untrained",
            ),
        )
    if evidence.train_mode == "pretrain" and not problems:
        labelled = evidence.data if evidence.num_classes else ["--dataset=LABELLED"]
        yield (
            "Use it: fine-tune this run on your labels, or on some of them.",
            shell(
                "--mode=train_then_eval",
                "--train_mode=finetune",
                f"--checkpoint={evidence.folder}",
                *labelled,
                "--label_fraction=0.1",
                f"--model_dir={evidence.folder}-finetuned",
            ),
        )


def _of_pretraining(evidence, problems):
    if not problems and _still_falls(evidence.curves.get("train/contrast_loss")):
        yield (
            "The loss was still falling at the end: train longer. Contrastive training "
            "keeps improving for many steps.",
            None,
        )
    if evidence.batch_size and evidence.batch_size < _SMALL_BATCH:
        yield (
            f"A batch of {evidence.batch_size} has few negatives: try a larger "
            "--train_batch_size; --micro_batch_size makes it fit into memory.",
            None,
        )
    if evidence.rank and evidence.rank < _FEW_DIRECTIONS * evidence.dim:
        yield (
            f"The features use few directions (effective rank {evidence.rank:.0f} of "
            f"{evidence.dim}). Among runs that differ in learning rate, temperature or "
            "weight decay, those of higher rank tend to be better.",
            None,
        )


def _still_falls(curve):
    if curve is None or len(curve.values) < 10:
        return False
    count = len(curve.values) // 5
    last, before = (
        curve.values[-count:].mean(),
        curve.values[-2 * count : -count].mean(),
    )
    whole = curve.values[:count].mean() - last
    return whole > 0 and before - last >= _STILL_FALLING * whole


def _sentence(text):
    return text[0].upper() + text[1:]
