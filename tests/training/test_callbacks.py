import io

import numpy as np
import pytest
from tensorflow import keras

from simclr_tf.errors import UserError
from simclr_tf.training import callbacks


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


def test_steps_count_on_and_the_last_one_is_never_missed():
    seen = []
    fit(callbacks.SaveCheckpoints(seen.append, first_step=3, total_steps=8, every=2))
    assert seen == [4, 6, 8]
    seen.clear()
    fit(callbacks.SaveCheckpoints(seen.append, first_step=0, total_steps=5, every=3))
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


def test_a_loss_that_is_no_number_ends_the_run_in_words():
    with pytest.raises(UserError, match="not a number at step 1.*--learning_rate"):
        fit(callbacks.Progress(4, 0, 5, 1, file=io.StringIO()), target=float("nan"))
