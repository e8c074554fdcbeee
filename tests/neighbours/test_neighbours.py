"""Packages that stand on a session run their own tests with sessile beneath them."""

from __future__ import annotations

import pytest

from tests.neighbours.differences import DIFFERENCES, PASSES
from tests.neighbours.run import run
from tests.neighbours.table import NEIGHBOURS, Neighbour


@pytest.mark.parametrize("neighbour", NEIGHBOURS, ids=lambda neighbour: neighbour.name)
def test_its_own_tests_pass(neighbour: Neighbour) -> None:
    """But for those that `differences.py` names, with reasons; and those still fail."""
    found, printed = run(neighbour)
    passed = {test for test, outcome in found.items() if outcome == "passed"}
    others = found.keys() - passed
    expected = DIFFERENCES[neighbour.name].keys()
    assert others - expected == set(), f"these do not pass:\n{printed[-20_000:]}"
    assert expected - others == set(), "these pass, or are not run: take them out of differences.py"
    assert len(passed) == PASSES[neighbour.name]


def test_each_has_its_counts() -> None:
    """The tables name the same neighbours, each once."""
    names = [neighbour.name for neighbour in NEIGHBOURS]
    assert sorted(names) == sorted(PASSES) == sorted(DIFFERENCES)
    assert len(set(names)) == len(names)
