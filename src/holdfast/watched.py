# Looking at a session counts: the Vary header follows from it, and where loading is lazy, the load. Writing needs no
# flag, for changes are found by comparing bytes (record.py); that is spared where there can be none. So a dict notes
# three things: whether somebody looked, whether somebody wrote, and whether somebody outside holds a value of it that
# can be changed in place. A serialiser written in C (orjson, msgspec, ujson) reads a dict without asking it. So does
# json's where the dict is empty: before Python 3.13 only if it does not indent. Nothing can note that at all, for it
# looks at nothing that a class can say otherwise. The page on proxies tells users to write a copy.
"""A dict that notes what is done with it."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any, Self, SupportsIndex

from holdfast.record import JSON

__all__ = ["Watched"]

#: The types of values that a handler cannot change in place.
_UNCHANGEABLE = frozenset({str, int, bool, float, type(None)})


class Watched(dict[str, JSON]):
    """A dict that notes whether somebody looked at it, wrote to it, or got hold of a value that can be changed."""

    __slots__ = ("_accessed", "_exposed", "_written")

    def __init__(self, data: dict[str, JSON]) -> None:
        dict.__init__(self, data)
        self._accessed = self._written = self._exposed = False

    def mark_accessed(self) -> None:
        """Note that somebody is about to look."""
        self._accessed = True

    def writable(self) -> None:
        """Note that somebody is about to write."""
        self._accessed = self._written = True

    # Every way of looking -----------------------------------------------------------------------------------------

    def __getitem__(self, key: str) -> JSON:
        if not self._accessed:
            self.mark_accessed()
        value = dict.__getitem__(self, key)
        if value.__class__ not in _UNCHANGEABLE:
            self._exposed = True
        return value

    def get(self, key: str, default: JSON = None) -> JSON:
        if not self._accessed:
            self.mark_accessed()
        value = dict.get(self, key, default)
        if value.__class__ not in _UNCHANGEABLE:
            self._exposed = True
        return value

    def __contains__(self, key: object) -> bool:
        if not self._accessed:
            self.mark_accessed()
        return dict.__contains__(self, key)

    def __len__(self) -> int:
        if not self._accessed:
            self.mark_accessed()
        return dict.__len__(self)

    def __iter__(self) -> Iterator[str]:
        if not self._accessed:
            self.mark_accessed()
        return dict.__iter__(self)

    def __reversed__(self) -> Iterator[str]:
        if not self._accessed:
            self.mark_accessed()
        return dict.__reversed__(self)

    def __eq__(self, other: object) -> bool:
        if not self._accessed:
            self.mark_accessed()
        return dict.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        if not self._accessed:
            self.mark_accessed()
        return dict.__ne__(self, other)

    __hash__ = None

    def __or__(self, other: Any) -> Any:
        return self.copy() | other

    def __ror__(self, other: Any) -> Any:
        return other | self.copy()

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        if not self._accessed:
            self.mark_accessed()
        return dict.keys(self)

    def values(self) -> ValuesView[JSON]:  # type: ignore[override]
        if not self._accessed:
            self.mark_accessed()
        self._exposed = True
        return dict.values(self)

    def items(self) -> ItemsView[str, JSON]:  # type: ignore[override]
        if not self._accessed:
            self.mark_accessed()
        self._exposed = True
        return dict.items(self)

    def copy(self) -> dict[str, JSON]:
        """Return the data as a plain dict: the top level is a copy, what is nested is shared."""
        if not self._accessed:
            self.mark_accessed()
        self._exposed = True
        return dict(dict.items(self))

    __copy__ = copy

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        # deepcopy and pickle get the data, not the live session.
        return (dict, (self.copy(),))

    # Every way of writing -----------------------------------------------------------------------------------------

    def __setitem__(self, key: str, value: JSON) -> None:
        self.writable()
        if value.__class__ not in _UNCHANGEABLE:
            self._exposed = True
        dict.__setitem__(self, key, value)

    def __delitem__(self, key: str) -> None:
        self.writable()
        dict.__delitem__(self, key)

    def __ior__(self, other: Any) -> Self:  # type: ignore[override]
        self.writable()
        self._exposed = True
        dict.update(self, other)
        return self

    def clear(self) -> None:
        """Remove all data; the session itself goes on."""
        self.writable()
        dict.clear(self)

    def pop(self, key: str, *default: JSON) -> JSON:
        self.writable()
        return dict.pop(self, key, *default)

    def popitem(self) -> tuple[str, JSON]:
        self.writable()
        return dict.popitem(self)

    def setdefault(self, key: str, default: JSON = None) -> JSON:
        self.writable()
        self._exposed = True
        return dict.setdefault(self, key, default)

    def update(self, *args: Any, **kwargs: Any) -> None:
        self.writable()
        self._exposed = True
        dict.update(self, *args, **kwargs)
