import io
import re
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import simclr_tf
import tf_models
from simclr_tf import augmentation, data, losses
from simclr_tf.errors import UserError
from simclr_tf.training import _problems, callbacks


class Terminal(io.StringIO):
    def isatty(self):
        return True


def fit(*given, steps=5, target=1.0):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = np.ones([4 * steps, 2], "float32")
    model.fit(
        data, target * data[:, :1], batch_size=4, verbose=0, callbacks=list(given)
    )


class Steps(callbacks.StepCallback):
    def __init__(self, seen, **options):
        super().__init__(**options)
        self._seen = seen

    def on_step(self, step, logs):
        self._seen.append(step)


def test_steps_count_on_and_the_last_one_is_never_missed():
    seen = []
    fit(Steps(seen, first_step=3, total_steps=8, every=2))
    assert seen == [4, 6, 8]
    seen.clear()
    fit(Steps(seen, first_step=0, total_steps=5, every=3))
    assert seen == [3, 5]


def test_progress_is_plain_lines_where_there_is_no_terminal():
    out = io.StringIO()
    fit(callbacks.Progress(4, 10, 15, every=2, file=out))
    lines = out.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["12/15", "14/15", "15/15"]
    for line in lines:
        assert "loss " in line and "images/s" in line and "left" in line
        assert "\r" not in line


def test_progress_is_a_live_bar_on_a_terminal():
    out = Terminal()
    fit(callbacks.Progress(4, 0, 5, every=2, file=out))
    last = out.getvalue().split("\r")[-1]
    assert "5/5" in last and "loss" in last and "images/s" in last


@pytest.mark.parametrize(
    ("total", "said"),
    [(111, "step 16/111  about 03:10 to go\n"), (26, "")],  # 95 steps, and 10
)
def test_after_the_first_steps_progress_says_how_long_the_rest_takes(
    total, said, monkeypatch
):
    out, now = io.StringIO(), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    progress = callbacks.Progress(4, 10, total, every=50, file=out)
    progress.on_train_begin()
    for step in range(7):
        now[0] += 60.0 if step == 0 else 2.0  # the first one is traced
        progress.on_train_batch_begin(step)
        progress.on_train_batch_end(step)
    assert out.getvalue() == said


def test_progress_shows_the_share_of_time_that_steps_waited():
    def batches(slow):
        def slowly():
            time.sleep(slow)
            return np.float32(1)

        def made(_):
            one = tf.ensure_shape(tf.numpy_function(slowly, [], tf.float32), [])
            return one * tf.ones([4, 2]), one * tf.ones([4, 1])

        return tf.data.Dataset.range(6).map(made)

    shares = []
    for slow in (0.0, 0.3):
        out, arrivals = io.StringIO(), data.Arrivals()
        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        progress = callbacks.Progress(4, 0, 6, every=6, file=out, arrivals=arrivals)
        model.fit(arrivals.noted(batches(slow)), verbose=0, callbacks=[progress])
        shares.append(int(re.search(r"(\d+)% waiting", out.getvalue())[1]))
    assert shares[0] < shares[1]


def test_a_profile_shows_the_steps_that_are_asked_for(tmp_path, monkeypatch):
    calls = []
    steps = Steps([], first_step=2, total_steps=7, every=1)
    for name in ("start", "stop"):
        real = getattr(tf.profiler.experimental, name)
        monkeypatch.setattr(
            tf.profiler.experimental,
            name,
            lambda *a, name=name, real=real: (
                calls.append((name, steps.step)),
                real(*a),
            ),
        )
    # Steps 3 to 7: the profile is of 4 and 5; `steps` counts before it.
    fit(steps, callbacks.Profile(str(tmp_path), 4, 5, first_step=2))
    assert calls == [("start", 3), ("stop", 5)]
    assert list(tmp_path.glob("plugins/profile/*/*.xplane.pb"))
    calls.clear()
    steps.step = 2
    fit(steps, callbacks.Profile(str(tmp_path), 6, 90, first_step=2))
    assert calls == [("start", 5), ("stop", 7)]  # the training ends before
    calls.clear()
    fit(callbacks.Profile(str(tmp_path), 90, 99))
    assert not calls


