import os

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from simclr_tf import augmentation, data
from simclr_tf.data import checks, image_list
from simclr_tf.errors import UserError

HALF = data.BadImagePolicy(max_bad_fraction=0.5)


@pytest.fixture
def folder(tmp_path):
    """Twelve pictures in two classes, picture i all of the grey value 20 i."""
    for number in range(12):
        path = tmp_path / "pets" / "ab"[number % 2] / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (9, 8), 20 * number).save(path)
    return tmp_path / "pets"


def spoil(path, how):
    path.unlink()
    if how == "empty":
        path.write_bytes(b"")
    elif how == "html":
        path.write_text("<html>not found</html>")
    elif how == "dead link":
        path.symlink_to(path.parent / "nowhere")
    elif how == "pipe":
        os.mkfifo(path)
    elif how == "truncated":
        noise = np.random.RandomState(0).randint(0, 256, [40, 40, 3]).astype("uint8")
        Image.fromarray(noise).save(path, "JPEG")
        path.write_bytes(path.read_bytes()[:800])
    elif how == "folder":
        path.mkdir()
    elif how == "too large":
        Image.new("1", (2000, 600)).save(path)


KINDS = ["empty", "html", "dead link", "pipe", "truncated", "too large", "folder"]


@pytest.mark.parametrize("how", KINDS)
def test_a_bad_file_is_left_out_when_a_source_is_opened(folder, how):
    bad = folder / "a" / "04.png"
    spoil(bad, how)
    policy = data.BadImagePolicy("skip", 0.5, 10**6)
    paths = sorted(map(str, folder.glob("*/*")))
    labels = [path.split("/")[-2] == "b" for path in paths]
    source = data.FileSource(paths, labels, ("a", "b"), policy=policy)
    ((file, reason),) = source.skipped
    assert file == str(bad) and reason
    assert source.num_examples == 11 and len(source.labels()) == 11
    assert str(bad) not in source.file_names()
    shown = [int(image[0, 0, 0]) // 20 for image, _ in source.as_dataset()]
    assert shown == [0, 2, 6, 8, 10, 1, 3, 5, 7, 9, 11]


def test_what_only_training_could_not_decode_is_seen_when_opened(folder):
    bad = folder / "a" / "04.png"
    whole = bad.read_bytes()
    bad.write_bytes(whole[: whole.index(b"IEND") - 4])  # Pillow does without
    source = data.open_source(str(folder), policy=HALF)
    assert source.skipped == [(str(bad), "TensorFlow cannot decode it")]
    report = "\n".join(data.check(data.FileSource([str(bad)], policy=None)))
    assert f"{bad}: TensorFlow cannot decode it" in report


def test_check_allows_as_many_pixels_as_it_is_told(folder):
    source = data.open_source(str(folder))
    assert "cannot be decoded: 0" in "\n".join(data.check(source, 72))
    assert "more than --max_image_pixels=71" in "\n".join(data.check(source, 71))


def test_too_many_bad_files_are_refused_and_named(folder):
    for name in ("02", "04"):
        spoil(folder / "a" / f"{name}.png", "html")
    with pytest.raises(UserError) as caught:
        data.open_source(str(folder))
    for text in ("Cannot read 2 of 12", "--max_bad_fraction=0.01", "02.png", "no pict"):
        assert text in str(caught.value)
    assert data.open_source(str(folder), policy=HALF).num_examples == 10
    with pytest.raises(UserError, match="--on_bad_image=fail"):
        data.open_source(str(folder), policy=data.BadImagePolicy("fail", 0.5))


def values(batches):
    return np.concatenate([np.round(image[:, 0, 0, 0] * 255 / 20) for image in batches])


def crops(source, bad, **options):
    view = augmentation.RandomResizedCrop(4, seed=0)
    batches = data.train_batches(
        source, 4, 6, view=view, num_views=1, seed=1, bad_images=bad, **options
    )
    return values([images for images, _ in batches])


def test_what_breaks_later_is_replaced_by_the_next_and_named(folder, tmp_path):
    source = data.open_source(str(folder))
    whole = crops(source, data.BadImages(source))
    # Neighbours: 8 takes the place of both.
    spoil(folder / "a" / "04.png", "truncated")
    spoil(folder / "a" / "06.png", "deleted")
    said, path = [], tmp_path / "run" / "bad_images.txt"
    policy = data.BadImagePolicy("skip", 0.1, 10**6)
    bad = data.BadImages(source, policy, str(path), said.append)
    found = crops(source, bad)
    expected = np.where((whole == 4) | (whole == 6), 8, whole)
    np.testing.assert_array_equal(found, expected)
    assert bad.indices == [2, 3]
    assert len(said) == 2 and "04.png" in "".join(said)
    lines = path.read_text().splitlines()
    assert sorted(line.split("\t")[0] for line in lines) == [
        str(folder / "a" / f"{name}.png") for name in ("04", "06")
    ]
    # From the middle, and cached: the same.
    again = data.BadImages(source, policy, str(path))
    np.testing.assert_array_equal(crops(source, again, start_step=2), expected[8:])
    assert path.read_text().splitlines() == lines  # named once
    bad = data.BadImages(source, policy)
    assert {4, 6}.isdisjoint(crops(source, bad, cache=True))


def test_too_many_that_break_later_end_with_one_line(folder):
    source = data.open_source(str(folder))
    for path in (folder / "a").glob("*"):
        path.unlink()
    bad = data.BadImages(source, data.BadImagePolicy(max_bad_fraction=0.02))
    with pytest.raises(UserError, match=r"Cannot read 3 of 12 .*No such file"):
        with bad.counted():
            crops(source, bad)
    bad = data.BadImages(source, data.BadImagePolicy("fail"))
    with pytest.raises(UserError, match="Cannot read 1 of 12"):
        with bad.counted():
            crops(source, bad)


def test_evaluation_says_which_rows_are_bad(folder):
    source = data.open_source(str(folder))
    spoil(folder / "b" / "03.png", "truncated")
    bad = data.BadImages(source, HALF)
    batches = data.eval_batches(
        source, 5, augmentation.EvaluationCrop(4), bad_images=bad
    )
    shown = values([images for images, _ in batches])[:12]
    assert bad.indices == [7]
    assert shown.tolist() == [0, 2, 4, 6, 8, 10, 1, 0, 5, 7, 9, 11]


def test_stand_ins_of_bad_images():
    np.testing.assert_array_equal(data.stand_ins([], 3), [0, 1, 2])
    np.testing.assert_array_equal(data.stand_ins([0, 2, 3], 4), [1, 1, 1, 1])


def test_the_list_of_a_run_keeps_the_order_though_files_vanish(folder, tmp_path):
    path, words = str(tmp_path / "images.json.gz"), {"dataset": "pets"}
    os.rename(folder / "a" / "00.png", os.fsencode(folder / "a") + b"/caf\xe9.png")
    source = data.open_source(str(folder))
    image_list.save(path, data.Subset(source, [1, 2]), words)
    (folder / "a" / "02.png").unlink()
    again = image_list.load(path, words)
    assert again.file_names() == source.file_names()
    assert (again.class_names, again.name) == (source.class_names, source.name)
    np.testing.assert_array_equal(again.labels(), source.labels())
    assert image_list.load(path, {"dataset": "others"}) is None
    last = again.file_names().index(
        os.fsdecode(os.fsencode(folder) + b"/a/caf\xe9.png")
    )
    image, _ = again.read(tf.constant(last))
    assert image.shape == (8, 9, 3)
    image_list.save(path, data.ArraySource(np.zeros([1, 2, 2], "uint8")), {})
    assert image_list.load(path, words) is not None  # arrays have no list
    with open(path, "wb") as file:
        file.write(b"cut")
    with pytest.raises(UserError, match="as a run wrote it"):
        image_list.load(path, words)


def test_a_pipe_in_a_list_is_never_opened(folder):
    spoil(folder / "a" / "04.png", "pipe")
    paths = sorted(map(str, folder.glob("*/*")))
    assert checks.never_waiting(paths).count("") == 1
    source = data.FileSource(paths, [0] * 12, ("a",), policy=None)
    bad = data.BadImages(source, HALF)
    assert 4 not in crops(source, bad)
    assert bad.indices == [2]
