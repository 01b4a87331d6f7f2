"""Any number of replicas and workers trains as one device does."""

import numpy as np
import pytest

from scripts import launch_workers
from tests.programs import Program

CASES = ["lars:views", "sgd:images", "sgd:pipeline", "lars:pieces"]


def fit(folder, kind, count):
    """Trains all cases under `count` replicas or workers; returns the folder."""
    environments = [{}]
    if kind == "multi_worker":
        addresses = launch_workers.free_addresses(count)
        environments = [
            {"TF_CONFIG": launch_workers.tf_config(addresses, index)}
            for index in range(count)
        ]
    arguments = ("tests/distribution/fit_script.py", kind, count, folder, *CASES)
    programs = [Program(*arguments, **environment) for environment in environments]
    ends = [program.wait() for program in programs]
    for code, output in ends:
        assert code == 0, output
    return folder


def assert_same(found, expected, key, case):
    """Of how far a variable moves, rounding is worth up to half a percent here."""
    close = {"rtol": 1e-4, "atol": 1e-4}
    if key.startswith("moved"):
        close = {"rtol": 0, "atol": 0.02 * np.abs(expected).max()}
    np.testing.assert_allclose(found, expected, **close, err_msg=f"{case} {key}")


@pytest.fixture(scope="module")
def of_one_device(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("one"), "none", 1)


@pytest.mark.parametrize(
    ("kind", "count"),
    [("mirrored", 2), ("mirrored", 4), ("multi_worker", 2), ("multi_worker", 3)],
)
def test_losses_and_variables_equal_those_of_one_device(
    kind, count, of_one_device, tmp_path
):
    fit(tmp_path, kind, count)
    workers = [f"-{i}" for i in range(count)] if kind == "multi_worker" else [""]
    for case in CASES:
        name = case.replace(":", "-")
        expected = np.load(of_one_device / f"{name}.npz")
        assert len(expected["losses"]) == 3
        for worker in workers:
            found = np.load(tmp_path / f"{name}{worker}.npz")
            assert found.files == expected.files
            for key in expected.files:
                assert_same(found[key], expected[key], key, case)
