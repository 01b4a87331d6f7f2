import os

import numpy as np
import pytest
from PIL import Image

from simclr_tf import data
from simclr_tf.errors import UserError


@pytest.fixture
def folder(tmp_path):
    """Makes pictures by their names below a folder, and gives that folder."""

    def make(*names):
        for name in names:
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (6, 5), (200, 10, 10)).save(path)
        return str(tmp_path / "data")

    return make


def names(source):
    return [os.path.basename(path) for path in source.file_names()]


def test_images_alone_or_in_one_subfolder_have_no_labels(folder):
    assert data.open_source(folder("a.png")).num_classes is None
    assert data.open_source(folder("a.png", "more/b.png")).num_classes is None


@pytest.mark.parametrize("wrapped", ["", "pets/", "export/pets/"])
def test_subfolders_are_classes_below_whatever_holds_them_all(folder, wrapped):
    root = folder(*(f"{wrapped}{n}" for n in ("dog/b.png", "cat/a.png", "cat/x/y.gif")))
    source = data.open_source(root)
    assert source.class_names == ("cat", "dog")
    assert dict(zip(names(source), source.labels(), strict=True)) == {
        "a.png": 0,
        "y.gif": 0,
        "b.png": 1,
    }


def test_one_subfolder_that_holds_everything_is_no_class(folder):
    assert data.open_source(folder("all/a.png", "all/b.png")).num_classes is None


@pytest.mark.parametrize(
    "train,other,asked",
    [
        ("train", "test", "test"),
        ("Train", "TEST", "test"),
        ("training", "valid", "validation"),
        ("train", "val", "validation"),
        ("TRAIN", "Dev", "val"),
        ("training_set", "test_set", "test"),
        ("train2017", "val2017", "validation"),
    ],
)
def test_splits_in_any_case_are_no_classes(folder, train, other, asked):
    root = folder(f"{train}/c/x.png", f"{train}/d/y.png", f"{other}/d/z.png")
    source = data.open_source(root, "train")
    assert source.class_names == ("c", "d") and names(source) == ["x.png", "y.png"]
    judged = data.open_source(root, asked)
    assert names(judged) == ["z.png"]
    np.testing.assert_array_equal(judged.labels(), [1])  # as it is in train


def test_splits_of_one_class_each(folder):
    root = folder("Train/c/x.jpg", "Test/c/y.jpg")
    assert names(data.open_source(root, "train")) == ["x.jpg"]
    assert names(data.open_source(root, "test")) == ["y.jpg"]
    with pytest.raises(UserError, match="no split validation; there are: Test, Train"):
        data.open_source(root, "validation")


def test_splits_beside_other_folders_of_images(folder):
    root = folder("train/c/x.png", "train/d/y.png", "test/c/z.png", "extra/u.png")
    assert names(data.open_source(root, "extra")) == ["u.png"]
    assert data.open_source(root, "train").num_examples == 2


def test_a_class_called_train_or_test_is_a_class_and_said(folder):
    root = folder("train/a.png", "bus/b.png", "car/c.png", "test/d.png")
    source = data.open_source(root)
    assert source.class_names == ("bus", "car", "test", "train")
    assert any("classes, not splits" in line for line in source.summary())


def test_two_splits_of_one_meaning_are_said(folder):
    root = folder(*(f"{s}/{c}/x.png" for s in ("Train", "train", "test") for c in "ab"))
    line = "Other splits, whose images are not taken: {}."
    assert line.format("Train") in data.open_source(root, "train").summary()
    assert line.format("train") in data.open_source(root, "Train").summary()
    assert not any("Other" in text for text in data.open_source(root, "test").summary())
    with pytest.raises(
        UserError, match="no split TRAIN; there are: Train, test, train"
    ):
        data.open_source(root, "TRAIN")


@pytest.mark.parametrize(
    "others", [(), ("test/d.png",), ("val/a/d.png", "notes/e.png")]
)
def test_unlabeled_beside_splits_is_one(folder, others):
    root = folder("train/a/x.png", "train/b/y.png", "unlabeled/z.png", *others)
    source = data.open_source(root)
    assert source.class_names == ("a", "b") and names(source) == ["x.png", "y.png"]
    assert any("not taken" in line and "unlabeled" in line for line in source.summary())
    assert names(data.open_source(root, "unlabelled")) == ["z.png"]
    assert data.find(root).holds_out_nothing == (not others)


