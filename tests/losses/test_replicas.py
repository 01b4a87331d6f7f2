"""Every loss on several replicas is that loss on one device."""

import pytest

from tests import programs


@pytest.mark.parametrize("sizes", [(4, 1), (2, 3, 1, 2)])
def test_replicas_equal_one_device_on_the_global_batch(sizes):
    printed = programs.run("tests/losses/replicas_script.py", *sizes)
    assert printed.splitlines()[-1] == "equal"
