"""The explorer is not blind: it catches engines that leave out a line of the protocol."""

from __future__ import annotations

import pytest

from sessile.testing.explore import replay
from tests.interleavings import invariants
from tests.interleavings.invariants import INVARIANTS
from tests.interleavings.mutants import MUTANTS, Mutant, put_in
from tests.interleavings.scenarios import run, world_of


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_each_mutant_is_caught(mutant: Mutant) -> None:
    """The engine as it is keeps the invariant, the mutant breaks it, and the schedule says how."""
    assert mutant.breaks not in run(mutant.scenario, faults=mutant.faults).violations
    with put_in(mutant):
        schedule = run(mutant.scenario, faults=mutant.faults).violations[mutant.breaks]
        world = world_of(mutant.scenario)
        outcome = replay(world.bodies(mutant.scenario.kinds), schedule, start=world.cells)
        assert mutant.breaks in invariants.violated(world.case(mutant.scenario), outcome)


def test_there_are_enough() -> None:
    """Fifteen at least, and each invariant is broken by one of them."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 15
    assert {mutant.breaks for mutant in MUTANTS} == set(INVARIANTS)


def test_a_mutant_of_a_line_that_is_not_there_is_told() -> None:
    """So that nobody believes in a mutant that changes nothing."""
    mutant = MUTANTS[0]._replace(text="a line that nobody wrote")
    with pytest.raises(LookupError, match="a line that nobody wrote"), put_in(mutant):
        pass
