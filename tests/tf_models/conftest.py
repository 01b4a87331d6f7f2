"""The networks themselves, at their full depth."""

import pytest


@pytest.fixture(scope="module", autouse=True)
def shallow():
    """Instead of the fixture of that name for all other tests."""
