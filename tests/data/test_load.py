import numpy as np
import pytest
from PIL import Image

from simclr_tf import data
from simclr_tf.errors import UserError


@pytest.mark.parametrize(
    "name,message",
    [
        ("cifar11", "--dataset=cifar11 is unknown.*Close: .*cifar10"),
        ("./nowhere", "taken for a path: no such folder or file. Allowed: bundled"),
        ("~/nowhere", "no such folder"),
        ("nowhere.csv", "no such file"),
        ("nowhere.npz", "no such file"),
        ("nowhere.tfrecord", "no such TFRecord"),
        ("nowhere/*.jpg", "taken for a pattern"),
        ("a,b", "list of folders"),
        ("nowhere://a", "cannot be reached: File system scheme 'nowhere'"),
    ],
)
def test_unknown_words_say_what_was_understood(name, message):
    with pytest.raises(UserError, match=message) as caught:
        data.load(name)
    assert "\n" not in str(caught.value)


def test_files_of_other_kinds_say_what_is_allowed(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK")
    with pytest.raises(UserError, match="archive. Unpack"):
        data.load(str(tmp_path / "a.zip"))
    (tmp_path / "a.doc").write_bytes(b"PK")
    with pytest.raises(UserError, match="a kind that is not read. Allowed"):
        data.load(str(tmp_path / "a.doc"))


def test_one_image_and_a_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (6, 5), (9, 8, 7)).save(tmp_path / "pictures" / "a.png")
    (tmp_path / "without").write_bytes((tmp_path / "pictures" / "a.png").read_bytes())
    assert data.open_source("~/without").num_examples == 1
    (image,) = data.load("~/pictures/a.png")
    np.testing.assert_array_equal(image[0, 0], [9, 8, 7])
    assert data.open_source("~/pictures").num_examples == 1


def test_check_reads_everything(tmp_path):
    for number, name in enumerate(("cat/a.png", "cat/b.png", "dog/c.jpg")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (6 + number // 2 * 4, 5)).save(tmp_path / name)
    source = data.open_source(str(tmp_path))
    (tmp_path / "dog" / "c.jpg").write_bytes(b"gone")
    report = "\n".join(data.check(source))
    for line in (
        "3 images, 2 classes",
        "smallest class dog 1, largest cat 2",
        "formats: 2 PNG",
        "smallest 6 x 5, median 6 x 5, largest 6 x 5",
        "cannot be decoded: 1",
        "copies of other files, byte by byte: 1",
    ):
        assert line in report, report
    assert "28 x 28" in "\n".join(data.check(data.open_source("bundled", "test")))
