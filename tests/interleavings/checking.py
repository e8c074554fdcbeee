"""Compare what a run finds with what is known."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

from sessile.testing.explore import Report
from tests.interleavings.known import known_of
from tests.interleavings.scenarios import Scenario, run


def differences(scenarios: Iterable[Scenario], *, faults: bool = True) -> list[str]:
    """Return a line for each violation that is not known, and for each that is known and was not found."""
    lines = []
    for scenario in scenarios:
        found, known = run(scenario, faults=faults).violations, known_of(scenario, faults=faults)
        for invariant in sorted({*found, *known}):
            if invariant not in known:
                lines.append(f"{scenario}: {invariant}, by the schedule {found[invariant]!r}")
            elif invariant not in found:
                lines.append(f"{scenario}: {invariant} is in KNOWN, and was not found. Take it out")
    return lines


def timed(scenario: Scenario) -> tuple[Scenario, Report, float]:
    """Run a scenario in a process of a pool. Return it, what was found, and how many seconds of a processor it took.

    A new process of a pool does not import ``__main__``, so this cannot be there.
    """
    logging.getLogger("sessile").disabled = True
    began = time.process_time()
    return scenario, run(scenario), time.process_time() - began
