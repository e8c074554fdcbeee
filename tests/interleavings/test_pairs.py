"""All pairs of requests, through every order of their store calls, with every fault, keep the invariants."""

from __future__ import annotations

import pytest

from tests.interleavings.bodies import KINDS
from tests.interleavings.checking import differences
from tests.interleavings.scenarios import pairs


@pytest.mark.parametrize("kind", KINDS)
def test_each_pair_keeps_the_invariants(kind: str) -> None:
    """By default options; a violation names the schedule that replays it."""
    scenarios = [each for each in pairs() if each.kinds[0] == kind]
    assert scenarios
    assert differences(scenarios) == []
