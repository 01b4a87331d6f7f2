import json
import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf import augmentation, data
from simclr_tf.data import prepare as prepare_module
from simclr_tf.data.prepare import prepare
from simclr_tf.errors import UserError


@pytest.fixture
def folder(tmp_path):
    """Seven pictures of many sizes in two classes, smooth so that JPEG keeps them."""
    random = np.random.RandomState(0)
    for number in range(7):
        path = tmp_path / "pets" / ("cat" if number < 4 else "dog") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        small = Image.fromarray(random.randint(0, 256, [3, 4, 3]).astype("uint8"))
        size = (60 + 10 * number, 50 + number) if number != 5 else (14, 12)
        small.resize(size, Image.BICUBIC).save(path)
    return str(tmp_path / "pets")


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(prepare_module, "_PER_SHARD", 3)


def test_a_copy_has_the_images_labels_and_names(folder, tmp_path, small_shards):
    source, said = data.open_source(folder), []
    copy = str(tmp_path / "copy")
    prepare(source, "train", copy, 20, say=said.append)
    assert sorted(name for name in os.listdir(copy) if "tfrecord" in name) == [
        f"train-{number:05d}-of-00003.tfrecord" for number in range(3)
    ]
    found = data.open_source(copy, "train")
    assert found.num_examples == 7 and found.class_names == ("cat", "dog")
    assert found.file_names() == source.file_names()
    np.testing.assert_array_equal(found.labels(), source.labels())
    for (image, label), (whole, expected) in zip(
        found.as_dataset(), source.as_dataset(), strict=True
    ):
        assert int(label) == int(expected)
        height, width = whole.shape[:2]
        scale = min(1, 20 / min(height, width))
        assert image.shape[:2] == (round(height * scale), round(width * scale))
        resized = Image.fromarray(whole.numpy()).resize(
            image.shape[1::-1], Image.BICUBIC
        )
        assert (
            np.abs(image.numpy().astype(int) - np.asarray(resized)).mean() < 9
        )  # of JPEG
    assert any("MB in 3 shards, of" in line for line in said)
    assert any("images/s" in line for line in said)
    # By number, in any order, and as TFRecord reads it.
    image, label = found.read(tf.constant(6, tf.int64))
    assert int(label) == 1
    records = data.open_source(f"{copy}/train-00002-of-00003.tfrecord")
    np.testing.assert_array_equal(next(iter(records.as_dataset()))[0], image)
    view = augmentation.RandomResizedCrop(8, seed=0)
    batches = data.train_batches(found, 7, 1, view=view)
    (((first, second), labels),) = batches
    assert first.shape == second.shape == (7, 8, 8, 3)
    assert sorted(labels.numpy()) == [0] * 4 + [1] * 3


