import os

import pytest
from PIL import Image

from simclr_tf import data
from simclr_tf.errors import UserError


@pytest.fixture
def manifest(tmp_path, monkeypatch):
    """Writes a manifest beside the pictures x/a.png, x/b.png and x/\u00e9.png."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x").mkdir()
    for name in ("a", "b", "\u00e9"):
        Image.new("RGB", (6, 5)).save(tmp_path / "x" / f"{name}.png")

    def write(content, name="list.csv"):
        encoded = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(encoded)
        return str(tmp_path / name)

    return write


def found(path, split="train"):
    """Base names of the files, and the names of their classes; None where unknown."""
    source = data.open_source(path, split)
    files = [os.path.basename(path) for path in source.file_names()]
    assert len(list(source.as_dataset())) == len(files)
    if source.num_classes is None:
        return files, None
    names = [*source.class_names, None]
    return files, [names[label] for label in source.labels()]


PLAIN = "path,label\nx/b.png,dog\nx/a.png,cat\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        "\ufeff" + PLAIN,
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", ", "),
        "sep=;\n" + PLAIN.replace(",", ";"),
        PLAIN.replace("path,label", " Path , LABEL "),
        PLAIN.replace("\n", "\r\n") + "\r\n",
        PLAIN.replace("x/b.png", '"x/b.png"'),
        PLAIN.replace("/", "\\"),
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-le"),
        PLAIN.replace("\nx/b", "\n~/x/b"),
        "id,path,label\n1,x/b.png,dog\n2,x/a.png,cat\n",
    ],
)
def test_csv_as_spreadsheets_write_it(manifest, content):
    assert found(manifest(content)) == (["b.png", "a.png"], ["dog", "cat"])


def test_latin_1(manifest):
    path = manifest("path,label\nx/\u00e9.png,\u00fc\n".encode("latin-1"))
    assert found(path) == (["\u00e9.png"], ["\u00fc"])


def test_absolute_paths(manifest, tmp_path):
    assert found(manifest(f"path\n{tmp_path}/x/a.png\n")) == (["a.png"], None)


def test_empty_labels_and_short_rows_are_unlabelled(manifest):
    path = manifest("path,label\nx/a.png,\nx/b.png\nx/a.png,cat\nx/b.png, \n")
    assert found(path)[1] == [None, None, "cat", None]
    assert data.open_source(path).class_names == ("cat",)


def test_a_row_without_a_path_is_skipped_and_said(manifest):
    source = data.open_source(manifest("path,label\n,cat\nx/a.png,dog\n"))
    assert source.num_examples == 1 and source.skipped[0][1] == "it has no path"


def test_numbers_are_classes_in_their_order(manifest):
    source = data.open_source(manifest("path,label\nx/a.png,10\nx/b.png,9\n"))
    assert source.class_names == ("9", "10")


def test_splits(manifest):
    path = manifest(
        "path,label,split\nx/a.png,cat,Train\nx/b.png,dog,val\nx/a.png,cat,\n"
    )
    assert found(path) == (["a.png"], ["cat"])
    assert found(path, "validation") == (["b.png"], ["dog"])
    with pytest.raises(UserError, match="no split test; there are: Train, val"):
        data.open_source(path, "test")


@pytest.mark.parametrize(
    "file", ["../x/a.png", "y/../../x/a.png", "..\\x\\a.png", "./../x/a.png"]
)
def test_paths_that_lead_out_are_refused_unless_asked_for(manifest, tmp_path, file):
    (tmp_path / "lists" / "y").mkdir(parents=True)
    path = manifest(f"path\n{file}\n", "lists/l.csv")
    with pytest.raises(UserError, match=r"l.csv row 2: .* leads out of the folder"):
        data.open_source(path)
    source = data.open_source(path, allow_outside_paths=True)
    assert [os.path.basename(name) for name in source.paths] == ["a.png"]
    inside = manifest("path\ny/../../lists/../x/a.png\nlists/../x/a.png\n", "l.csv")
    with pytest.raises(UserError, match="row 2"):
        data.open_source(inside)
    inside = manifest("path\nlists/../x/a.png\n", "m.csv")
    assert found(inside) == (["a.png"], None)


def test_tsv_and_parquet(manifest, tmp_path):
    import pyarrow
    from pyarrow import parquet

    assert found(manifest(PLAIN.replace(",", "\t"), "l.tsv"))[1] == ["dog", "cat"]
    table = pyarrow.table({"Path": ["x/a.png", "x/b.png"], "label": ["cat", None]})
    parquet.write_table(table, tmp_path / "l.parquet")
    assert found(str(tmp_path / "l.parquet")) == (["a.png", "b.png"], ["cat", None])


@pytest.mark.parametrize(
    "name,content,message",
    [
        ("l.csv", "", "is empty"),
        ("l.csv", "\n \n", "is empty"),
        ("l.csv", "path\n", "lists no image"),
        ("l.csv", "file,label\nx/a.png,cat\n", "column path.*columns are file, label"),
        ("l.parquet", "nonsense", "no Parquet file"),
    ],
)
def test_wrong_manifests_are_one_line(manifest, name, content, message):
    with pytest.raises(UserError, match=message) as caught:
        data.open_source(manifest(content, name))
    assert "\n" not in str(caught.value)
