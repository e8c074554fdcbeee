# A package of Node keeps the data in a cookie, and perhaps when it ends. It does not keep the attributes of the cookie,
# which the options say, nor, mostly, an id. So what is read gets a random id for this request; and where the package
# keeps the length of a session's life, that is handed on as the two attributes that say it, so that the session keeps
# its own.
"""What the forms of Node's packages share."""

from __future__ import annotations

import math
import secrets
from typing import NamedTuple

from sessile import cookies
from sessile._engine.content import Held, Pocket, check_size
from sessile._engine.transport import set_cookie
from sessile._records.attributes import iso, original_max_age
from sessile._records.record import JSON, Contents, decode, encode
from sessile.errors import UnserialisableValue
from sessile.stores.base import Record

__all__ = ["ForeignCookie", "Life", "Opened", "data_of", "seconds_of", "span_of"]


class Life(NamedTuple):
    """How long a session lives that says so itself."""

    #: In seconds, counted anew from each renewal; None: until the browser closes.
    seconds: float | None


class Opened(NamedTuple):
    """What a cookie of another package holds."""

    #: None: we made it, and it is not a session.
    contents: Contents | None
    #: In epoch seconds; infinity if it has no end.
    expires_at: float
    #: Whether the first secret protects it.
    current: bool
    #: None: as the options say.
    life: Life | None = None
    #: The id that the package gave it; None: it has none, and gets one for this request.
    sid: str | None = None


class ForeignCookie:
    """Carries sessions in the form of a package of Node. A subclass opens and makes the value of the cookie."""

    reads = b"cookie"
    writes = b"set-cookie"

    def __init__(self, name: str) -> None:
        self._name = name

    # For a subclass to give.

    def _open(self, value: bytes, header: bytes) -> Opened | None:
        """Return what the cookie's ``value`` holds, or None if we did not make it. No input raises."""
        raise NotImplementedError

    def _make(self, sid: str, contents: Contents, record: Record, stored: dict[str, JSON], now: float) -> str:
        """Return the cookie's value for ``contents``, whose ``cookie`` is not to be in it."""
        raise NotImplementedError

    # What a Content does.

    def open(self, header: bytes) -> tuple[list[Held], int]:
        values = list(dict.fromkeys(cookies.candidates(header, self._name.encode("ascii"))))
        found = [held for value in values if (held := _held(self._open(value, header))) is not None]
        return found, len(values) - len(found)

    def write(self, sid: str, pocket: Pocket, stored: dict[str, JSON], now: float) -> tuple[str, ...]:
        record = pocket.load(sid)
        contents = None if record is None else decode(record.payload)
        if record is None or contents is None:
            return self.expire(stored)
        value = self._make(sid, Contents(contents.data, None, contents.system), record, stored, now)
        check_size(len(self._name) + len(value), record.payload)
        return self._lines(value, stored, now)

    def expire(self, stored: dict[str, JSON]) -> tuple[str, ...]:
        return self._lines("", stored, None)

    def _lines(self, value: str, stored: dict[str, JSON], now: float | None) -> tuple[str, ...]:
        return (set_cookie(self._name, value, stored, now),)


def _held(opened: Opened | None) -> Held | None:
    if opened is None:
        return None
    return Held(opened.sid or secrets.token_urlsafe(24), Record(_payload(opened), opened.expires_at), opened.current)


def _payload(opened: Opened) -> bytes:
    if opened.contents is None:
        return b""
    cookie: dict[str, JSON] | None = None
    if opened.life is not None:
        ends = opened.life.seconds is not None and math.isfinite(opened.expires_at)
        cookie = {
            "originalMaxAge": None if opened.life.seconds is None else round(opened.life.seconds * 1000),
            "expires": iso(opened.expires_at) if ends else None,
        }
    try:
        return encode(Contents(opened.contents.data, cookie, opened.contents.system))
    except UnserialisableValue:
        return b""  # It could not be written again.


def span_of(record: Record, stored: dict[str, JSON], now: float) -> tuple[int, int]:
    """Return when ``record`` ends, and how long the session lives from each time it is written, in milliseconds."""
    life = original_max_age(stored)
    if math.isinf(record.expires_at):
        life = 0.0 if life is None else life
        return round(min(now * 1000 + life, _LONGEST)), round(life)
    return round(record.expires_at * 1000), round((record.expires_at - now) * 1000 if life is None else life)


#: JavaScript's last moment, in milliseconds.
_LONGEST = 8.64e15


def seconds_of(value: JSON) -> float | None:
    """Return a number of milliseconds that stands in a session as seconds; None if it is not one that time can be."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= _LONGEST:
        return None
    return value / 1000


def data_of(text: bytes) -> Contents | None:
    """Return what the JSON of a session holds, or None if it is not an object that can be a session here.

    A key ``cookie`` of the application's own cannot be kept: in a record that name belongs to the cookie.
    """
    contents = decode(text)
    return None if contents is None or contents.cookie is not None else contents