def test_a_loss_that_is_no_number_ends_the_run_in_words():
    words = "not finite at step 1: loss nan, learning rate 0.01. Try a smaller"
    with pytest.raises(UserError, match=words):
        fit(callbacks.NonFinite(), target=float("nan"))


def test_progress_shows_chance_beside_the_loss():
    out = io.StringIO()
    progress = callbacks.Progress(4, 0, 2, every=1, file=out)
    progress.set_model(None)
    progress.on_train_begin()
    progress.on_step(1, {"contrast_loss": 3.4123, "contrast_loss_chance": 6.2364})
    assert "contrast_loss 3.412 (chance 6.236)  " in out.getvalue()


class Constant(keras.layers.Layer):
    """A projection head that says the same of every image."""

    def hidden_layers(self, features, training=False):
        return [features, 0.0 * features[:, :4] + 1.0]

    def call(self, features, training=False):
        return self.hidden_layers(features)[-1]


def pictures(alike=False):
    """Pictures of one colour each, and labels that say nothing of it."""
    random = np.random.RandomState(0)
    colours = random.randint(0, 256, [32, 1, 1, 3])
    images = np.clip(colours + random.randint(-9, 9, [32, 8, 8, 3]), 0, 255)
    if alike:
        images = np.full_like(images, 128)
    return images.astype("uint8"), np.arange(32) % 2


def warnings_of(learning_rate=0.05, head=None, data=None, steps=20, **options):
    """What `Diagnostics` says in a small pre-training."""
    said = []
    encoder = keras.Sequential(
        [
            keras.layers.Input([8, 8, 3]),
            keras.layers.Conv2D(8, 3),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
        ]
    )
    model = simclr_tf.SimCLR(
        encoder,
        head or tf_models.ProjectionHead(num_layers=2, output_dim=8),
        augmentation=augmentation.SimCLRAugmentation(8, 0.5, blur=False, seed=0),
        num_classes=2,
    )
    model.compile(keras.optimizers.Adam(learning_rate), losses.NTXent(0.5))
    watch = callbacks.Diagnostics(
        **{"every": 5, "after_steps": 10, "say": said.append, **options}
    )
    images, labels = data or pictures()
    model.fit(
        np.tile(images, [steps, 1, 1, 1]),
        np.tile(labels, steps),
        batch_size=32,
        shuffle=False,  # every batch has all 32 pictures
        verbose=0,
        callbacks=[watch],
    )
    return said


def kinds(said):
    words = {
        "collapsed": "collapse",
        "not learn": "no_learning",
        "guesses": "head",
    }
    found = [kind for text in said for word, kind in words.items() if word in text]
    assert len(found) == len(said)
    return found


def test_a_training_that_learns_is_not_warned_of():
    images, _ = pictures()
    colour = images.mean(axis=(1, 2))
    labels = (colour[:, 0] > colour[:, 2]).astype("int64")
    fit = {"steps": 60, "after_steps": 40, "every": 20}
    assert warnings_of(data=(images, labels), **fit) == []


def test_a_learning_rate_of_0_is_said_once():
    said = [text for text in warnings_of(learning_rate=0.0) if "guesses" not in text]
    assert kinds(said) == ["no_learning"]
    assert "it does not learn: the contrastive loss began at" in said[0]
    assert "Try another learning rate" in said[0]


def test_images_that_are_all_alike_teach_nothing():
    assert "no_learning" in kinds(warnings_of(data=pictures(alike=True)))


def test_a_constant_projection_is_a_collapse_at_chance():
    said = warnings_of(head=Constant())
    assert {"collapse", "no_learning"} <= set(kinds(said))
    (collapse,) = [text for text in said if "collapsed" in text]
    assert "(embedding_std) is 0.000" in collapse
    assert "Try a smaller learning rate" in collapse
    (chance,) = [text for text in said if "does not learn" in text]
    assert "is 4.143, and guessing gives 4.143" in chance  # ln 63


