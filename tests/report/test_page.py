"""The page, of contents that are made by hand."""

import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from simclr_tf import report
from simclr_tf.data.preview import Row
from simclr_tf.report import page
from simclr_tf.report.folder import Curve

RANDOM = np.random.RandomState(0)
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>'\"&"


def sample(count=20, num_classes=3, names=None, side=8):
    labels = np.arange(count) % num_classes
    return report.Sample(
        split=f"split {HOSTILE}",
        total=100,
        numbers=np.arange(count),
        thumbnails=RANDOM.randint(0, 256, [count, side, side, 3]).astype("uint8"),
        features=RANDOM.randn(count, 6).astype("float32"),
        labels=labels,
        class_names=tuple(names or (f"class {k}" for k in range(num_classes))),
        files=[f"folder/{HOSTILE}{row}.png" for row in range(count)],
    )


@pytest.fixture
def contents():
    image = RANDOM.randint(0, 256, [9, 7, 3]).astype("uint8")
    steps = np.arange(1, 4)
    return report.Contents(
        folder=f"runs/{HOSTILE}",
        title=HOSTILE,
        facts={"Encoder": HOSTILE, "Images": "i", "Image size": "8 px", "Steps": "3"},
        flags={"dataset": HOSTILE, "evaluators": ["head", "knn"]},
        command=f"python run.py '--dataset={HOSTILE}'",
        batch_size=8,
        train_mode="pretrain",
        num_classes=3,
        step=3,
        curves={"train/contrast_loss": Curve(steps, 3.0 / steps, 1.0 * steps)},
        spectra={
            step: np.array([3.0, 1.0, 0.2]) / step for step in (10, 20, 30, 40, 50)
        },
        results_step=3,
        rows={HOSTILE: {"knn_top_1_accuracy": 0.5}},
        judged=sample(),
        predicted=None,
        learned=sample(),
        gallery=[Row(image, HOSTILE, HOSTILE, [[image, image]])],
        projections=(RANDOM.randn(9, 4), RANDOM.randn(9, 4)),
        filters=RANDOM.randn(3, 3, 3, 4),
        notes=[HOSTILE],
    )


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.attributes, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data)


def test_whatever_a_name_holds_is_text(contents):
    names = [HOSTILE, "b", "c"]
    text, pairs = report.render(
        dataclasses.replace(contents, judged=sample(names=names))
    )
    tags = Tags(text)
    assert tags.found.count("script") == 2  # the captions of the map, and ours
    assert not [name for name, _ in tags.attributes if name.startswith("on")]
    assert ("src", "x") not in tags.attributes
    assert sum(HOSTILE in part for part in tags.texts) > 12
    # JSON of the captions, in a script element: no end of it inside.
    (captions,) = re.findall('<script type="application/json".*?>(.*?)</script>', text)
    assert "<" not in captions and "alert(1)" in captions
    assert HOSTILE.replace('"', '""') in pairs


def test_what_to_try_next_is_tried_on_the_images_of_the_run(contents):
    learned = {
        "contrast_loss": [5.0, 2.0, 1.5],
        "contrast_loss_chance": [6.2, 6.2, 6.2],
        "contrast_acc": [0.1, 0.5, 0.8],
    }
    steps = np.arange(1, 4)
    curves = {
        f"train/{name}": Curve(steps, np.array(values), 1.0 * steps)
        for name, values in learned.items()
    }
    flags = {"dataset": "my cats", "train_split": "all", "temperature": 0.2}
    shown = dataclasses.replace(contents, curves=curves, flags=flags, folder="runs/a")
    text, _ = report.render(shown)
    (command,) = re.findall("<pre>([^<]*--checkpoint=[^<]*)</pre>", text)
    assert "--dataset=my cats" in command and "--train_split=all" in command
    assert "temperature" not in command


def test_a_thousand_classes(contents):
    many = sample(1000, 1000)
    predicted = (many.labels + (np.arange(1000) % 5 == 0)) % 1000
    text, _ = report.render(
        dataclasses.replace(contents, judged=many, predicted=predicted)
    )
    assert "The 20 of 1000 classes with the most mistakes" in text
    assert "80.0% are right" in text and len(text) < 5e6


def test_every_part_may_be_missing(contents):
    missing = "it rained"
    text, pairs = report.render(
        dataclasses.replace(
            contents,
            **dict.fromkeys(["judged", "learned", "gallery", "projections"], missing),
            filters=missing,
            spectra=missing,
            curves={},
            rows={},
            results_step=None,
            flags={},
            command="",
            batch_size=None,
            num_classes=None,
        )
    )
    assert pairs is None
    assert text.count("Not shown: it rained") == 8
    assert "<img" not in text and "There is too little to tell." in text


def test_spectra_of_a_few_checkpoints_with_their_ranks(contents):
    text, _ = report.render(contents)
    # Shares 15/21, 5/21, 1/21: exp of the entropy.
    assert text.count("2.1 at step") == 4 and "at step 50" in text
    assert "at step 30" not in text
    text, _ = report.render(dataclasses.replace(contents, spectra={}))
    assert "Not shown: No checkpoint can be read" in text


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_images(contents, count):
    few = dataclasses.replace(sample(count), labels=None, class_names=None)
    text, _ = report.render(
        dataclasses.replace(
            contents,
            judged=few,
            learned=few,
            projections=(np.ones([count, 4]), np.ones([count, 4])),
        )
    )
    assert ("A single image has no neighbours" in text) == (count == 1)
    assert ("A map needs at least 3 images" in text) == (count < 3)


def test_features_that_have_collapsed(contents):
    collapsed = dataclasses.replace(sample(12), features=np.ones([12, 6], "float32"))
    text, _ = report.render(
        dataclasses.replace(contents, judged=collapsed, learned=collapsed)
    )
    assert "nan" not in re.sub('<svg.*?</svg>|base64,[^"]*', "", text, flags=re.DOTALL)


def test_labels_that_are_not_known_do_not_count(contents):
    labels = np.array([0, -1, 1, 2] * 5)
    half = dataclasses.replace(sample(20), labels=labels)
    text, _ = report.render(
        dataclasses.replace(contents, judged=half, predicted=np.zeros(20, int))
    )
    assert "33.3% are right" in text


def test_evaluators_of_every_encoder_have_a_row():
    rows = {"trained": {"knn_top_1_accuracy": 0.5}, "untrained": {}}
    rows["runs/b"] = {"knn_top_1_accuracy": 0.25, "head_top_1_accuracy": 0.125}
    found = [
        (row["evaluator"], row["encoder"], row["top_1_accuracy"])
        for row in page.evaluator_rows({"": rows})
    ]
    assert found == [
        ("nearest neighbours", "trained", "50.0%"),
        ("nearest neighbours", "runs/b", "25.0%"),
        ("linear head", "runs/b", "12.5%"),
    ]
