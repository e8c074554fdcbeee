# Under conflict="overwrite" a request writes all that it has loaded, and would put back what another one has taken with
# `pop_once` meanwhile. So what was taken a short while ago is noted in the record.
"""Which keys `pop_once` has taken out of a session."""

from __future__ import annotations

from collections.abc import Mapping

from sessile._records.record import JSON

__all__ = ["TAKEN", "taken_in", "with_taken"]

#: The system field: keys, and when each was taken.
TAKEN = "taken"

#: How long that is noted, in seconds, and of how many keys: requests of that age may still write.
NOTED, MOST = 600.0, 100


def taken_in(system: Mapping[str, JSON]) -> dict[str, float]:
    """Return the keys that were taken, and when. What another program has put there is none."""
    field = system.get(TAKEN)
    if not isinstance(field, dict):
        return {}
    return {key: float(at) for key, at in field.items() if isinstance(at, (int, float))}


def with_taken(system: Mapping[str, JSON], key: str, now: float) -> dict[str, JSON]:
    """Return ``system`` with the note that ``key`` was taken ``now``."""
    known = {each: at for each, at in taken_in(system).items() if at > now - NOTED and each != key}
    return {**system, TAKEN: {**dict(list(known.items())[1 - MOST :]), key: now}}
