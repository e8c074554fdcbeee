# The index says which sessions a user has. It is made of records like any others, in a room of the store apart from the
# sessions (base.Indexed): one for each user, which names ids, and when each was entered.
#
#   1. A session is entered before its record is made, and taken out after its end. So whatever dies in between, the
#      index names too much, and never too little.
#   2. What it names too much is found out by whoever reads it, and taken out; but for what was entered a moment ago:
#      its record may be about to be made.
#   3. It is written by `replace`, which compares. So a limit on how many sessions a user may have is kept in the same
#      step in which one more is entered, whoever else is logging in at the time.
#   4. It outlives what it names: each session renews it about once in a life of its own.
#
# A user is one index, of the name "user". An application may have more: a tenant, the `sid` of an OpenID provider.
#
# All methods are bodies of code in both colours (dual.py).
"""Which sessions belong together: the index of a store."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec

from holdfast.border import Border
from holdfast.coded import digest
from holdfast.dual import Steps
from holdfast.errors import RetriesExhausted
from holdfast.patience import MAX_TRIES, pause_before
from holdfast.record import INDEXES, JSON, USER
from holdfast.stores.base import Replaced

__all__ = ["ENTERING", "Index", "Named", "key_of", "keys_of", "renewal_is_due"]

#: For how long, in seconds, a session may be named whose record is not there: longer than a commit takes.
ENTERING = 60.0

#: How many lives of a session its entry lasts, counted from when it was renewed.
LIVES = 3

#: What an index holds: ids as they stand in the store, and when each was entered, in epoch seconds.
Named = dict[str, float]


class _Payload(msgspec.Struct):
    sessions: Named = {}


_decoder = msgspec.json.Decoder(_Payload)


def key_of(name: str, value: str | int) -> str:
    """Return the key of the index ``name`` for ``value``. Whoever reads the store cannot tell either from it."""
    return digest(json.dumps([name, value]).encode("ascii"))


def keys_of(system: Mapping[str, JSON]) -> list[str]:
    """Return the keys of all indexes in which a session with these system fields belongs."""
    others = system.get(INDEXES)
    values = {**(others if isinstance(others, dict) else {}), USER: system.get(USER)}
    return [key_of(name, value) for name, value in values.items() if isinstance(value, (str, int))]


def renewal_is_due(seen: float, now: float, ttl: float) -> bool:
    """Tell whether a session that lives for ``ttl`` seconds, and was seen at ``seen`` and ``now``, renews its entries.

    It does at the first visit in each stretch of that length; so, with LIVES, they always outlive it.
    """
    return ttl > 0 and math.floor(seen / ttl) != math.floor(now / ttl)


class Index:
    """Enters sessions, and takes them out. ``name`` turns an id into what stands in the store for it."""

    def __init__(self, border: Border, clock: Callable[[], float], name: Callable[[str], str]) -> None:
        self._border = border
        self._clock = clock
        self.name = name

    def enter(self, room: Any, key: str, sid: str, ttl: float) -> Steps[None]:
        """Enter ``sid``, whose record lives for ``ttl`` seconds."""
        yield from self.change(room, key, lambda named: {**named, self.name(sid): self._clock()}, ttl)

    def leave(self, room: Any, key: str, gone: Collection[str]) -> Steps[None]:
        """Take out ``gone``, ids as they stand in the store."""
        yield from self.change(room, key, lambda named: {one: at for one, at in named.items() if one not in gone})

    def renew(self, room: Any, key: str, sid: str, ttl: float) -> Steps[None]:
        """Let the index outlive ``sid``, which lives for ``ttl`` seconds from now, and name it if it does not."""
        record = yield from self._border.ask(room.load, key)
        if record is None or self.name(sid) not in _named(record.payload):
            yield from self.enter(room, key, sid, ttl)
        elif record.expires_at < self._clock() + LIVES * ttl:
            yield from self._border.ask(room.touch, key, LIVES * ttl)

    def named(self, room: Any, key: str) -> Steps[Named]:
        """Return what the index names."""
        record = yield from self._border.ask(room.load, key)
        return {} if record is None else _named(record.payload)

    def change(
        self, room: Any, key: str, change: Callable[[Named], Named | Steps[Named]], ttl: float = 0.0
    ) -> Steps[None]:
        """Put ``change`` of what the index names in the place of that, in one step.

        ``change`` may have steps of its own; it is called again if somebody else was first. ``ttl`` is the life of a
        session that it enters, in seconds.
        """
        for tries in range(MAX_TRIES):
            yield from pause_before(tries)
            record = yield from self._border.ask(room.load, key)
            before = {} if record is None else _named(record.payload)
            changed = change(before)
            after = changed if isinstance(changed, dict) else (yield from changed)
            if after == before:
                return
            payload = msgspec.json.encode(_Payload(after))
            if record is None:
                done = yield from self._border.ask(room.create, key, payload, LIVES * ttl)
            else:
                # An empty one is not removed, for somebody may be entering; it ends soon.
                life = max(LIVES * ttl, record.expires_at - self._clock()) if after else ENTERING
                answer = yield from self._border.ask(room.replace, key, payload, life, record.payload)
                done = isinstance(answer, Replaced)
            if done:
                return
        raise RetriesExhausted(MAX_TRIES)


def _named(payload: bytes) -> Named:
    try:
        return _decoder.decode(payload).sessions
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}
