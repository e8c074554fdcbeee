"""What requests share, while they are explored: atomic calls, and a store made of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sessile.stores.base import Conflict, Missing, Record, Replaced

__all__ = ["Act", "Call", "ModelStore", "carried_out"]

#: What a call does to the value under its key, None standing for nothing: it returns the answer, and the value after.
Act: TypeAlias = Callable[[Any], tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """One atomic call to whatever the bodies share. Await it, or yield it as a step, to have it carried out.

    Write the client of your store so that each of its round trips is one of these, and ``explore`` can run the store
    through all orders.

    >>> from sessile.testing.explore import Call
    >>> Call("get", "a key", lambda value: (value, value))
    <Call get 'a key'>
    """

    #: What is asked, for the story.
    verb: str
    #: The one key whose value it reads or changes. Calls on different keys do not disturb each other.
    key: str
    #: What it does to that value: it must not change the value in place.
    act: Act = field(compare=False)
    #: What else is asked. A body that makes the same call with other details after the same answers is refused.
    details: Hashable = None

    def __repr__(self) -> str:
        return f"<Call {self.verb} {self.key!r}>"

    def __await__(self) -> Generator[Call, Any, Any]:
        return (yield self)


class ModelStore:
    """A store whose verbs are carried out when ``explore`` says so. It has an index, and no other ability.

    ``clock`` is the one of ``Sessions``, and stands still. ``room`` names the part of the cells that this store keeps.
    """

    def __init__(self, clock: Callable[[], float], room: str = "session") -> None:
        self._clock = clock
        self._room = room

    def __repr__(self) -> str:
        return f"<ModelStore {self._room}>"

    def index(self) -> ModelStore:
        """Return the store of the index."""
        return ModelStore(self._clock, f"index of {self._room}")

    def load(self, sid: str) -> Awaitable[Record | None]:
        return self._call("load", sid, lambda live: (live, live))

    def create(self, sid: str, payload: bytes, ttl: float) -> Awaitable[bool]:
        new = self._record(payload, ttl)
        return self._call("create", sid, lambda live: (True, new) if live is None else (False, live), bytes(payload))

    def replace(
        self, sid: str, payload: bytes, ttl: float, expected: bytes
    ) -> Awaitable[Replaced | Conflict | Missing]:
        new = self._record(payload, ttl)

        def act(live: Record | None) -> tuple[Replaced | Conflict | Missing, Record | None]:
            if live is None:
                return Missing(), None
            if live.payload != expected:
                return Conflict(live.payload), live
            return Replaced(), new

        return self._call("replace", sid, act, (bytes(payload), bytes(expected)))

    def touch(self, sid: str, ttl: float) -> Awaitable[bool]:
        ends = self._clock() + ttl
        return self._call(
            "touch", sid, lambda live: (False, None) if live is None else (True, Record(live.payload, ends)), ttl
        )

    def delete(self, sid: str) -> Awaitable[bool]:
        return self._call("delete", sid, lambda live: (live is not None, None))

    def _record(self, payload: bytes, ttl: float) -> Record | None:
        return Record(bytes(payload), self._clock() + ttl) if ttl > 0 else None

    def _call(self, verb: str, sid: str, act: Act, details: Hashable = None) -> Call:
        now = self._clock()
        return Call(
            verb,
            f"{self._room} {sid}",
            lambda kept: act(kept if kept is not None and kept.expires_at > now else None),
            details,
        )


def carried_out(cells: dict[str, Any], call: Call) -> tuple[Any, dict[str, Any]]:
    """Return the answer to ``call``, and the cells after it."""
    before = cells.get(call.key)
    answer, value = call.act(before)
    if value is not before:
        cells = {key: kept for key, kept in cells.items() if key != call.key}
        if value is not None:
            cells[call.key] = value
    return answer, cells
