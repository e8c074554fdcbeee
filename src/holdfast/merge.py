# Three-way merge by key. Laws, each a property test:
#   1. My change applied to an unchanged base gives what I have.
#   2. Changes to different keys commute.
#   3. A key that I did not touch is never changed by me.
# Both having changed the same key to different values is a collision: the later commit wins, and says so.
"""Join the changes that two requests made to the data of one session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from holdfast.record import JSON, stringify

__all__ = ["Merged", "merge"]


class Merged(NamedTuple):
    """The outcome of a merge."""

    #: Their data with my change applied, in their order, new keys at the end.
    data: dict[str, JSON]
    #: The keys that both changed, and not to the same value.
    collisions: tuple[str, ...]


class _Absent:
    """Stands for the value of a key that is not there; differs from every value."""


_ABSENT = _Absent()


def merge(base: Mapping[str, JSON], mine: Mapping[str, JSON], theirs: Mapping[str, JSON]) -> Merged:
    """Apply what changed from ``base`` to ``mine`` to ``theirs``.

    ``base`` is the data both started from. A value is compared as the JSON it is stored as, so True is not 1 and 1.0
    is 1. Returns new containers at the top level; the arguments are not changed.
    """
    data = dict(theirs)
    collisions = []
    for key in [*base, *(key for key in mine if key not in base)]:
        before, now, current = (version.get(key, _ABSENT) for version in (base, mine, theirs))
        if _equal(before, now):
            continue
        if not _equal(before, current) and not _equal(now, current):
            collisions.append(key)
        if now is _ABSENT:
            data.pop(key, None)
        else:
            data[key] = now
    return Merged(data, tuple(collisions))


def _equal(one: JSON, other: JSON) -> bool:
    if one is _ABSENT or other is _ABSENT:
        return one is other
    return stringify(one) == stringify(other)