def test_a_second_command_goes_on_where_the_first_stopped(
    folder, tmp_path, small_shards, monkeypatch
):
    source, copy, said = data.open_source(folder), str(tmp_path / "copy"), []
    write = prepare_module._write_shard

    def stop_at_the_second(path, *arguments):
        if "00001" in path:
            raise KeyboardInterrupt
        write(path, *arguments)

    monkeypatch.setattr(prepare_module, "_write_shard", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        prepare(source, "train", copy, 20, say=said.append)
    with pytest.raises(UserError):  # it is no copy yet
        data.open_source(copy, "train")
    monkeypatch.setattr(prepare_module, "_write_shard", write)
    with pytest.raises(UserError, match="with 7 images at 20 px, and this is .* 30 px"):
        prepare(source, "train", copy, 30)
    prepare(source, "train", copy, 20, say=said.append)
    assert [line.split()[1] for line in said[:3]] == ["written,", "is", "written,"]
    assert data.open_source(copy, "train").num_examples == 7
    prepare(source, "train", copy, 20, say=said.append)
    assert said[-1] == "train: is there already."


def test_bad_images_are_left_out_and_arrays_can_be_packed(folder, tmp_path):
    source, copy = data.open_source(folder), str(tmp_path / "copy")
    os.remove(f"{folder}/cat/2.png")
    bad = data.BadImages(source, data.BadImagePolicy(max_bad_fraction=0.1))
    prepare(source, "train", copy, 20, bad, say=lambda line: None)
    found = data.open_source(copy, "train")
    assert found.num_examples == 6 and bad.indices == [2]
    assert f"{folder}/cat/2.png" not in found.file_names()
    images = np.random.RandomState(0).randint(0, 256, [5, 8, 8, 3]).astype("uint8")
    prepare(data.ArraySource(images), "test", copy, 20, say=lambda line: None)
    found = data.open_source(copy, "test")
    assert found.num_examples == 5 and found.labels() is None
    assert data.open_source(copy, "train").num_examples == 6  # still there


def test_a_copy_that_is_not_whole_is_one_line(folder, tmp_path):
    copy = tmp_path / "copy"
    prepare(data.open_source(folder), "train", str(copy), 20, say=lambda line: None)
    with pytest.raises(UserError, match="no split test; there are: train"):
        data.open_source(str(copy), "test")
    shard = copy / "train-00000-of-00001.tfrecord"
    good = shard.read_bytes()
    shard.write_bytes(good[:-1])
    with pytest.raises(UserError, match=r"must have \d+ bytes, got \d+. Prepare it"):
        data.open_source(str(copy), "train")
    # A byte that has changed is seen by its checksum when it is read.
    shard.write_bytes(good[:60] + bytes([good[60] ^ 1]) + good[61:])
    source = data.open_source(str(copy), "train")
    bad = data.BadImages(source, data.BadImagePolicy(max_bad_fraction=0.1))
    view = augmentation.RandomResizedCrop(8, seed=0)
    list(data.train_batches(source, 7, 1, view=view, bad_images=bad))
    assert bad.indices == [0]
    about = json.loads((copy / "prepared.json").read_text())
    elsewhere = json.dumps(about).replace("train-00000", "../train-00000")
    (copy / "prepared.json").write_text(elsewhere)
    with pytest.raises(UserError, match="must name files of its folder, got ../train"):
        data.open_source(str(copy), "train")
    (copy / "prepared.json").write_text(json.dumps(about))
    (copy / "train.index.npz").write_bytes(b"cut")
    with pytest.raises(UserError, match="train.index.npz cannot be read"):
        data.open_source(str(copy), "train")
    about["format"] = 99
    (copy / "prepared.json").write_text(json.dumps(about))
    with pytest.raises(UserError, match="its format is 99, not 1"):
        data.open_source(str(copy), "train")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (None, "Expecting property name"),
        ([], "list indices"),
        ({"format": None}, "its format is None, not 1"),
        ({"splits": None}, "'NoneType' object"),
        ({"splits": ["train"]}, "'list' object"),
        ({"splits": {"train": {"shards": []}}}, "a split needs shards, sizes"),
        ({"shards": 3}, "as many names as numbers"),
        ({"shards": []}, "as many names as numbers"),
        ({"shards": [7]}, "as many names as numbers"),
        ({"class_names": 5}, "must be lists of names"),
        ({"file_names": [1]}, "must be lists of names"),
    ],
)
def test_a_description_that_is_broken_is_one_line(change, reason, tmp_path):
    split = {"shards": ["a"], "sizes": [1], "class_names": None, "file_names": None}
    about = {"format": 1, "splits": {"train": split}}
    if not change:
        about = change
    elif change.keys() <= about.keys():
        about |= change
    else:
        split |= change
    file = tmp_path / "prepared.json"
    file.write_text("{" if change is None else json.dumps(about))
    with pytest.raises(UserError) as caught:
        data.open_source(str(tmp_path), "train")
    message = str(caught.value)
    assert message.startswith(f"{file} must be as --mode=prepare wrote it: ")
    assert reason in message and "\n" not in message