def test_splits_inside_of_classes_are_none_and_said(folder):
    root = folder(*(f"{c}/{s}/x.png" for c in "ab" for s in ("train", "test")))
    source = data.open_source(root)
    assert source.class_names == ("a", "b") and source.num_examples == 4
    assert any("not taken for splits" in line for line in source.summary())


def test_a_slice_is_no_split_of_a_folder(folder):
    root = folder("train/c/x.png", "train/d/y.png", "test/d/z.png")
    with pytest.raises(UserError, match="no split test"):
        data.open_source(root, "test[:50%]")


def test_a_pattern_shows_each_file_once_and_says_what_it_leaves_out(folder):
    root = folder("cat/a.png", "dog/b.png", "@eaDir/c.png", "dog/note.png")
    os.rename(f"{root}/dog/note.png", f"{root}/dog/note.txt")
    os.symlink("..", f"{root}/cat/loop")  # with glob, as many files as names can hold
    os.symlink("itself", f"{root}/itself")
    for pattern in ("**/*", "**/*.png", "*/*"):
        source = data.open_source(f"{root}/{pattern}")
        assert names(source) == ["a.png", "b.png"], pattern
        assert source.class_names == ("cat", "dog")
    summary = "\n".join(source.summary())
    assert "1 .txt" in summary and "@eaDir" in summary and "a folder" in summary
    assert names(data.open_source(root)) == ["a.png", "b.png"]


def test_folders_that_a_pattern_matches_are_one_and_said(folder):
    root = folder("cat/a.png", "dog/b.png")
    source = data.open_source(f"{root}/*")
    assert source.num_classes is None
    assert any("folders are taken together" in line for line in source.summary())


def test_a_stray_picture_is_unlabelled_and_said(folder):
    root = folder("cat/a.png", "dog/b.png", "cat/c.png", "stray.png")
    source = data.open_source(root)
    assert source.class_names == ("cat", "dog")
    assert dict(zip(names(source), source.labels(), strict=True))["stray.png"] == -1
    assert any("stray.png" in line for line in source.summary())


def test_more_stray_pictures_than_classes_hold_make_no_labels_and_are_said(folder):
    root = folder("cat/a.png", "dog/b.png", "c.png", "d.png")
    source = data.open_source(root)
    assert source.num_classes is None
    assert any(line.startswith("No labels: 2 images") for line in source.summary())


@pytest.mark.parametrize("other", ["cat ", "caT", "c\uff41t"])
def test_classes_that_look_alike_are_said(folder, other):
    source = data.open_source(folder("cat/a.png", f"{other}/b.png", "dog/c.png"))
    assert source.num_classes == 3
    assert any(
        f"cat and {other}" in line or f"{other} and cat" in line
        for line in source.summary()
    )


def test_classes_that_differ_by_case_are_said(folder):
    root = folder("train/Cat/a.png", "train/dog/b.png", "test/cat/c.png")
    source = data.open_source(root)
    assert source.class_names == ("Cat", "cat", "dog")
    assert any("Cat and cat" in line for line in source.summary())


def test_hidden_and_system_folders_and_empty_ones_are_no_classes(folder):
    system = (".ipynb_checkpoints", "__MACOSX", "@eaDir", ".thumbnails")
    system += ("$RECYCLE.BIN", "System Volume Information")
    root = folder("cat/a.png", "dog/b.png", "cat/._a.png", "dog/.b.png")
    folder(*(f"{name}/x.png" for name in system))
    folder(*(f"cat/{name}/x.png" for name in system))
    os.mkdir(f"{root}/empty")
    source = data.open_source(root)
    assert source.class_names == ("cat", "dog") and names(source) == ["a.png", "b.png"]
    assert any("Hidden and system folders: " in line for line in source.summary())


def test_hidden_folders_beside_splits(folder):
    root = folder("train/.ipynb_checkpoints/x.png", "train/a/1.png", "train/b/2.png")
    assert data.open_source(root).class_names == ("a", "b")


def test_a_loop_of_links_shows_each_file_once(folder):
    root = folder(*(f"cat/{n}.png" for n in range(5)), "dog/5.png")
    os.symlink("..", f"{root}/cat/loop")
    os.symlink("cat", f"{root}/alias")
    source = data.open_source(root)
    assert source.num_examples == 6 and source.class_names == ("cat", "dog")
    assert len(source.skipped) == 2


