"""What files of others, and what a process leaves behind, cannot do."""

import ast
import glob
import os
import stat
import zipfile

import numpy as np
import pytest

import run
from simclr_tf import atomic, data, printing
from simclr_tf.data.sources import numpy_files
from simclr_tf.errors import UserError

ROOT = os.path.dirname(os.path.abspath(run.__file__))
CODE = [os.path.join(ROOT, "run.py")]
for part in ("flags", "simclr_tf", "tf_models", "examples", "scripts", "tools"):
    CODE += glob.glob(os.path.join(ROOT, part, "**", "*.py"), recursive=True)
THAT_RUN_CODE = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve"}
# Reads pickles of PyTorch by an unpickler that calls nothing that they name; what it
# refuses is tried in tests/weights/test_hostile_files.py.
UNPICKLING = os.path.join(ROOT, "simclr_tf", "weights", "_unpickling.py")


def test_no_file_is_read_that_can_run_code():
    assert len(CODE) > 100
    for path in CODE:
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read())
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            allowed = {"pickle"} if path == UNPICKLING else set()
            found = THAT_RUN_CODE & {name.split(".")[0] for name in names}
            assert found <= allowed, path
            if not isinstance(node, ast.Call):
                continue
            keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
            called = ast.unparse(node.func)
            assert called not in ("eval", "exec", "os.system"), path
            assert called not in ("pickle.load", "pickle.loads", "pickle.Unpickler")
            if called == "np.load":
                assert keywords["allow_pickle"] == "False", path
            if called.endswith(".load_model"):
                assert keywords["safe_mode"] == "True", path


def test_a_file_takes_its_place_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    atomic.write(str(path), "old")
    with pytest.raises(KeyboardInterrupt), atomic.replacing(str(path)) as unfinished:
        with open(unfinished, "w", encoding="utf-8") as file:
            file.write("half")
        assert path.read_text() == "old"
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == ["file"] and path.read_text() == "old"
    atomic.write(str(path), b"new")
    assert path.read_bytes() == b"new"


def test_the_command_writes_nothing_that_everybody_may_write(tmp_path):
    before = os.umask(0)
    try:
        assert run.main(["run.py", "--qqq"]) == 2
        os.makedirs(tmp_path / "folder")
        atomic.write(str(tmp_path / "folder" / "file"), "text")
    finally:
        os.umask(before)
    for path in (tmp_path / "folder", tmp_path / "folder" / "file"):
        assert not path.stat().st_mode & stat.S_IWOTH
        assert path.stat().st_mode & stat.S_IWGRP  # as the user wants


def test_names_cannot_control_a_terminal(capsys):
    assert printing.printable("a\x1b[2J\r\nb\u202ec") == "a?[2J??b?c"
    shown = "\N{REPLACEMENT CHARACTER}.png"
    assert printing.printable(b"\xff.png") == shown
    assert printing.printable(os.fsdecode(b"\xff.png")) == shown
    assert run.main(["run.py", "--\x1b[31m=1"]) == 2
    assert capsys.readouterr().err == "run.py: --?[31m is no flag.\n"


def test_an_archive_that_unpacks_beyond_memory_is_refused(tmp_path, monkeypatch):
    path = str(tmp_path / "images.npz")
    np.savez_compressed(path, images=np.zeros([1000, 32, 32, 3], np.uint8))
    assert os.path.getsize(path) < 10_000
    assert data.open_source(path).num_examples == 1000
    small = {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 3_000_000}
    monkeypatch.setattr(numpy_files.os, "sysconf", small.__getitem__)
    with pytest.raises(UserError, match="holds 0.0 GB of arrays, more than the 0.0 GB"):
        data.open_source(path)


def test_an_archive_that_lies_about_its_shape_is_refused(tmp_path):
    path = str(tmp_path / "images.npz")
    header = {"descr": "|u1", "fortran_order": False, "shape": (2**45, 8, 8, 3)}
    with zipfile.ZipFile(path, "w") as archive, archive.open("images.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(UserError, match="cannot be read as a NumPy file"):
        data.open_source(path)
