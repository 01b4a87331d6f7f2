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
        PLAIN.encode("utf-32"),
        PLAIN.replace("x/b.png", '"x/b.png" '),
        PLAIN.replace("\nx/b", "\n~/x/b"),
        "id,path,label\n1,x/b.png,dog\n2,x/a.png,cat\n",
    ],
)
def test_csv_as_spreadsheets_write_it(manifest, content):
    assert found(manifest(content)) == (["b.png", "a.png"], ["dog", "cat"])


def test_windows_1252(manifest):
    path = manifest("path,label\nx/\u00e9.png,\u20ac\n".encode("cp1252"))
    assert found(path) == (["\u00e9.png"], ["\u20ac"])


def test_absolute_paths(manifest, tmp_path):
    assert found(manifest(f"path\n{tmp_path}/x/a.png\n")) == (["a.png"], None)


def test_empty_labels_and_short_rows_are_unlabelled(manifest):
    path = manifest("path,label\nx/a.png,\nx/b.png\nx/a.png,cat\nx/b.png, \n")
    assert found(path)[1] == [None, None, "cat", None]
    assert data.open_source(path).class_names == ("cat",)


@pytest.mark.parametrize(
    "labels,names,expected",
    [
        (["nan", "NA", "cat"], ("cat",), [None, None, "cat"]),
        (["None", "none", "null"], ("none",), [None, "none", None]),
        (["10.0", "9.0", ""], ("9", "10"), ["10", "9", None]),
        (["0", "-1", "1"], ("0", "1"), ["0", None, "1"]),
        (["-1", "cat", "1.0"], ("-1", "1.0", "cat"), ["-1", "cat", "1.0"]),
    ],
)
def test_labels_that_stand_for_none(manifest, labels, names, expected):
    path = manifest("path,label\n" + "".join(f"x/a.png,{n}\n" for n in labels))
    assert found(path)[1] == expected
    source = data.open_source(path)
    assert source.class_names == names
    said = any("taken for missing ones" in line for line in source.summary())
    assert said == bool({"nan", "NA", "None", "null"} & set(labels))


@pytest.mark.parametrize(
    "rows,said",
    [
        ("./x/a.png,dog", "Files listed with different labels: "),
        ("x/a.png,cat", "1 rows name a file again"),
        ("x/b.png,Cat", "Unicode form alone: Cat and cat."),
    ],
)
def test_rows_that_contradict_are_said(manifest, rows, said):
    source = data.open_source(manifest(f"path,label\nx/a.png,cat\n{rows}\n"))
    assert source.num_examples == 2
    assert any(said in line for line in source.summary())


def test_splits_spelled_in_two_ways_are_said(manifest):
    path = manifest("path,split\nx/a.png,train\nx/b.png,Train\nx/a.png,test\n")
    summary = data.open_source(path).summary()
    assert "Other splits, whose images are not taken: Train." in summary
    assert any(line.startswith("Files listed in different splits") for line in summary)
    assert not any("Other" in line for line in data.open_source(path, "test").summary())


def test_a_field_of_any_width_and_addresses_of_files(manifest, tmp_path):
    content = f"path,note\nx/a.png,{'y' * 10**6}\nfile://{tmp_path}/x/%62.png,z\n"
    assert found(manifest(content)) == (["a.png", "b.png"], None)


def test_places_that_are_out_of_reach_are_bad_images(manifest):
    path = manifest("path,label\nhttps://a.example/a.png,cat\nx/b.png,dog\nx\0.png,u\n")
    policy = data.BadImagePolicy(max_bad_fraction=0.9)
    source = data.open_source(path, policy=policy)
    assert [os.path.basename(name) for name in source.paths] == ["b.png"]
    reasons = [reason for _, reason in source.skipped]
    assert reasons == ["TensorFlow reaches no https:// here", "embedded null byte"]


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
    "paths,labels,expected",
    [
        ([b"x/a.png", b"x/b.png"], [b"cat", b"dog"], ["cat", "dog"]),
        (["x/a.png", "x/b.png"], [10, 9], ["10", "9"]),
        (["x/a.png", "x/b.png"], [1.0, float("nan")], ["1", None]),
        (["x/a.png", "x/b.png"], [["cat"], ["dog"]], "label must hold words or num"),
        ([1, 2], ["cat", "dog"], "path must hold names of files, got int64"),
    ],
)
def test_types_of_parquet_columns(tmp_path, manifest, paths, labels, expected):
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table({"path": paths, "label": labels})
    path = str(tmp_path / "l.parquet")
    if isinstance(expected, str):
        parquet.write_table(table, path)
        with pytest.raises(UserError, match=expected):
            data.open_source(path)
        return
    coded = [column.dictionary_encode() for column in table.columns]
    for columns in (table.columns, coded):
        parquet.write_table(pyarrow.table(columns, ["path", "label"]), path)
        assert found(path) == (["a.png", "b.png"], expected)


@pytest.mark.parametrize(
    "name,content,message",
    [
        ("l.csv", "", "is empty"),
        ("l.csv", "\n \n", "is empty"),
        ("l.csv", "path\n", "lists no image"),
        ("l.csv", "file,label\nx/a.png,cat\n", "column path.*columns are file, label"),
        ("l.csv", "path,label,label\nx/a.png,cat,1\n", "column label more than once"),
        ("l.csv", 'path,label\nx/b.png,dog\n"x/a.png,c\n', "quote after line 2 is not"),
        ("l.csv", b"PK\3\4" + bytes(50), "is a workbook or an archive, no text"),
        ("l.parquet", "nonsense", "no Parquet file"),
    ],
)
def test_wrong_manifests_are_one_line(manifest, name, content, message):
    with pytest.raises(UserError, match=message) as caught:
        data.open_source(manifest(content, name))
    assert "\n" not in str(caught.value)
