"""What a store inherits that stands around another one, and does the same for each verb."""

from __future__ import annotations

from typing import Any

from sessile.stores.base import Answer, Conflict, Missing, Record, Replaced

__all__ = ["Forwarding"]


class Forwarding:
    """The five verbs as calls of one method, ``_call``, with the name of the verb and its arguments."""

    def _call(self, verb: str, *arguments: Any) -> Any:
        raise NotImplementedError

    def load(self, sid: str) -> Answer[Record | None]:
        return self._call("load", sid)

    def create(self, sid: str, payload: bytes, ttl: float) -> Answer[bool]:
        return self._call("create", sid, payload, ttl)

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Answer[Replaced | Conflict | Missing]:
        return self._call("replace", sid, payload, ttl, expected)

    def touch(self, sid: str, ttl: float) -> Answer[bool]:
        return self._call("touch", sid, ttl)

    def delete(self, sid: str) -> Answer[bool]:
        return self._call("delete", sid)
