# The faults of the engine as it is, each by a name that this comment explains. Those that were mended stand
# in recorded.py, so that they do not come back.
#
#   overwrite   conflict="overwrite" brings back a session that was ended for the limit of its user, and forgets who
#               holds a lock: who asks for it says that the last write wins, whole
#
# Who mends one takes its rows out: a scenario that stands here and does not fail is a failure too.
"""What fails, and is known to."""

from __future__ import annotations

from typing import NamedTuple

from tests.interleavings.scenarios import Scenario

__all__ = ["KNOWN", "Known", "known_of"]


class Known(NamedTuple):
    """Scenarios that break an invariant because of a known fault."""

    fault: str
    invariant: str
    #: Under which options; each scenario under each of them.
    options: tuple[str, ...]
    scenarios: tuple[str, ...]
    #: Whether it takes a crash or a lost answer.
    by_fault: bool = False


#: The one table of them. Empty is how it should be.
KNOWN: tuple[Known, ...] = (
    Known(
        "overwrite",
        "limit exceeded",
        ("overwrite",),
        (
            "log-in at the limit x adoption",
            "log-in at the limit x cookie change",
            "log-in at the limit x flash",
            "log-in at the limit x index",
            "log-in at the limit x lock",
            "log-in at the limit x save in the middle",
            "log-in at the limit x transaction",
            "write x log-in at the limit",
        ),
    ),
    Known("overwrite", "lock shared", ("overwrite",), ("lock x lock x write",)),
)


def known_of(scenario: Scenario, *, faults: bool = True) -> dict[str, str]:
    """Return the invariants that a scenario is known to break, each with the fault. ``faults``: with crashes."""
    name = " x ".join(scenario.kinds)
    return {
        row.invariant: row.fault
        for row in KNOWN
        if scenario.options in row.options and name in row.scenarios and (faults or not row.by_fault)
    }
