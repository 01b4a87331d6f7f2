"""Fixtures for runs that are stopped, damaged, or cannot write."""

import pytest

import run
from tests.lasting import runs


@pytest.fixture(scope="module", autouse=True)
def small_encoder():
    with runs.tiny_encoder():
        yield


@pytest.fixture
def start(tmp_path, capsys):
    """Runs the command; returns exit code, stdout and stderr."""

    def command(*flags, model_dir="run"):
        capsys.readouterr()
        folder = model_dir if "/" in model_dir else tmp_path / model_dir
        code = run.main(["run.py", *runs.TINY, f"--model_dir={folder}", *flags])
        return code, *capsys.readouterr()

    return command


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """Folder of a run of four steps that nothing ended, all checkpoints kept."""
    folder = tmp_path_factory.mktemp("whole")
    with runs.tiny_encoder():
        flags = [*runs.TINY, *runs.FOUR, f"--model_dir={folder}"]
        assert run.main(["run.py", *flags]) == 0
    return folder
