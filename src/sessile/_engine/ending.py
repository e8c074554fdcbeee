# Another request may be at work on giving the session a new id. So its record is not just deleted: one step replaces it
# by a tombstone, which that request will find, or tells that it was first, and where the session goes on.
#
# What ends a session needs no room. A store that is full refuses the tombstone and still deletes.
#
# All methods with Steps are bodies of code for both kinds of stores (dual.py).
"""End a session, under whatever id it has by now."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from sessile._engine.coded import StoredId
from sessile._engine.patience import MAX_TRIES
from sessile._engine.setup import Setup
from sessile._records.record import JSON, decode
from sessile._records.tombstone import TOMBSTONE, Tombstone, found_in
from sessile.dual import AnyStore, Steps
from sessile.errors import StoreRefused, StoreUnavailable
from sessile.stores.base import Conflict, Indexed, Missing, Replaced, can

__all__ = ["GRAVE_TTL", "TOMBSTONE_TTL", "Ended", "Ending"]

#: How long a tombstone stands at least: longer than a request is in flight.
TOMBSTONE_TTL = 60.0

#: How long one stands that keeps a session from beginning: a log-in that was under way has to find it.
GRAVE_TTL = 600.0

Filter = Callable[[dict[str, JSON]], bool]


class Ended(NamedTuple):
    """Which session was ended."""

    sid: str
    payload: bytes
    #: Whether its record was there until then.
    there: bool


class Ending:
    """Ends sessions."""

    def __init__(self, setup: Setup) -> None:
        self._calls = setup.calls
        self._check = setup.fields.check
        self._index_of = setup.index_of
        self._in_store = setup.in_store

    def end(
        self, store: AnyStore, sid: str, payload: bytes = b"", only: Filter | None = None, *, buries: bool = False
    ) -> Steps[Ended | None]:
        """End the session that has the id ``sid``, or had it until just now. Return it, or None if there was none.

        ``payload`` is what the record is thought to hold. ``only`` tells by its system fields whether it is to end at
        all. ``buries``: if there is none, none can begin under that id for a while.
        """
        for _ in range(MAX_TRIES):
            try:
                answer = yield from self._calls.ask(store.replace, sid, TOMBSTONE, TOMBSTONE_TTL, payload)
            except StoreUnavailable:
                return (yield from self._end_without_room(store, sid, only, buries))
            if isinstance(answer, Replaced):
                return Ended(sid, payload, bool((yield from self._calls.ask(store.delete, sid))))
            stone = yield from self._tombstone_of(store, sid, answer)
            if stone is not None:
                if not stone.successor and not stone.stored:
                    return None
                sid, payload = _successor(stone), b""
            elif isinstance(answer, Conflict):
                payload = answer.current
                if not _passes(only, payload):
                    return None
            # What is about to be stored under this id finds it taken. If it was faster, it is there to be ended.
            elif not buries or (yield from self._bury(store, sid)):
                return None
        # Somebody writes faster than we compare, or tombstones lead in a circle: what is here ends all the same.
        return Ended(sid, payload, bool((yield from self._calls.ask(store.delete, sid))))

    def _end_without_room(self, store: AnyStore, sid: str, only: Filter | None, buries: bool) -> Steps[Ended | None]:
        """End a session whose tombstone the store has not confirmed: it is full, or its answer was lost."""
        for _ in range(MAX_TRIES):
            record = yield from self._calls.ask(store.load, sid)
            stone = yield from self._tombstone_of(store, sid, Missing() if record is None else Conflict(record.payload))
            if stone is not None and (stone.successor or stone.stored):
                sid = _successor(stone)
                continue
            if record is None:
                if stone is not None or not buries or (yield from self._bury(store, sid)):
                    return None
                continue
            if stone is None:
                if not _passes(only, record.payload):
                    return None
                # To delete it unseen could delete the tombstone of a new id, which has come since.
                if not (yield from self._replaced(store, sid, record.payload)):
                    continue
            break
        payload = b"" if record is None else record.payload
        return Ended(sid, payload, bool((yield from self._calls.ask(store.delete, sid))))

    def _replaced(self, store: AnyStore, sid: str, payload: bytes) -> Steps[bool]:
        """Put a tombstone in the place of a record. Return False if another request was first."""
        try:
            answer = yield from self._calls.ask(store.replace, sid, TOMBSTONE, TOMBSTONE_TTL, payload)
        except StoreUnavailable:
            return True  # There is no room. What can be done without is to delete it.
        return isinstance(answer, Replaced)

    def _bury(self, store: AnyStore, sid: str) -> Steps[bool]:
        """Take an id, so that no session can begin under it. Return False if one was faster."""
        try:
            return bool((yield from self._calls.ask(store.create, sid, TOMBSTONE, GRAVE_TTL)))
        except StoreRefused:
            return True  # A store that is full has no room for the session either.

    def _tombstone_of(self, store: AnyStore, sid: str, answer: Conflict | Missing) -> Steps[Tombstone | None]:
        """Return the tombstone of ``sid``, of whose record the store has given ``answer``, or None."""
        if isinstance(answer, Conflict):
            return found_in(sid, answer.current, self._check)
        record = yield from self._beside(store, "load", sid)
        return None if record is None else found_in(sid, record.payload, self._check)

    def leave_sign(self, store: AnyStore, sid: str, stone: bytes, ttl: float) -> Steps[None]:
        """Keep the tombstone of an earlier id beside the sessions, where who ends it looks for it, if that can be."""
        with suppress(StoreUnavailable):
            yield from self._beside(store, "create", sid, stone, ttl)

    def _beside(self, store: AnyStore, verb: str, sid: str, *arguments: Any) -> Steps[Any]:
        """Ask the index, and return its answer; None if the store has none, or forbids it.

        A database may forbid us to make a table. Then a logout may come too late, but nobody is kept from logging in.
        An index that does not answer is something else: nobody can say that the session has ended.
        """
        if not can(store, Indexed):
            return None
        try:
            # Under the id as it stands in the store: a revocation knows no other one.
            return (yield from self._calls.ask(getattr(self._index_of(store), verb), self._in_store(sid), *arguments))
        except StoreRefused:
            return None


def _successor(stone: Tombstone) -> str:
    """Return the id under which a session goes on: in the form of the store, if a reader of that wrote it down."""
    return StoredId(stone.stored) if stone.stored else stone.successor


def _passes(only: Filter | None, payload: bytes) -> bool:
    """Return True if the record with this payload is to end."""
    if only is None:
        return True
    contents = decode(payload)
    return contents is not None and only(contents.system)
