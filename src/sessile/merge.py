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

import msgspec

from sessile._records.record import JSON, stringify

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

_encoder = msgspec.json.Encoder()


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
    if one is other:
        return True
    if one is _ABSENT or other is _ABSENT:
        return False
    # Most keys are those that nobody has touched, and the same bytes are the same JSON. What differs is written as
    # JavaScript would, so that a conflict costs what was changed, and not what the session holds.
    try:
        if _encoder.encode(one) == _encoder.encode(other):
            return True
    except (TypeError, ValueError, RecursionError):
        pass  # The careful writer can write it, or names the place.
    return stringify(one) == stringify(other)


# Functions for the usual keys. What stands under a key may be anything, for another program may have written it. Where
# it is not what a function is for, the later commit wins, as without the function.


def add(base: JSON, mine: JSON, theirs: JSON) -> object:
    """Add what both added: for counters.

    >>> add(10, 12, 11)
    13
    """
    numbers = [base or 0, mine or 0, theirs or 0]
    if not all(map(_is_number, numbers)):
        return mine
    before, now, current = numbers
    return current + now - before


def union(base: JSON, mine: JSON, theirs: JSON) -> object:
    """Keep what either put into a list, without what either took out; no value twice. For sets of things.

    >>> union(["rope", "hook"], ["rope", "map"], ["rope", "hook", "lamp"])
    ['rope', 'lamp', 'map']
    """
    lists = _lists(base, mine, theirs)
    if lists is None:
        return mine
    # By their JSON, which can be looked up, and which keeps True and 1 apart.
    before, now, current = ({stringify(value): value for value in values} for values in lists)
    kept = {text: value for text, value in current.items() if text in now or text not in before}
    return [*(kept | {text: value for text, value in now.items() if text not in before and text not in kept}).values()]


def append(base: JSON, mine: JSON, theirs: JSON) -> object:
    """Keep what either put at the end of a list, theirs first: for histories.

    >>> append(["a"], ["a", "b"], ["a", "c"])
    ['a', 'c', 'b']
    """
    lists = _lists(base, mine, theirs)
    if lists is None:
        return mine
    before, now, current = lists
    return current + now[len(before) :] if now[: len(before)] == before else now


def largest(base: JSON, mine: JSON, theirs: JSON) -> object:
    """Keep the larger one: for high scores, and moments of the latest.

    >>> largest(1, 5, 3)
    5
    """
    return _outermost(max, mine, theirs)


def smallest(base: JSON, mine: JSON, theirs: JSON) -> object:
    """Keep the smaller one.

    >>> smallest(9, 5, 3)
    3
    """
    return _outermost(min, mine, theirs)


def first(base: JSON, mine: JSON, theirs: JSON) -> object:
    """Keep what was stored first: the later commit loses, instead of winning.

    >>> first("a", "mine", "theirs")
    'theirs'
    """
    return theirs


def _is_number(value: JSON) -> bool:
    return isinstance(value, (int, float))


def _lists(*values: JSON) -> list[list[JSON]] | None:
    """Return ``values`` as lists, nothing being an empty one; None if one of them is something else."""
    lists = [[] if value is None else value for value in values]
    if not all(isinstance(each, (list, tuple)) for each in lists):
        return None
    return [list(each) for each in lists]


def _outermost(choose: Callable[[list[JSON]], JSON], mine: JSON, theirs: JSON) -> JSON:
    given = [value for value in (mine, theirs) if value is not None]
    try:
        return choose(given) if given else None
    except TypeError:
        return mine
