"""The form of cookie-session 2: the JSON of the data in base64, for everybody to read."""

from __future__ import annotations

import math

from sessile._engine.forms.foreign import Opened
from sessile._engine.forms.pair import SignedPair, packed, unpacked
from sessile._records.record import JSON, Contents
from sessile.stores.base import Record

__all__ = ["CookieSession"]


class CookieSession(SignedPair):
    """Carries a session as cookie-session 2 of Node does.

    There is no id in it and no end: ``session.id`` is another one at each request, and a copy of the cookie is good
    for as long as the secret.
    """

    def _open(self, value: bytes, header: bytes) -> Opened | None:
        position = self._signer(value, header)
        return None if position is None else Opened(unpacked(value), math.inf, position == 0)

    def _make(self, sid: str, contents: Contents, record: Record, stored: dict[str, JSON], now: float) -> str:
        return packed(contents)
