# Looking at a session counts: the Vary header follows from it, and where loading is lazy, the load. Writing needs no
# flag, for changes are found by comparing with what is stored (record.py); that is spared where there can be none. So
# a dict notes three things: whether somebody looked, whether somebody wrote, and whether somebody outside holds a value
# of it that can be changed in place. And of the keys concerned it keeps what was stored, as long as it knows all of
# them: what goes over the dict as a whole, or takes a key away, ends that.
#
# A serialiser written in C (orjson, msgspec, ujson) reads a dict without asking it. So does json's where the dict is
# empty: before Python 3.13 only if it does not indent. Nothing can note that at all, for it looks at nothing that a
# class can say otherwise. The page on proxies tells users to write a copy.
"""A dict that notes what is done with it."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, KeysView, ValuesView
from operator import attrgetter
from typing import Any, Self, SupportsIndex

from sessile._records.record import ABSENT, JSON, UNCHANGEABLE, written
from sessile._session.state import State
from sessile.errors import SessionEnded

__all__ = ["Watched", "state_of"]


class Watched(dict[str, JSON]):
    """A dict that notes whether somebody looked at it, wrote to it, or got hold of a value that can be changed."""

    __slots__ = ("_state",)

    def __init__(self, data: dict[str, JSON], state: State) -> None:
        dict.__init__(self, data)
        self._state = state

    def mark_accessed(self) -> None:
        """Note that the response depends on the session. Starlette's ``request.session`` calls this."""
        state = self._state
        if state.loader is not None:
            state.loader()
        state.accessed = True

    def _about_to_write(self) -> None:
        """Note that the session is about to be changed. Raises SessionEnded if nothing would store the change."""
        state = self._state
        if state.loader is not None:
            state.loader()
        state.accessed = state.written = True
        state.complained = False
        if state.ended is not None:
            raise SessionEnded(state.ended)

    def _hand_out(self, key: str, value: JSON) -> None:
        """Note that ``value``, that of ``key``, may be changed in place from here on."""
        state = self._state
        state.exposed = True
        before = state.before
        if before is not None and key not in before:
            before[key] = written(value)

    # Every way of looking -----------------------------------------------------------------------------------------

    def __getitem__(self, key: str) -> JSON:
        if not self._state.accessed:
            self.mark_accessed()
        value = dict.__getitem__(self, key)
        if value.__class__ not in UNCHANGEABLE:
            self._hand_out(key, value)
        return value

    def get(self, key: str, default: JSON = None) -> JSON:
        if not self._state.accessed:
            self.mark_accessed()
        value = dict.get(self, key, default)
        if value.__class__ not in UNCHANGEABLE and dict.__contains__(self, key):
            self._hand_out(key, value)
        return value

    def __contains__(self, key: object) -> bool:
        if not self._state.accessed:
            self.mark_accessed()
        return dict.__contains__(self, key)

    def __len__(self) -> int:
        if not self._state.accessed:
            self.mark_accessed()
        return dict.__len__(self)

    def __iter__(self) -> Iterator[str]:
        if not self._state.accessed:
            self.mark_accessed()
        return dict.__iter__(self)

    def __reversed__(self) -> Iterator[str]:
        if not self._state.accessed:
            self.mark_accessed()
        return dict.__reversed__(self)

    def __eq__(self, other: object) -> bool:
        if not self._state.accessed:
            self.mark_accessed()
        return dict.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        if not self._state.accessed:
            self.mark_accessed()
        return dict.__ne__(self, other)

    __hash__ = None

    def __or__(self, other: Any) -> dict[Any, Any]:
        return {**self.copy(), **other} if isinstance(other, dict) else NotImplemented

    def __ror__(self, other: Any) -> dict[Any, Any]:
        return {**other, **self.copy()} if isinstance(other, dict) else NotImplemented

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        if not self._state.accessed:
            self.mark_accessed()
        return dict.keys(self)

    def values(self) -> ValuesView[JSON]:  # type: ignore[override]
        if not self._state.accessed:
            self.mark_accessed()
        self._state.expose()
        return dict.values(self)

    def items(self) -> ItemsView[str, JSON]:  # type: ignore[override]
        if not self._state.accessed:
            self.mark_accessed()
        self._state.expose()
        return dict.items(self)

    def copy(self) -> dict[str, JSON]:
        """Return the data as a plain dict: the top level is a copy, what is nested is shared."""
        if not self._state.accessed:
            self.mark_accessed()
        self._state.expose()
        return dict(dict.items(self))

    __copy__ = copy

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[type, tuple[dict[str, JSON]]]:
        # deepcopy and pickle get the data, not the live session.
        return (dict, (self.copy(),))

    # Every way of writing -----------------------------------------------------------------------------------------

    def __setitem__(self, key: str, value: JSON) -> None:
        self._about_to_write()
        state = self._state
        if value.__class__ not in UNCHANGEABLE:
            state.exposed = True
        before = state.before
        if before is not None and key not in before:
            if key.__class__ is str:
                was = dict.get(self, key, ABSENT)
                before[key] = was if was.__class__ in UNCHANGEABLE or was is ABSENT else written(was)
            else:
                state.before = None
        dict.__setitem__(self, key, value)

    def __delitem__(self, key: str) -> None:
        self._about_to_write()
        self._state.before = None
        dict.__delitem__(self, key)

    def __ior__(self, other: Any) -> Self:  # type: ignore[override]
        self._about_to_write()
        self._state.expose()
        dict.update(self, other)
        return self

    def clear(self) -> None:
        """Remove all data; the session itself goes on."""
        self._about_to_write()
        self._state.before = None
        dict.clear(self)

    def pop(self, key: str, *default: JSON) -> JSON:
        self._about_to_write()
        self._state.before = None
        return dict.pop(self, key, *default)

    def popitem(self) -> tuple[str, JSON]:
        self._about_to_write()
        self._state.before = None
        return dict.popitem(self)

    def setdefault(self, key: str, default: JSON = None) -> JSON:
        self._about_to_write()
        self._state.expose()
        return dict.setdefault(self, key, default)

    def update(self, *args: Any, **kwargs: Any) -> None:
        self._about_to_write()
        self._state.expose()
        dict.update(self, *args, **kwargs)


#: Returns what the library notes of a session. For the engine and the rules: a handler has the session's own verbs.
state_of: Callable[[Watched], State] = attrgetter("_state")
