# express-session's stores have get, set and destroy; many a home-made one in Python looks alike. Such a store cannot
# compare and write in one step, so between the two another process may write, and be overwritten. What can be kept is
# kept: nothing is created where nothing was found, in the time between one look and one write.
"""Use a store that has only ``get``, ``set`` and ``destroy``."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from sessile.dual import Steps, run_sync, start
from sessile.errors import InvalidOption
from sessile.stores.base import Answer, Conflict, Missing, Record, Replaced

__all__ = ["NotAtomicWarning", "ThreeVerbStore", "WrappedStore"]


class NotAtomicWarning(UserWarning):
    """Says that a store cannot promise what sessile promises."""


class ThreeVerbStore(Protocol):
    """What can be wrapped. The methods may be plain or async."""

    def get(self, sid: str, /) -> Answer[bytes | None]:
        """Return the bytes that were set, or None."""

    def set(self, sid: str, value: bytes, ttl: float, /) -> object:
        """Keep ``value`` for ``ttl`` seconds, whatever was there."""

    def destroy(self, sid: str, /) -> object:
        """Forget ``sid``."""


class _Kept(msgspec.Struct, array_like=True):
    expires_at: float
    payload: bytes


class WrappedStore:
    """Gives ``inner`` the five verbs of a store, as well as three verbs can.

    What it cannot promise: of two requests that write in the same instant one may lose its change, and a session that
    is ended in that instant may come back. It says so when it is made (NotAtomicWarning). For tests, and on the way to
    a real store.
    """

    def __init__(self, inner: ThreeVerbStore, *, clock: Callable[[], float] = time.time) -> None:
        missing = [verb for verb in ("get", "set", "destroy") if not callable(getattr(inner, verb, None))]
        if missing:
            problem = f"a {type(inner).__name__} lacks {', '.join(missing)}"
            raise InvalidOption("inner", problem, "Give an object with get(sid), set(sid, value, ttl), destroy(sid).")
        warnings.warn(
            f"{type(inner).__name__} cannot compare and write in one step: requests that overlap may lose a change, "
            "and a logout in that instant may be undone. Give it the five verbs of sessile.stores.base.Store",
            NotAtomicWarning,
            stacklevel=2,
        )
        self._inner = inner
        self._clock = clock
        self._drive: Callable[[Steps[Any]], Any] = run_sync

    def asynchronous(self) -> WrappedStore:
        """Return this store for use under asyncio: its verbs may return awaitables."""
        other = WrappedStore.__new__(WrappedStore)
        other.__dict__.update(self.__dict__, _drive=start)
        return other

    @property
    def ready(self) -> bool:
        """Whether ``inner`` is connected, as far as it says so by an attribute of this name."""
        return bool(getattr(self._inner, "ready", True))

    def load(self, sid: str) -> Answer[Record | None]:
        return self._drive(self._load(sid))

    def create(self, sid: str, payload: bytes, ttl: float) -> Answer[bool]:
        return self._drive(self._create(sid, payload, ttl))

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Answer[Replaced | Conflict | Missing]:
        return self._drive(self._replace(sid, payload, ttl, expected))

    def touch(self, sid: str, ttl: float) -> Answer[bool]:
        return self._drive(self._touch(sid, ttl))

    def delete(self, sid: str) -> Answer[bool]:
        return self._drive(self._delete(sid))

    def _load(self, sid: str) -> Steps[Record | None]:
        value = yield self._inner.get(sid)
        if value is None:
            return None
        try:
            kept = msgspec.msgpack.decode(value, type=_Kept)
        except (msgspec.MsgspecError, TypeError):
            return None
        return Record(kept.payload, kept.expires_at) if kept.expires_at > self._clock() else None

    def _set(self, sid: str, payload: bytes, ttl: float) -> Steps[None]:
        if ttl > 0:
            yield self._inner.set(sid, msgspec.msgpack.encode(_Kept(self._clock() + ttl, payload)), ttl)
        else:
            yield self._inner.destroy(sid)

    def _create(self, sid: str, payload: bytes, ttl: float) -> Steps[bool]:
        if (yield from self._load(sid)) is not None:
            return False
        yield from self._set(sid, payload, ttl)
        return True

    def _replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Steps[Replaced | Conflict | Missing]:
        record = yield from self._load(sid)
        if record is None:
            return Missing()
        if record.payload != expected:
            return Conflict(record.payload)
        yield from self._set(sid, payload, ttl)
        return Replaced()

    def _touch(self, sid: str, ttl: float) -> Steps[bool]:
        record = yield from self._load(sid)
        if record is None:
            return False
        yield from self._set(sid, record.payload, ttl)
        return True

    def _delete(self, sid: str) -> Steps[bool]:
        record = yield from self._load(sid)
        yield self._inner.destroy(sid)
        return record is not None
