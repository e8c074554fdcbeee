# koa-session puts two keys of its own behind the data: `_expire`, when the session ends, and `_maxAge`, how long it
# lives from each time it is saved, both in milliseconds; or `_session: true` in their place, for one that ends with the
# browser. It restores the length of a session's life from there, and so do we. Other keys that begin with an
# underscore it drops when it saves.
"""The form of koa-session 7: base64 of the data and of its end, for everybody to read."""

from __future__ import annotations

import math

from sessile._engine.forms.foreign import Life, Opened, seconds_of, span_of
from sessile._engine.forms.pair import SignedPair, packed, unpacked
from sessile._records.attributes import original_max_age
from sessile._records.record import JSON, Contents
from sessile.stores.base import Record

__all__ = ["KoaSession"]

_END, _LIFE, _BROWSER = "_expire", "_maxAge", "_session"


class KoaSession(SignedPair):
    """Carries a session as koa-session does without a store. There is no id in it."""

    def _open(self, value: bytes, header: bytes) -> Opened | None:
        position = self._signer(value, header)
        if position is None:
            return None
        contents = unpacked(value)
        if contents is None:
            return Opened(None, math.inf, True)
        data = contents.data
        end, life, browser = data.pop(_END, None), data.pop(_LIFE, None), data.pop(_BROWSER, None)
        expires_at, seconds = seconds_of(end), seconds_of(life)
        own = Life(seconds) if seconds is not None or browser is True else None
        return Opened(contents, math.inf if expires_at is None else expires_at, position == 0, own)

    def _make(self, sid: str, contents: Contents, record: Record, stored: dict[str, JSON], now: float) -> str:
        data = {key: value for key, value in contents.data.items() if key not in (_END, _LIFE, _BROWSER)}
        if original_max_age(stored) is None:
            data[_BROWSER] = True
        else:
            data[_END], data[_LIFE] = span_of(record, stored, now)
        contents.data = data
        return packed(contents)
