# Codecs and hashed ids are a store around the store, so nothing else knows of them. A write names the bytes that it
# expects to find, and a sealed record has other bytes each time it is made. So a payload that was read remembers what
# it was read from.
"""A store whose records stand in another store in the form of a codec, and under hashed ids."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any

from sessile.codecs import Codec, Json
from sessile.dual import Steps, run_sync, start
from sessile.stores._shared.altered import altered
from sessile.stores.base import Answer, Conflict, Missing, Record, Records, Replaced, Store

__all__ = ["CodedStore", "Payload", "StoredId", "digest"]


def digest(text: bytes) -> str:
    """Return the SHA-256 of ``text`` as 43 characters that can stand in any key."""
    return urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode("ascii")


class Payload(bytes):
    """A payload that remembers what it was read from."""

    stored: bytes


class StoredId(str):
    """An id as it stands in the store, hashed: it is not hashed again."""

    @classmethod
    def of(cls, sid: str) -> str:
        """Return ``sid`` as it stands in the store."""
        if isinstance(sid, cls):
            return str(sid)
        return digest(sid.encode("utf-8", "surrogatepass"))


#: What a record becomes that no codec reads: corrupt, which is no session.
_UNREADABLE = b""


class CodedStore:
    """Gives ``inner`` records in the form of a codec, and hashed ids.

    ``hash_ids``: what stands in the store is the SHA-256 of the id, so whoever reads the store cannot be anybody. The
    ids that ``all`` yields are those hashes; they can be given to ``delete`` and ``load``.
    """

    def __init__(self, inner: Any, codecs: Sequence[Codec], *, hash_ids: bool = False) -> None:
        self._inner = inner
        self._codecs = list(codecs) or [Json()]
        self._hash_ids = hash_ids
        self._drive: Callable[[Steps[Any]], Any] = run_sync

    def __repr__(self) -> str:
        return f"<CodedStore around {self._inner!r}>"

    @property
    def inner(self) -> Store:
        """The store in which the records are."""
        return self._inner

    def __getattr__(self, name: str) -> Callable[..., object]:
        # What has nothing to do with ids and payloads: count, clear, prune, close, ready. And whether it can.
        if name.startswith("_"):
            raise AttributeError(name)
        found: Callable[..., object] = getattr(self._inner, name)
        if name == "renew":
            return lambda sid, ttl: found(self._key(sid), ttl)
        return (lambda: self._around(found())) if name == "index" else found

    def _around(self, inner: Any) -> CodedStore:
        return altered(self, _inner=inner)

    def asynchronous(self) -> CodedStore:
        """Return this store for use under asyncio."""
        inner = self._inner.asynchronous() if hasattr(self._inner, "asynchronous") else self._inner
        return altered(self, _inner=inner, _drive=start)

    def load(self, sid: str) -> Answer[Record | None]:
        return self._drive(self._load(sid))

    def create(self, sid: str, payload: bytes, ttl: float) -> Answer[bool]:
        key = self._key(sid)
        return self._inner.create(key, self._codecs[0].encode(payload, key), ttl)

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Answer[Replaced | Conflict | Missing]:
        return self._drive(self._replace(sid, payload, ttl, expected))

    def touch(self, sid: str, ttl: float) -> Answer[bool]:
        return self._inner.touch(self._key(sid), ttl)

    def delete(self, sid: str) -> Answer[bool]:
        return self._inner.delete(self._key(sid))

    def all(self) -> Records:
        """Yield each id, as it stands in the store, with its record."""
        records = self._inner.all()
        return self._each_later(records) if hasattr(records, "__aiter__") else self._each(records)

    def _each(self, records: Any) -> Any:
        for key, record in records:
            yield self._listed(key, record)

    async def _each_later(self, records: Any) -> Any:
        async for key, record in records:
            yield self._listed(key, record)

    def _listed(self, key: str, record: Record) -> tuple[str, Record]:
        return StoredId(key) if self._hash_ids else key, self._decoded(record, key)

    def _load(self, sid: str) -> Steps[Record | None]:
        key = self._key(sid)
        record = yield self._inner.load(key)
        return None if record is None else self._decoded(record, key)

    def _replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Steps[Replaced | Conflict | Missing]:
        found = expected
        if not isinstance(found, Payload):
            # The second write of a request: what it wrote first may stand there in other bytes.
            record = yield from self._load(sid)
            if record is None:
                return Missing()
            if record.payload != expected:
                return Conflict(record.payload)
            found = record.payload
        stored = found.stored if isinstance(found, Payload) else found
        key = self._key(sid)
        answer = yield self._inner.replace(key, self._codecs[0].encode(payload, key), ttl, stored)
        return Conflict(self._payload(answer.current, key)) if isinstance(answer, Conflict) else answer

    def _decoded(self, record: Record, key: str) -> Record:
        return Record(self._payload(record.payload, key), record.expires_at)

    def _payload(self, stored: bytes, key: str) -> Payload:
        for codec in self._codecs:
            decoded = codec.decode(stored, key)
            if decoded is not None:
                break
        payload = Payload(_UNREADABLE if decoded is None else decoded)
        payload.stored = stored
        return payload

    def _key(self, sid: str) -> str:
        return StoredId.of(sid) if self._hash_ids else sid
