"""What was found is replayed by its schedule for as long as it is known, and is found no more afterwards."""

from __future__ import annotations

import pytest

from sessile.testing.explore import replay
from tests.interleavings import invariants
from tests.interleavings.known import KNOWN, known_of
from tests.interleavings.recorded import FINDINGS, Finding
from tests.interleavings.scenarios import OPTIONS, run, world_of


@pytest.mark.parametrize("finding", FINDINGS, ids=str)
def test_a_finding_is_replayed_until_it_is_mended(finding: Finding) -> None:
    """By the schedule while the table has it; else no schedule shows it."""
    scenario = finding.scenario
    if known_of(scenario).get(finding.breaks) != finding.fault:
        faults = not finding.schedule.isalpha()  # All faults of pairs are in test_pairs.py.
        assert finding.breaks not in run(scenario, faults=faults).violations
        return
    world = world_of(scenario)
    outcome = replay(world.bodies(scenario.kinds), finding.schedule, start=world.cells)
    assert finding.breaks in invariants.violated(world.case(scenario), outcome)


def test_the_table_names_what_there_is() -> None:
    """A slip in the table would excuse nothing, and be seen by nobody."""
    for row in KNOWN:
        assert row.invariant in invariants.INVARIANTS
        assert set(row.options) <= set(OPTIONS)
        assert row.scenarios
