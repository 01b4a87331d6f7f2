import zipfile

import numpy as np
import pytest
import tensorflow as tf

from simclr_tf import data
from simclr_tf.errors import UserError

IMAGES = np.random.RandomState(0).randint(0, 256, [5, 4, 6, 3]).astype("uint8")


def test_npy_is_mapped_and_read_by_number(tmp_path):
    path = str(tmp_path / "a.npy")
    np.save(path, IMAGES)
    source = data.open_source(path)
    assert source.random_access and source.image_shape == (4, 6, 3)
    np.testing.assert_array_equal(source.read(tf.constant(3)), IMAGES[3])
    np.testing.assert_array_equal(source.read(tf.constant([4, 1])), IMAGES[[4, 1]])
    np.save(path, IMAGES[..., 0])
    grey = data.open_source(path).read(tf.constant([2]))
    np.testing.assert_array_equal(grey, np.repeat(IMAGES[2:3, ..., :1], 3, axis=-1))


KEYS = [("images", "labels"), ("x", "y"), ("arr_0", "arr_1"), ("Images", "LABELS")]


@pytest.mark.parametrize("keys", KEYS)
def test_npz_of_images_and_labels(tmp_path, keys):
    path = str(tmp_path / "a.npz")
    np.savez(path, **dict(zip(keys, (IMAGES, [2, 0, 1, -1, 0]), strict=True)))
    source = data.open_source(path)
    np.testing.assert_array_equal(source.labels(), [2, 0, 1, -1, 0])
    assert source.num_classes == 3
    np.savez(path, **{keys[0]: IMAGES})
    assert data.open_source(path).num_classes is None


def test_npz_of_splits_and_names(tmp_path):
    path = str(tmp_path / "a.npz")
    np.savez(path, x_train=IMAGES, y_train=list("babab"), x_test=IMAGES[:2])
    source = data.open_source(path)
    assert source.class_names == ("a", "b") and source.labels()[0] == 1
    assert data.open_source(path, "test").num_examples == 2
    np.savez(path, train_images=IMAGES, val_images=IMAGES[:1], val_labels=[[0]])
    assert data.open_source(path, "validation").num_examples == 1


@pytest.mark.parametrize(
    "labels,expected",
    [
        ([0, 1, np.nan, 1, 0], ["0", "1", None, "1", "0"]),
        (["a", "", "nan", "None", "b"], ["a", None, None, None, "b"]),
        (np.array([b"a", "\u00e9".encode(), b"b", b"b", b"a"]), list("a\u00e9bba")),
    ],
)
def test_labels_as_other_tools_write_them(tmp_path, labels, expected):
    path = str(tmp_path / "a.npz")
    np.savez(path, X_train=IMAGES, Y_train=labels, target=[0])
    source = data.open_source(path)
    names = [*source.class_names, None]
    assert [names[label] for label in source.labels()] == expected
    assert "Arrays that are not read: target." in source.summary()


def test_classes_are_those_of_all_splits(tmp_path):
    path = str(tmp_path / "a.npz")
    arrays = {"x_train": IMAGES, "x_test": IMAGES[:2]}
    np.savez(path, **arrays, y_train=list("babac"), y_test=["b", "c"])
    test = data.open_source(path, "test")
    assert test.class_names == ("a", "b", "c") and test.labels().tolist() == [1, 2]
    np.savez(path, **arrays, y_train=[1.0, 2, 3, 2, 1], y_test=[3.0, 4])
    test = data.open_source(path, "test")
    assert test.class_names == ("1", "2", "3", "4") and test.labels().tolist() == [2, 3]
    assert any("numbered anew" in line for line in test.summary())


@pytest.mark.parametrize(
    "arrays,message",
    [
        (
            {"images": IMAGES, "labels": [0, 2, 0, 0, 0], "class_names": ["a", "b"]},
            "class_names must name every label",
        ),
        ({"a": IMAGES, "b": IMAGES}, "must hold the array images.*a, b"),
        ({"images": IMAGES / 255}, "must be images, uint8.*got float64"),
        ({"images": IMAGES[0, 0]}, "must be images"),
        ({"images": IMAGES, "labels": [1]}, "one for each of 5 images"),
        ({"images": IMAGES, "labels": [0.5] * 5}, "whole numbers or words"),
        ({"images": np.array([{}], object)}, "Python objects"),
        ({"images": IMAGES, "labels": []}, "one for each of 5 images.*got 0"),
        ({"images": IMAGES[0]}, r"looks like one picture, got \[4, 6, 3\]"),
    ],
)
def test_wrong_arrays_are_one_line(tmp_path, arrays, message):
    path = str(tmp_path / "a.npz")
    np.savez(path, **arrays)
    with pytest.raises(UserError, match=message) as caught:
        data.open_source(path)
    assert str(caught.value).count("--dataset") == 1


def test_an_archive_of_other_files_is_one_line(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(UserError, match="its arrays are none"):
        data.open_source(str(tmp_path / "a.npz"))


@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
@pytest.mark.parametrize("content", [b"", b"x" * 99])
def test_files_that_are_none_are_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="cannot be read as a NumPy file"):
        data.open_source(str(tmp_path / name))
