"""Orders that meet are followed once: nothing is missed by that."""

from __future__ import annotations

import pytest

from tests.interleavings.scenarios import Scenario, run

SMALL = (
    ("write", "write"),
    ("write", "log-out"),
    ("read", "write"),
    ("incr", "pop_once"),
    ("first write", "revoke_user"),
    ("rotate, drop", "write"),
    ("transaction", "save in the middle"),
    ("flash", "revoke"),
    ("log-in elsewhere", "revoke_user"),
    ("rotate, grace", "write"),
)


@pytest.mark.parametrize("kinds", SMALL, ids=" x ".join)
def test_all_orders_come_to_the_same_outcomes(kinds: tuple[str, ...]) -> None:
    """One by one or reduced: as many orders, with as many faults, and the same outcomes and violations."""
    scenario = Scenario(kinds)
    reduced = run(scenario, keep=True)
    full = run(scenario, reduced=False, keep=True)
    assert full.kept == reduced.kept
    assert len(reduced.kept) == reduced.outcomes > 1
    assert (full.orders, full.crashes, full.lost) == (reduced.orders, reduced.crashes, reduced.lost)
    assert full.violations == reduced.violations
    assert full.points > reduced.points


def test_three_at_once() -> None:
    """The same for a triple, without faults, which would take long one by one."""
    scenario = Scenario(("write", "write", "read"))
    reduced = run(scenario, faults=False, keep=True)
    full = run(scenario, faults=False, reduced=False, keep=True)
    assert full.kept == reduced.kept
    assert full.orders == reduced.orders
