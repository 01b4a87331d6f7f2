"""A pipeline makes as many elements at a time as there are cores, and tunes nothing."""

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import augmentation, data
from simclr_tf.data import threads
from tests import pictures

IMAGES = np.zeros([8, 6, 7, 3], "uint8")


def sources(folder):
    arrays = data.ArraySource(IMAGES)
    pictures.write(folder / f"{number}.png" for number in range(8))
    return {
        "arrays": arrays,
        "files": data.open_source(str(folder)),
        "sequential": data.SequentialSource(
            arrays.as_dataset(), 8, None, (6, 7, 3), "sequence"
        ),
    }


@pytest.mark.parametrize("kind", ["arrays", "files", "sequential"])
def test_whoever_drops_an_iterator_need_not_wait_for_what_tunes_it(kind, tmp_path):
    source = sources(tmp_path)[kind]
    view = augmentation.CropAndFlip(8, seed=0)
    training = data.train_batches(source, 4, 3, view=view, seed=1)
    evaluation = data.eval_batches(source, 4, augmentation.EvaluationCrop(8))
    for batches in (training, evaluation):
        assert batches.options().autotune.enabled is False
    assert training.options().experimental_warm_start is True


def test_there_are_as_many_images_at_a_time_as_cores_but_not_batches(monkeypatch):
    assert threads.per_image() == {"num_parallel_calls": threads.cores()}
    monkeypatch.setattr(threads, "cores", lambda: 3)
    assert threads.per_batch() == {"num_parallel_calls": 3}
    monkeypatch.setattr(threads, "cores", lambda: 96)
    assert threads.per_image() == {"num_parallel_calls": 96}
    assert threads.per_batch()["num_parallel_calls"] < 96


def test_what_is_fixed_is_the_same_data():
    fixed = threads.fixed(tf.data.Dataset.range(3).prefetch(2))
    assert [int(number) for number in fixed] == [0, 1, 2]
