# A lock is a system field of the record, set and taken away by `replace`, which compares: so it works with every store,
# two can never hold it at once, and it is gone with the session. It keeps nobody out but those who ask for it too.
#
# Whoever dies with a lock in hand would keep the others waiting, so it ends by itself. Who is then late finds out when
# they commit: each holder has a number, larger than those before (a fencing token), and another one stands there now.
"""The lock of a session, as it stands in its record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sessile._records.attributes import moment_in
from sessile._records.record import JSON

__all__ = ["Lock", "lock_in", "with_lock", "without_lock"]

_FIELD = "lock"

#: The largest whole number that JavaScript holds exactly.
LARGEST = 2**53 - 1


class Lock(NamedTuple):
    """Who has the lock of a session, or had it last."""

    #: The holder's number; 0 if there never was one.
    fence: int = 0
    #: Until when it is held, in epoch seconds.
    until: float = 0.0


def lock_in(system: Mapping[str, JSON]) -> Lock:
    """Return the lock that stands in these system fields. What another program has put there is none."""
    field = system.get(_FIELD)
    if not isinstance(field, dict):
        return Lock()
    fence, until = field.get("fence"), field.get("until", 0.0)
    end = moment_in(until)
    if type(fence) is not int or abs(fence) > LARGEST or end is None:
        return Lock()
    return Lock(fence, end)


def with_lock(system: Mapping[str, JSON], now: float, ttl: float) -> dict[str, JSON]:
    """Return ``system`` with the lock taken for ``ttl`` seconds from ``now``."""
    # By the clock, so that it grows even if the field gets lost: a Node process may write back an older record.
    fence = max(lock_in(system).fence + 1, int(now * 1000))
    return {**system, _FIELD: {"fence": fence, "until": now + ttl}}


def without_lock(system: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return ``system`` with the lock given back."""
    return {**system, _FIELD: {"fence": lock_in(system).fence}}