def test_nothing_is_judged_before_the_warm_up_is_over():
    assert warnings_of(head=Constant(), warmup_steps=11, after_steps=10) == []
    late = warnings_of(head=Constant(), warmup_steps=8, after_steps=10)
    assert late[0].startswith("Warning at step 20: ")


@pytest.mark.parametrize(
    ("total_steps", "first_step", "judged_from"),
    [(None, 0, 110), (1000, 0, 110), (70, 0, 40), (20, 0, 30), (1000, 500, 600)],
)
def test_a_short_training_is_judged_earlier(total_steps, first_step, judged_from):
    said = []
    watch = callbacks.Diagnostics(
        warmup_steps=10, first_step=first_step, total_steps=total_steps, say=said.append
    )
    watch.set_model(keras.Sequential())
    watch._is_new = False
    watch.on_step(judged_from - 1, {"embedding_std": 0.0})
    assert not said
    watch.on_step(judged_from, {"embedding_std": 0.0})
    assert len(said) == 1


FIGURES = {
    "contrast_loss": 3.0,
    "contrast_loss_chance": np.log(2 * 200 - 1),  # 5.989
    "contrast_acc": 0.1,
    "embedding_std": 0.9,
    "supervised_acc": 0.3,
}


@pytest.mark.parametrize(
    ("changed", "first_loss", "expected"),
    [
        ({}, 5.0, []),
        ({"embedding_std": 0.051}, 5.0, []),
        ({"embedding_std": 0.049}, 5.0, ["collapse"]),
        ({"contrast_loss": 5.86, "contrast_acc": 0.005}, np.inf, []),
        ({"contrast_loss": 5.88, "contrast_acc": 0.005}, np.inf, ["no_learning"]),
        ({"contrast_loss": 7.0, "contrast_acc": 0.007}, 8.0, ["no_learning"]),
        ({"contrast_loss": 7.0, "contrast_acc": 0.008}, 8.0, []),  # low temperature
        ({"contrast_loss": 4.94}, 5.0, []),
        ({"contrast_loss": 4.96}, 5.0, ["no_learning"]),
        ({"contrast_loss": 4.96, "temperature": 0.3}, 5.0, []),  # which moves it
        ({"contrast_loss": 2.0}, 2.0, []),  # from a checkpoint: it has learned
        ({"supervised_acc": 0.111}, 5.0, []),
        ({"supervised_acc": 0.109}, 5.0, ["guessing"]),
    ],
)
def test_bounds_of_what_is_wrong(changed, first_loss, expected):
    found = _problems.find({**FIGURES, **changed}, first_loss, num_classes=10)
    assert list(found) == expected


def test_a_memory_that_fills_is_no_failure_to_learn():
    # Among 2 x 200 - 1 candidates at first, and 4096 more by now.
    first_chance, chance = np.log(399), np.log(399 + 4096)
    figures = FIGURES | {"contrast_loss_chance": chance, "memory_filled": 4096}
    for loss, accuracy, expected in (
        (6.9, 0.1, []),  # of 5.0 at first, as 7.02 is of now
        (6.96, 0.1, ["no_learning"]),
        (8.4, 0.008, []),
        (8.4, 0.007, ["no_learning"]),  # a guess among 200 finds 0.005
    ):
        figures |= {"contrast_loss": loss, "contrast_acc": accuracy}
        first = 5.0 if accuracy == 0.1 else np.inf
        assert list(_problems.find(figures, first, 10, first_chance)) == expected, loss


def test_figures_that_are_not_there_are_not_judged():
    assert _problems.find({"loss": 1.0, "supervised_acc": 0.0}, 1.0, None) == {}
    fit(callbacks.Diagnostics(after_steps=0, every=1, say=pytest.fail))
