"""Runs with a memory of negatives, stopped and continued."""

import json

import numpy as np
import pytest

import run
from simclr_tf.experiment import checkpoints, networks
from tests.lasting import runs


@pytest.fixture(scope="module")
def remembering(tmp_path_factory):
    """Folder of a run of four steps with a memory that wraps; all checkpoints kept."""
    folder = tmp_path_factory.mktemp("remembering")
    flags = [*runs.TINY, *runs.FOUR, "--memory_size=20", "--memory_momentum=0.5"]
    assert run.main(["run.py", *flags, f"--model_dir={folder}"]) == 0
    return folder


def test_a_memory_of_negatives_goes_on_bit_for_bit(start, tmp_path, remembering):
    folder = runs.copy_of(remembering, tmp_path / "run", 1, 2)
    flags = ("--memory_size=20", "--memory_momentum=0.5")
    code, out, err = start(*runs.FOUR, *flags)
    assert (code, err) == (0, "")
    assert "negatives  20 of earlier batches, 16 so far, momentum 0.5" in out
    end = runs.variables(folder, 4)
    runs.assert_same(end, runs.variables(remembering, 4))
    of_memory = [key for key in end if key.startswith("memory/")]
    assert len(of_memory) == 2 + 6 + 4
    kept = end["memory/embeddings/.ATTRIBUTES/VARIABLE_VALUE"]
    assert kept.shape == (20, 4) and kept.any(axis=1).all()
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["train/memory_filled"] == 18  # the mean of 16 and 20


@pytest.mark.parametrize(
    ("flags", "sizes"), [((), "20 0"), (("--memory_size=24",), "20 24")]
)
def test_a_run_does_not_go_on_with_another_memory(
    start, tmp_path, remembering, flags, sizes
):
    runs.copy_of(remembering, tmp_path / "run", 1)
    code, _, err = start(*runs.FOUR, *flags, "--resume_with_other_flags")
    assert code == 2 and f"memory_size {sizes}" in " ".join(err.split())
    assert "starts a new run from its weights" in err


def test_a_run_does_not_begin_a_memory_midway(start, tmp_path, whole, monkeypatch):
    runs.copy_of(whole, tmp_path / "run", 1)
    described = checkpoints.describe

    def of_an_earlier_release(prefix, flag):
        about = described(prefix, flag)
        del about["flags"]["memory_size"]
        return about

    monkeypatch.setattr(checkpoints, "describe", of_an_earlier_release)
    code, _, err = start(*runs.FOUR, "--memory_size=24", "--resume_with_other_flags")
    assert code == 2 and "memory_size 0 24" in " ".join(err.split())


def test_a_new_run_begins_its_memory_with_the_weights_of_another(
    start, tmp_path, remembering
):
    flags = ("--memory_size=8", f"--checkpoint={remembering}/ckpt-4")
    code, out, err = start("--train_steps=1", "--learning_rate=0", *flags)
    assert (code, err) == (0, "") and "Initialised the encoder and proj" in out
    begun, there = runs.variables(tmp_path / "run", 1), runs.variables(remembering, 4)
    kernels = [
        [value for key, value in of.items() if key.startswith(f"{part}/encoder/")]
        for of, part in ((begun, "memory"), (there, "model"))
    ]
    kernels = [[value for value in of if value.ndim == 4] for of in kernels]
    np.testing.assert_array_equal(*kernels)


def test_what_is_judged_has_no_memory(start, remembering, monkeypatch):
    monkeypatch.setattr(networks, "NegativeMemory", None)
    code, _, err = start("--mode=eval", model_dir=str(remembering))
    assert (code, err) == (0, "")


def test_a_memory_of_all_images_is_refused(start):
    code, _, err = start("--train_steps=1", "--memory_size=10000")
    assert code == 2 and "--memory_size must be less than 10000, got 10000" in err
