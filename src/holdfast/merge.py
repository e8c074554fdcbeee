# Three-way merge by key. Laws, each a property test:
#   1. My change applied to an unchanged base gives what I have.
#   2. Changes to different keys commute.
#   3. A key that I did not touch is never changed by me.
# Both having changed the same key to different values is a collision: the later commit wins, and says so. Unless there
# is a function for the key, which is asked whenever both changed it; or both values are dicts, and one may look inside.
"""Join the changes that two requests made to the data of one session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from holdfast.record import JSON, stringify

__all__ = ["MergeFunction", "Merged", "add", "append", "first", "largest", "merge", "smallest", "union"]

#: What becomes of a key that two requests changed: a function of its value before, mine, and theirs, which was stored
#: first. None stands for a key that is not there, and returned, removes it.
MergeFunction: TypeAlias = Callable[[JSON, JSON, JSON], JSON]


class Merged(NamedTuple):
    """The outcome of a merge."""

    #: Their data with my change applied, in their order, new keys at the end.
    data: dict[str, JSON]
    #: The keys that both changed, and not to the same value; ``cart.items`` is a key within a key.
    collisions: tuple[str, ...]


class _Absent:
    """Stands for the value of a key that is not there; differs from every value."""


_ABSENT = _Absent()


def merge(
    base: Mapping[str, JSON],
    mine: Mapping[str, JSON],
    theirs: Mapping[str, JSON],
    *,
    depth: int = 1,
    functions: Mapping[str, MergeFunction] | None = None,
    strict: bool = False,
) -> Merged:
    """Apply what changed from ``base`` to ``mine`` to ``theirs``.

    ``base`` is the data both started from. A value is compared as the JSON it is stored as, so True is not 1 and 1.0
    is 1. ``depth`` is to what depth dicts are joined key by key, 1 being the top level. ``functions`` decide what
    becomes of a key of the top level that both changed. ``strict``: if both made the same of it, that is a collision
    too, for each may have added one. Returns new containers where it joins; the arguments are not changed.
    """
    data = dict(theirs)
    collisions: list[str] = []
    for key in [*base, *(key for key in mine if key not in base)]:
        before, now, current = (version.get(key, _ABSENT) for version in (base, mine, theirs))
        if _equal(before, now):
            continue
        if not _equal(before, current):
            function = None if functions is None else functions.get(key)
            if function is not None:
                joined = function(*(None if value is _ABSENT else value for value in (before, now, current)))
                now = _ABSENT if joined is None else joined
            elif depth > 1 and isinstance(now, dict) and isinstance(current, dict):
                inner = merge(before if isinstance(before, dict) else {}, now, current, depth=depth - 1, strict=strict)
                collisions.extend(f"{key}.{each}" for each in inner.collisions)
                now = inner.data
            elif strict or not _equal(now, current):
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


# Functions for the usual keys.


def add(base: JSON, mine: JSON, theirs: JSON) -> JSON:
    """Add what both added: for counters.

    >>> add(10, 12, 11)
    13
    """
    return (theirs or 0) + (mine or 0) - (base or 0)


def union(base: JSON, mine: JSON, theirs: JSON) -> JSON:
    """Keep what either put into a list, without what either took out; no value twice. For sets of things.

    >>> union(["rope", "hook"], ["rope", "map"], ["rope", "hook", "lamp"])
    ['rope', 'lamp', 'map']
    """
    before, now, current = base or [], mine or [], theirs or []
    kept = [value for value in current if value in now or value not in before]
    return kept + [value for value in now if value not in before and value not in kept]


def append(base: JSON, mine: JSON, theirs: JSON) -> JSON:
    """Keep what either put at the end of a list, theirs first: for histories.

    >>> append(["a"], ["a", "b"], ["a", "c"])
    ['a', 'c', 'b']
    """
    before, now, current = base or [], mine or [], theirs or []
    return current + now[len(before) :] if now[: len(before)] == before else now


def largest(base: JSON, mine: JSON, theirs: JSON) -> JSON:
    """Keep the larger one: for high scores, and moments of the latest.

    >>> largest(1, 5, 3)
    5
    """
    return max((value for value in (mine, theirs) if value is not None), default=None)


def smallest(base: JSON, mine: JSON, theirs: JSON) -> JSON:
    """Keep the smaller one.

    >>> smallest(9, 5, 3)
    3
    """
    return min((value for value in (mine, theirs) if value is not None), default=None)


def first(base: JSON, mine: JSON, theirs: JSON) -> JSON:
    """Keep what was stored first: the later commit loses, instead of winning.

    >>> first("a", "mine", "theirs")
    'theirs'
    """
    return theirs
