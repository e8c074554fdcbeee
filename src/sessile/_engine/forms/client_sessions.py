# client-sessions counts a session's life from its beginning, and moves that only in the last minutes. Here it is
# counted from each time the session is written, as everywhere in sessile. The length is in the cookie, and is kept.
"""The form of client-sessions: the JSON of the data encrypted, with the beginning and the length of its life."""

from __future__ import annotations

from sessile._engine.forms.foreign import ForeignCookie, Life, Opened, data_of, span_of
from sessile._records.record import JSON, Contents, encode
from sessile._wire.client_sessions import ClientSeals
from sessile.stores.base import Record

__all__ = ["ClientSessions"]


class ClientSessions(ForeignCookie):
    """Carries a session as client-sessions of Node does, with its default algorithms. There is no id in it."""

    def __init__(self, name: str, secrets: list[bytes]) -> None:
        super().__init__(name)
        self._seals = ClientSeals(name, secrets)

    def _open(self, value: bytes, header: bytes) -> Opened | None:
        unsealed = self._seals.unseal(value)
        if unsealed is None:
            return None
        expires_at = (unsealed.created + unsealed.duration) / 1000
        return Opened(data_of(unsealed.plaintext), expires_at, unsealed.current, Life(unsealed.duration / 1000))

    def _make(self, sid: str, contents: Contents, record: Record, stored: dict[str, JSON], now: float) -> str:
        end, life = span_of(record, stored, now)
        duration = max(0, life)
        created = max(0, end - duration)
        return self._seals.seal(encode(contents), created, duration)
