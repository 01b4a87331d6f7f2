"""Files that lie: one line, exit code 2, nothing written, and no code of theirs run."""

import contextlib
import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest

import run
from simclr_tf import export
from simclr_tf.errors import UserError
from simclr_tf.weights import _unpickling, torch_file
from tests.weights import published, torch_networks
from tf_models import resnet

RESNETS = torch_networks.RESNETS  # see tests/conftest.py
CKPT = os.path.join(torch_networks.REFERENCE, "resnet18.ckpt")
LEGACY = os.path.join(torch_networks.REFERENCE, "legacy.pth")


class Call:
    """An object whose pickle calls a function."""

    def __init__(self, function, *arguments):
        self.called = function, arguments

    def __reduce__(self):
        return self.called


class Trainer:
    """A class that no reader knows, as trainers save their settings in."""

    def __init__(self):
        self.settings = {"lr": 0.1}


def with_pickle(path, content, **options):
    """A copy of a file of torch.save that has another pickle."""
    with zipfile.ZipFile(CKPT) as old, zipfile.ZipFile(path, "w", **options) as new:
        for name in old.namelist():
            is_pickle = name.endswith("data.pkl")
            new.writestr(name, content if is_pickle else old.read(name))
    return path


def pickle_of_ckpt():
    with zipfile.ZipFile(CKPT) as archive:
        return archive.read("resnet18/data.pkl")


def text_file(path, text=""):
    path.write_text(text)
    return path


def truncated(path, original, share=0.7):
    with open(original, "rb") as file:
        content = file.read()
    path.write_bytes(content[: int(share * len(content))])
    return path


def folder(path):
    path.mkdir()
    return path


def claims_much(path):
    """A small archive that becomes a gigabyte."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", pickle_of_ckpt())
        with archive.open("a/data/0", "w", force_zip64=True) as entry:
            for _ in range(64):
                entry.write(bytes(2**20))
    return path


def overlapping(path):
    """An archive whose many entries are all the same bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", bytes(10_000))
        entry = archive.infolist()[0]
        for number in range(100):
            copy = zipfile.ZipInfo(f"a/data/{number}")
            copy.header_offset, copy.CRC = entry.header_offset, entry.CRC
            copy.compress_size = copy.file_size = entry.file_size
            archive.filelist.append(copy)
    return path


def safetensors(path, header, content=b""):
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content)
    return path


def tf1_checkpoint(path):
    values = published.random_values(published.names("tf1", "r18_32"))
    published.write_tf1(str(path), values)
    return f"{path}.data-00000-of-00001"


