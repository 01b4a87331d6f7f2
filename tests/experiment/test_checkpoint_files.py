"""Checkpoints that are whole or not there, whatever ends the process or harms them."""

import os

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.experiment import checkpoint_files
from simclr_tf.literal_paths import literal


def checkpoint(value):
    weights = np.full([64, 8], value, "float32")
    return tf.train.Checkpoint(weights=tf.Variable(weights), text=tf.Variable("a" * 99))


NAMES = ["lr[0.3]", "a*b", "q?", "two words", "größe", "back\\slash", "{a,b}"]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_folders_mean_themselves(tmp_path, name):
    there = tmp_path / name
    for folder, values in ((tmp_path / "ab", (7, 8)), (there, (1, 2))):
        folder.mkdir()
        for step in values:
            checkpoint_files.write(checkpoint(step), str(folder), step)
    assert newest(str(there)) == ("ckpt-2", "")
    found = tf.train.Checkpoint(weights=tf.Variable(tf.zeros([64, 8])))
    with literal(str(there / "ckpt-2")) as path:
        found.read(path).expect_partial()
    np.testing.assert_array_equal(found.weights, 2.0)
    checkpoint_files.delete(str(there), 1)
    assert checkpoint_files.steps(str(there)) == [2]
    assert checkpoint_files.steps(str(tmp_path / "ab")) == [7, 8]


@pytest.fixture
def folder(tmp_path):
    """Folder with the checkpoints 2 and 4."""
    for step in (2, 4):
        checkpoint_files.write(checkpoint(step), str(tmp_path), step)
    checkpoint_files.write_state(str(tmp_path))
    return str(tmp_path)


def newest(folder):
    """The step that is taken, and what is said."""
    said = []
    prefix = checkpoint_files.newest(folder, "model_dir", said.append)
    return prefix and os.path.basename(prefix), " ".join(said)


def files_of(folder, step):
    return [f"{folder}/ckpt-{step}.{kind}" for kind in ("index", DATA)]


DATA = "data-00000-of-00001"


def test_the_newest_is_read_by_tensorflow_too(folder):
    assert newest(folder) == ("ckpt-4", "")
    assert tf.train.latest_checkpoint(folder) == os.path.join(folder, "ckpt-4")
    assert sorted(os.listdir(folder)) == sorted(
        ["checkpoint", *(os.path.basename(f) for s in (2, 4) for f in files_of("", s))]
    )


def test_a_folder_without_checkpoints_has_none(tmp_path):
    assert newest(str(tmp_path)) == (None, "")
    assert newest(str(tmp_path / "missing")) == (None, "")


def test_what_a_training_deletes_meanwhile_is_not_damaged(folder, monkeypatch):
    damage = checkpoint_files.damage

    def training_goes_on(prefix):
        if not checkpoint_files.is_there(f"{folder}/ckpt-6"):
            checkpoint_files.write(checkpoint(6), folder, 6)
            checkpoint_files.delete(folder, 2)
            checkpoint_files.delete(folder, 4)
        return damage(prefix)

    monkeypatch.setattr(checkpoint_files, "damage", training_goes_on)
    assert newest(folder) == ("ckpt-6", "")


@pytest.mark.parametrize("number", [0, 1])
def test_truncated_at_every_tenth_the_one_before_is_taken(folder, number):
    file = files_of(folder, 4)[number]
    size = os.path.getsize(file)
    for tenth in range(9, -1, -1):
        with open(file, "r+b") as opened:
            opened.truncate(size * tenth // 10)
        step, said = newest(folder)
        assert step == "ckpt-2" and "ckpt-4 is damaged and left out" in said, tenth
        assert folder not in said.replace(os.path.join(folder, "ckpt-2"), "")


def test_every_flipped_bit_of_the_data_is_found(folder):
    _, file = files_of(folder, 4)
    with open(file, "rb") as opened:
        whole = opened.read()
    for place in [*range(0, len(whole), 97), len(whole) - 1]:
        harmed = bytearray(whole)
        harmed[place] ^= 1 << place % 8
        with open(file, "wb") as opened:
            opened.write(harmed)
        assert newest(folder)[0] == "ckpt-2", place


def test_a_flipped_bit_of_the_index_is_found_or_changes_nothing(folder):
    file, _ = files_of(folder, 4)
    with open(file, "rb") as opened:
        whole = opened.read()
    found = 0
    for place in range(0, len(whole), 3):
        harmed = bytearray(whole)
        harmed[place] ^= 1 << place % 8
        with open(file, "wb") as opened:
            opened.write(harmed)
        if newest(folder)[0] == "ckpt-2":
            found += 1
            continue
        reader = tf.train.load_checkpoint(f"{folder}/ckpt-4")
        np.testing.assert_array_equal(
            reader.get_tensor("weights/.ATTRIBUTES/VARIABLE_VALUE"), 4.0
        )
    assert found > len(whole) / 3 / 2


def test_deleted_files_never_begin_again_at_0(folder):
    os.remove(os.path.join(folder, "checkpoint"))
    assert newest(folder) == ("ckpt-4", "")
    checkpoint_files.write_state(folder)
    os.remove(files_of(folder, 4)[0])
    step, said = newest(folder)
    assert step == "ckpt-2" and "its .index is missing" in said
    os.remove(files_of(folder, 2)[1])
    with pytest.raises(UserError, match="of 2 checkpoints there none can be read"):
        newest(folder)
    for step in (2, 4):
        for file in files_of(folder, step):
            if os.path.exists(file):
                os.remove(file)
    with pytest.raises(UserError, match="names checkpoints, and none is there"):
        newest(folder)
    os.remove(os.path.join(folder, "checkpoint"))
    assert newest(folder) == (None, "")


def test_the_clock_does_not_count(folder):
    for file in files_of(folder, 4):
        os.utime(file, (0, 0))
    assert newest(folder) == ("ckpt-4", "")


def killed_at(calls, monkeypatch, name, folder, step):
    """Ends `write` before its call number `calls` of a function of `os`; True if so."""
    function, left = getattr(os, name), [calls]

    def counted(*args, **options):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return function(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, name, counted)
        try:
            checkpoint_files.write(checkpoint(step), folder, step)
        except KeyboardInterrupt:
            return True
    return False


@pytest.mark.parametrize("begun", [False, True])
def test_killed_anywhere_in_a_save_nothing_is_damaged(folder, monkeypatch, begun):
    if not begun:  # the first checkpoint of all
        for step in (2, 4):
            checkpoint_files.delete(folder, step)
        os.remove(os.path.join(folder, "checkpoint"))
    for name, count in (("mkdir", 1), ("fsync", 3), ("replace", 2), ("rmdir", 1)):
        for calls in range(count):
            assert killed_at(calls, monkeypatch, name, folder, 6)
            step, said = newest(folder)
            assert said == "" and step in (
                ("ckpt-4", "ckpt-6") if begun else (None, "ckpt-6")
            )
            checkpoint_files.clear_unfinished(folder)
            assert newest(folder) == (step, "")
            assert not any(name.startswith(".") for name in os.listdir(folder))
            if step == "ckpt-6":
                checkpoint_files.delete(folder, 6)
    assert not killed_at(9, monkeypatch, "replace", folder, 6)
    assert newest(folder) == ("ckpt-6", "")


def test_a_full_disk_leaves_what_was_there(folder):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = sorted(os.listdir(folder))
    for limit in (1500, 10):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(OSError):
                checkpoint_files.write(checkpoint(6), folder, 6)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert sorted(os.listdir(folder)) == before
        assert newest(folder) == ("ckpt-4", "")
