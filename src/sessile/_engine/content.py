# A session may travel whole, in the visitor's own cookie. Then the record that a store would keep is in the request, so
# each request gets a Pocket: a store with that one record in it. The rules, the commit and the handler notice nothing;
# what is in the pocket at the end goes back into the cookie.
#
# Ours is sealed (sealing.py): nobody reads or changes it, and the end of its life is inside, out of the browser's
# reach. The other forms are those of packages of Node (forms/).
"""How a whole session travels in a cookie: the transport of ``cookie://``."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import msgspec

from sessile import cookies
from sessile._engine.transport import set_cookie
from sessile._records.record import JSON, decode, largest_key
from sessile.errors import CookieTooLarge
from sessile.stores.base import Conflict, Missing, Record, Replaced

__all__ = ["Content", "Held", "Pocket", "check_size"]


class Held(NamedTuple):
    """A session that a cookie holds."""

    sid: str
    record: Record
    #: Whether the first secret protects it. If not, it is sent anew: the secret is on its way out.
    current: bool

    def __repr__(self) -> str:
        return f"<Held {self.record!r}>"


class Content(Protocol):
    """Carries whole sessions between the browser and us."""

    #: The header of requests that it reads, and the one of responses that it writes, as ASGI spells them.
    reads: bytes
    writes: bytes

    def open(self, header: bytes) -> tuple[list[Held], int]:
        """Return what a Cookie header holds, and how many cookies of our name we did not make. No input raises."""

    def write(self, sid: str, pocket: Pocket, stored: dict[str, JSON], now: float) -> tuple[str, ...]:
        """Return the Set-Cookie values that give the browser what ``pocket`` has of ``sid``. Raises CookieTooLarge."""

    def expire(self, stored: dict[str, JSON]) -> tuple[str, ...]:
        """Return the Set-Cookie values that take it away."""


class Pocket:
    """The store of one request: what its cookie holds, and what becomes of that."""

    def __init__(self, clock: Callable[[], float], held: list[Held]) -> None:
        self._clock = clock
        self._records = {each.sid: each.record for each in held}
        #: Whether the cookie says something else than what is in here, or says it under a secret on its way out.
        self._stale = any(not each.current for each in held)

    def load(self, sid: str) -> Record | None:
        return self._records.get(sid)

    def _live(self, sid: str) -> Record | None:
        record = self._records.get(sid)
        return record if record is not None and record.expires_at > self._clock() else None

    def _keep(self, sid: str, payload: bytes, ttl: float) -> None:
        self._records[sid] = Record(payload, self._clock() + ttl)

    def create(self, sid: str, payload: bytes, ttl: float) -> bool:
        self._keep(sid, payload, ttl)
        return True

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Replaced | Conflict | Missing:
        record = self._live(sid)
        if record is None:
            return Missing()
        if record.payload != expected:
            return Conflict(record.payload)
        self._keep(sid, payload, ttl)
        self._stale = True
        return Replaced()

    def touch(self, sid: str, ttl: float) -> bool:
        record = self._live(sid)
        if record is None:
            return False
        self._keep(sid, record.payload, ttl)
        return True

    def delete(self, sid: str) -> bool:
        there = self._live(sid) is not None
        self._records.pop(sid, None)
        return there

    def due(self, sid: str, ttl: float) -> bool:
        """Tell whether the cookie has to be sent though nothing is left to commit.

        That is so if it is stale, or if less than half of a life of ``ttl`` seconds is left in it.
        """
        record = self._live(sid)
        return record is not None and (self._stale or record.expires_at - self._clock() < ttl / 2)


class _Envelope(msgspec.Struct, array_like=True):
    sid: str
    expires_at: float
    payload: bytes


class SealedCookie:
    """Carries a session encrypted: ``c.<sealed>``, bound to the cookie's name, with its end inside."""

    reads = b"cookie"
    writes = b"set-cookie"

    def __init__(self, name: str, keys: list[bytes]) -> None:
        from sessile._wire.sealing import Sealer

        self._name = name
        self._context = name.encode("ascii")
        self._sealer = Sealer(keys, "content")

    def open(self, header: bytes) -> tuple[list[Held], int]:
        found: list[Held] = []
        raws = cookies.candidates(header, self._context)
        for raw in raws:
            unsealed = self._sealer.unseal(raw[2:], self._context) if raw.startswith(b"c.") else None
            if unsealed is not None:
                envelope = msgspec.msgpack.decode(unsealed.plaintext, type=_Envelope)
                found.append(Held(envelope.sid, Record(envelope.payload, envelope.expires_at), unsealed.current))
        return found, len(raws) - len(found)

    def write(self, sid: str, pocket: Pocket, stored: dict[str, JSON], now: float) -> tuple[str, ...]:
        record = pocket.load(sid)
        if record is None:
            return self.expire(stored)
        envelope = msgspec.msgpack.encode(_Envelope(sid, record.expires_at, record.payload))
        value = "c." + self._sealer.seal(envelope, self._context)
        check_size(len(self._name) + len(value), record.payload)
        return (set_cookie(self._name, value, stored, now),)

    def expire(self, stored: dict[str, JSON]) -> tuple[str, ...]:
        return (set_cookie(self._name, "", stored, None),)


def check_size(size: int, payload: bytes) -> None:
    """Raise CookieTooLarge if a cookie of ``size`` bytes is one that browsers drop. ``payload``: what is in it."""
    if size <= cookies.MAX_COOKIE_BYTES:
        return
    contents = decode(payload)
    key, key_size = largest_key({} if contents is None else contents.data)
    raise CookieTooLarge(size, cookies.MAX_COOKIE_BYTES, key, key_size)