FILES = {
    "no such file": (lambda p: p, "No such file or directory"),
    "empty": (text_file, "an empty file"),
    "text": (lambda p: text_file(p, "weights"), "not a file of weights"),
    "html": (
        lambda p: text_file(p, "\n<!doctype html>"),
        "HTML or XML, probably",
    ),
    "hdf5": (lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n") and p, "an HDF5 file"),
    "empty folder": (folder, "a folder without a checkpoint"),
    "legacy": (lambda p: LEGACY, "a pickle, perhaps from PyTorch before 1.6"),
    "cut ckpt": (lambda p: truncated(p, CKPT), "not a file of torch.save, or damaged"),
    "cut TF": (
        lambda p: truncated(p.with_suffix(".data-00000-of-00001"), tf1_checkpoint(p)),
        "not a checkpoint of TensorFlow, or damaged",
    ),
    "bomb": (claims_much, "compressed or unpacks to more than its size"),
    "overlap": (overlapping, "compressed or unpacks to more than its size"),
    "system": (
        lambda p: with_pickle(p, pickle.dumps({"a": Call(os.system, "touch ran")})),
        "calls posix.system, which does not make a tensor, so it was",
    ),
    "getattr": (
        lambda p: with_pickle(p, pickle.dumps(Call(getattr, "a", "format"), 0)),
        "calls __builtin__.getattr",
    ),
    "garbage": (lambda p: with_pickle(p, b"\x80\x02garbage"), "damaged"),
    "no dict": (lambda p: with_pickle(p, pickle.dumps([1])), "a whole object, not a"),
    "no tensors": (lambda p: with_pickle(p, pickle.dumps({})), "no dict of tensors"),
    "other zip": (
        lambda p: zipfile.ZipFile(p, "w").writestr("a", "b") or p,
        "damaged|no data.pkl",
    ),
    "long header": (
        lambda p: p.write_bytes(b"\xff" * 7 + b"\x00{" + bytes(99)) and p,
        "its header is longer than the file",
    ),
    "outside": (
        lambda p: safetensors(
            p, {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
        ),
        "a tensor lies outside the file",
    ),
    "negative": (
        lambda p: safetensors(
            p,
            {"a": {"dtype": "F32", "shape": [-1, -2], "data_offsets": [-8, 0]}},
        ),
        "a tensor lies outside the file",
    ),
    "no header": (lambda p: safetensors(p, {"a": 1}), "damaged, or not a safetensors"),
}


@pytest.mark.parametrize("kind", FILES)
def test_it_is_one_line_and_writes_nothing(kind, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make, message = FILES[kind]
    path, model_dir = make(tmp_path / "file"), tmp_path / "run"
    arguments = ["run.py", "--mode=import", f"--source={path}"]
    assert run.main([*arguments, f"--model_dir={model_dir}"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and err.startswith(f"run.py: --source={path}: ")
    assert any(part in err for part in message.split("|")), err
    assert not model_dir.exists() and not os.path.exists("ran")


def test_objects_of_unknown_classes_are_shells(tmp_path):
    content = {"hyper_parameters": Trainer(), "kind": Trainer, "lr": np.float64(1)}
    found = _unpickling.load(pickle.dumps(content, 2))
    shell = found["hyper_parameters"]
    assert type(shell) is not Trainer and not vars(shell)
    assert found["kind"] is not Trainer


@pytest.mark.parametrize(
    "change",
    [
        {"offset": 10**9},
        {"offset": -1},
        {"shape": (10**9,)},
        {"shape": (10**9, 10**9), "strides": (0, 0)},
        {"strides": (-1,)},
        {"strides": (10**12,)},
        {"shape": (-4,)},
        {"strides": ()},
    ],
)
def test_tensors_outside_of_their_storage_are_refused(change):
    storage = _unpickling.Storage("<f4", "0", 16)
    place = {"offset": 0, "shape": (16,), "strides": (1,)} | change
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a/data/0", bytes(64))
        tensor = _unpickling.Tensor(storage, **place)
        with pytest.raises(ValueError, match="outside|argument"):
            torch_file._array(tensor, file, "a/", {})


def test_a_pickle_changes_no_function_of_ours():
    # BUILD with a dict would set attributes.
    code = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aK\x01sb."
    with pytest.raises(ValueError, match="a function is not an object"):
        _unpickling.load(code)
    with pytest.raises(UserError, match="calls os.system"):
        _unpickling.load(b"cos\nsystem\n(S'true'\ntR.")


def test_a_pickle_that_claims_many_objects_takes_no_memory():
    # LONG_BINPUT 2**31 - 1: the unpickler of C makes room for as many.
    assert _unpickling.load(b"\x80\x02Nr\xff\xff\xff\x7f.") is None


SHAPES = ([], [0], [2], [3, 2], [0, 0, 0, 0], [2, 2, 1, 1], [64, 3, 3, 3])


@pytest.mark.parametrize("seed", range(12))
def test_random_damage_is_said_in_words(seed, tmp_path):
    random = np.random.RandomState(seed)
    values, _ = torch_networks.reference("resnet18")
    values |= {"fc.weight": np.ones([3, 16], "float32"), "fc.bias": np.ones(3, "f4")}
    names = list(values)
    for name in random.choice(names, 3, replace=False):
        kind = random.randint(3)
        if kind == 0:
            shape = SHAPES[random.randint(len(SHAPES))]
            values[name] = np.ones(shape, "float32")
        elif kind == 1:
            values[f"{name}.{'9' * 5000}.0.conv1.weight"] = values.pop(name)
        else:
            values[name[:-3]] = values.pop(name)
    path = tmp_path / "weights.safetensors"
    torch_networks.write_safetensors(path, values)
    with contextlib.suppress(UserError):
        export.import_checkpoint(str(path))


@pytest.mark.parametrize(
    "name,value",
    [
        ("base_model/conv2d_3/kernel", np.array(b"text")),
        ("base_model/conv2d/kernel", np.zeros([3, 3, 3, 0], "float32")),
        ("base_model/conv2d_3/kernel", np.float32(1)),
        ("head_supervised/linear_layer/dense/kernel", np.float32(1)),
        ("head_supervised/linear_layer/dense/kernel", np.zeros([32, 0], "float32")),
        ("head_contrastive/nl_1/dense/kernel", np.zeros([32, 0], "float32")),
        ("global_step", np.zeros([2, 2])),
    ],
)
def test_checkpoints_with_other_values_are_refused(name, value, tmp_path, monkeypatch):
    monkeypatch.setitem(resnet._BLOCKS, 18, (False, (2, 2, 2, 2)))
    values = published.random_values(published.names("tf1", "r18_32"))
    published.write_tf1(str(tmp_path / "a"), values | {name: value})
    with pytest.raises(UserError):
        export.import_checkpoint(str(tmp_path / "a"))