def test_links_to_files_that_are_there_are_said(folder):
    root = folder("cat/a.png", "dog/b.png", "one.txt/c.png")
    for link in ("dog/again.png", "dog/note.txt"):
        os.symlink("../cat/a.png", f"{root}/{link}")
    for link in ("cat/l.png", "dog/l.png"):
        os.symlink(__file__, f"{root}/{link}")
    source = data.open_source(root, policy=data.BadImagePolicy(max_bad_fraction=0.5))
    assert "again.png" in names(source)
    (line,) = [line for line in source.summary() if "count again" in line]
    assert line.startswith("2 links") and "note.txt" not in line
    assert f"{root}/dog/again.png" in line and "/l.png" in line


def test_a_link_to_a_folder_elsewhere_is_followed(folder, tmp_path):
    root = folder("cat/a.png", "dog/b.png")
    os.rename(f"{root}/dog", tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", f"{root}/dog")
    assert data.open_source(root).class_names == ("cat", "dog")


def test_a_folder_that_cannot_be_read_is_said(folder, monkeypatch):
    root = folder("cat/a.png", "dog/b.png", "cow/c.png")
    scandir = os.scandir

    def refuse(path):
        if path.endswith("cow"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    source = data.open_source(root)
    assert source.skipped == [(f"{root}/cow", "Permission denied")]
    assert any("Permission denied" in line for line in source.summary())


def test_what_is_not_read_is_counted_by_extension(folder):
    root = folder("a.png", "B.JPG", "c.webp", "d.ppm", "e.TIFF")
    for name in ("a.txt", "b.TXT", "c.mp4", "README"):
        open(f"{root}/{name}", "w").close()
    os.rename(f"{root}/a.png", f"{root}/without_extension")
    source = data.open_source(root)
    assert source.num_examples == 5
    line = "Not read, by extension: 1 without extension, 1 .mp4, 2 .txt."
    assert line in source.summary()


def test_names_that_are_not_utf8(folder, capsys):
    root = folder("x.png", "cat/a.png", "dog/b.png", "dog/c.png")
    name = os.fsencode(root) + b"/dog/caf\xe9.png"
    os.rename(f"{root}/x.png", name)
    os.rename(f"{root}/cat", os.fsencode(root) + b"/ch\xe2t")
    source = data.open_source(root)
    last = os.fsencode(source.file_names()[-1])
    assert last in (name, os.fsencode(f"{root}/dog/c.png"))
    assert len(list(source.as_dataset())) == 4
    print("\n".join(data.check(source)), source.class_names)
    assert "ch\ufffdt" in capsys.readouterr().out


def test_several_folders_are_one(folder, tmp_path):
    root = folder("one/cat/a.png", "one/dog/b.png", "two/cat/c.png", "two/cow/d.png")
    source = data.open_source(f"{root}/one, {root}/two")
    assert source.class_names == ("cat", "cow", "dog")
    np.testing.assert_array_equal(source.labels(), [0, 2, 0, 1])
    with pytest.raises(UserError, match="list of folders.*no folder .*/three"):
        data.open_source(f"{root}/one,{root}/three")


def test_a_pattern_is_a_folder_with_fewer_files(folder):
    root = folder("cat/a.png", "cat/b.png", "dog/a.png", "dog/c.png")
    source = data.open_source(f"{root}/*/a.*")
    assert source.class_names == ("cat", "dog") and source.num_examples == 2
    assert data.open_source(f"{root}/**/*.png").num_examples == 4
    assert data.open_source(f"{root}/*").class_names is None  # a list of folders
    with pytest.raises(UserError, match="taken for a pattern, and matches no files"):
        data.open_source(f"{root}/*.nothing")


def test_a_folder_on_another_file_system(folder):
    import tensorflow as tf

    root = folder("cat/a.png", "dog/b.png")
    for name in ("cat/a.png", "dog/b.png", "dog/.hidden.png", ".git/x.png"):
        tf.io.gfile.makedirs(os.path.dirname(f"ram://set/{name}"))
        tf.io.gfile.copy(f"{root}/cat/a.png", f"ram://set/{name}", overwrite=True)
    source = data.open_source("ram://set")
    assert source.class_names == ("cat", "dog") and source.num_examples == 2
    assert len(list(source.as_dataset())) == 2


def test_classes_are_in_order_of_the_alphabet_numbers_too(folder):
    assert data.open_source(folder("9/a.png", "10/b.png")).class_names == ("10", "9")


def test_an_unlabelled_split_leaves_the_others_their_labels(folder):
    root = folder("train/a.png", "train/b.png", "test/c/x.png", "test/d/y.png")
    assert data.open_source(root, "train").num_classes is None
    assert data.open_source(root, "test").class_names == ("c", "d")
