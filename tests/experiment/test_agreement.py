"""What refuses the chief is said by every process; two are played by one here."""

import pytest

from simclr_tf import distribution
from simclr_tf.errors import UserError
from simclr_tf.experiment import agreement


@pytest.fixture
def play(monkeypatch):
    """Calls `by_chief` in the chief or in another worker; returns what that gets."""
    told = []

    def from_all(strategy, value):
        if strategy == "chief":
            told.append(value)
        return [told[0] if strategy == "worker" else value, value]

    monkeypatch.setattr(distribution, "from_all", from_all)
    monkeypatch.setattr(distribution, "is_chief", lambda strategy: strategy == "chief")
    return agreement.by_chief


@pytest.mark.parametrize("said", ["größe: another process trains there.", "a" * 5000])
def test_what_refuses_the_chief_is_raised_by_all(play, said):
    def refuse():
        raise UserError(said)

    with pytest.raises(UserError) as chiefs:
        play("chief", refuse)
    with pytest.raises(UserError) as others:
        play("worker", None)  # it does nothing
    assert str(chiefs.value) == said
    assert str(others.value) == said[:1024]


def test_what_succeeds_is_done_once(play):
    done = []
    play("chief", lambda: done.append("chief"))
    play("worker", lambda: done.append("worker"))
    assert done == ["chief"]


def test_alone_it_is_a_call():
    with pytest.raises(UserError, match="no"):
        agreement.by_chief(distribution.make_strategy("none"), _refuse)


def _refuse():
    raise UserError("no")
