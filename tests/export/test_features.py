import os

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from simclr_tf import export
from simclr_tf.errors import UserError
from simclr_tf.export import features as files

FEATURES = np.random.RandomState(0).randn(3, 4).astype("float32")
ALL = {
    "labels": [1, 0, -1],
    "file_names": ["a/ä.png", "b\tc.png", "d.png"],
    "class_names": ("cat", "dog"),
}


def test_npz_round_trip_without_pickles(tmp_path):
    path = tmp_path / "new" / "test_3.npz"
    export.save_features(path, FEATURES, **ALL)
    with np.load(path, allow_pickle=False) as arrays:
        assert sorted(arrays) == ["class_names", "features", "file_names", "labels"]
        assert arrays["features"].dtype == np.float32
        assert arrays["labels"].dtype == np.int64
        np.testing.assert_array_equal(arrays["features"], FEATURES)
        for name, values in ALL.items():
            assert arrays[name].tolist() == list(values)


def test_parquet_round_trip(tmp_path):
    path = tmp_path / "test.parquet"
    export.save_features(path, FEATURES, **ALL)
    table = parquet.read_table(path)
    assert table.schema.field("features").type == pyarrow.list_(pyarrow.float32(), 4)
    np.testing.assert_array_equal(table["features"].to_pylist(), FEATURES)
    assert table["labels"].to_pylist() == ALL["labels"]
    assert table["file_names"].to_pylist() == ALL["file_names"]
    assert table["class_names"].to_pylist() == ["dog", "cat", None]


def test_what_is_not_known_is_left_out(tmp_path):
    export.save_features(tmp_path / "a.npz", FEATURES)
    assert sorted(np.load(tmp_path / "a.npz")) == ["features"]
    export.save_projector(tmp_path, FEATURES)
    assert not os.path.exists(tmp_path / "features_metadata.tsv")
    export.save_features(tmp_path / "a.parquet", FEATURES)
    assert parquet.read_table(tmp_path / "a.parquet").column_names == ["features"]


def ask(directory, route, **query):
    """What TensorBoard's plugin answers for a folder."""
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.projector import projector_plugin
    from werkzeug import test

    class NoRuns:
        def list_runs(self, *args, **kwargs):
            return []

    plugin = projector_plugin.ProjectorPlugin(
        base_plugin.TBContext(logdir=str(directory), data_provider=NoRuns())
    )
    app = plugin.get_plugin_apps()[route]
    answer = test.Client(app).get("/", query_string={"run": ".", **query})
    assert answer.status_code == 200, answer.data
    return answer


def test_tensorboard_reads_the_projector_files(tmp_path):
    export.save_projector(tmp_path, FEATURES, **ALL, name="test_3")
    (tensor,) = ask(tmp_path, "/info").get_json(force=True)["embeddings"]
    assert tensor["tensorName"] == "test_3" and tensor["tensorShape"] == [3, 4]
    values = np.frombuffer(ask(tmp_path, "/tensor", name="test_3").data, np.float32)
    np.testing.assert_array_equal(values.reshape(3, 4), FEATURES)
    lines = ask(tmp_path, "/metadata", name="test_3").data.decode().splitlines()
    assert lines == [
        "class\tlabel\tfile",
        "dog\t1\ta/ä.png",
        "cat\t0\tb c.png",
        "None\t-1\td.png",
    ]


def test_one_column_of_metadata_has_no_header(tmp_path):
    export.save_projector(tmp_path, FEATURES, labels=[2, 0, 1])
    assert (tmp_path / "features_metadata.tsv").read_text() == "2\n0\n1\n"


def test_the_projector_shows_what_was_written_before_and_the_newest_of_a_name(tmp_path):
    export.save_projector(tmp_path, FEATURES, name="a")
    export.save_projector(tmp_path, FEATURES, name="b")
    export.save_projector(tmp_path, FEATURES[:2], name="a")
    tensors = ask(tmp_path, "/info").get_json(force=True)["embeddings"]
    shapes = {tensor["tensorName"]: tensor["tensorShape"] for tensor in tensors}
    assert shapes == {"a": [2, 4], "b": [3, 4]}


@pytest.mark.parametrize("name", ["a.npz", "a.parquet"])
def test_a_file_is_replaced_whole_or_stays(tmp_path, name, monkeypatch):
    path = tmp_path / name
    export.save_features(path, FEATURES)
    before = path.read_bytes()

    def fail(file, columns):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "_write_npz", fail)
        patch.setattr(files, "_write_parquet", fail)
        with pytest.raises(UserError, match=f"{name} cannot be written: No space"):
            export.save_features(path, 2 * FEATURES)
    assert path.read_bytes() == before and os.listdir(tmp_path) == [name]
    export.save_features(path, 2 * FEATURES)
    assert path.read_bytes() != before and os.listdir(tmp_path) == [name]


def test_wrong_arguments_say_what_is_allowed(tmp_path):
    with pytest.raises(UserError, match=r"must end in .npz or .parquet, got .*a.csv"):
        export.save_features(tmp_path / "a.csv", FEATURES)
    with pytest.raises(ValueError, match=r"`features` must be \[N, C\], got .*\(4,\)"):
        export.save_features(tmp_path / "a.npz", FEATURES[0])
    with pytest.raises(ValueError, match=r"`labels` must be \[3\].*got shape \(2,\)"):
        export.save_features(tmp_path / "a.npz", FEATURES, labels=[0, 1])
    with pytest.raises(ValueError, match=r"`file_names` must be \[3\]"):
        export.save_projector(tmp_path, FEATURES, file_names=["a"])
    (tmp_path / "projector_config.pbtxt").write_text("no such field: 1")
    with pytest.raises(UserError, match="must be a configuration of TensorBoard's"):
        export.save_projector(tmp_path, FEATURES)
    assert os.listdir(tmp_path) == ["projector_config.pbtxt"]
