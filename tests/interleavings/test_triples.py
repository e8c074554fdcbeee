"""Three requests at once keep the invariants."""

from __future__ import annotations

import pytest

from tests.interleavings.checking import differences
from tests.interleavings.scenarios import LARGE, LARGEST, Scenario, triples

#: What has gone wrong under these options only.
OTHERS = (
    Scenario(("pop_once", "pop_once", "write"), "overwrite"),
    Scenario(("write", "write", "log-out"), "error"),
    Scenario(("rotate, keep", "write", "log-out"), "hash_ids"),
    Scenario(("lock", "write", "log-out"), "nonced codec"),
    Scenario(("write", "read", "log-out"), "renewals"),
)

#: Those of the suite.
SUITE = [each for each in triples() if each.kinds not in LARGEST]


@pytest.mark.parametrize("scenario", [*SUITE, *OTHERS], ids=str)
def test_three_at_once_keep_the_invariants(scenario: Scenario) -> None:
    """Every order, with every fault; those with the most orders have their faults in the long run."""
    assert differences([scenario], faults=scenario.kinds not in LARGE) == []


def test_there_are_enough() -> None:
    """At least twenty, each once."""
    assert len({each.kinds for each in SUITE}) == len(SUITE) >= 20
