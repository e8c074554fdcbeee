# What a cookie header says is computed from the header alone, so it can be remembered: a visitor's requests come in
# rows, and with the same cookies. Remembering saves the signature check, the dearest step of a request. Only short
# headers are remembered, so a few thousand of them are five megabytes at most.
"""How a token travels: read from a request, written to a response."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from holdfast import cookies
from holdfast.attributes import parse_iso, text
from holdfast.errors import SessionError
from holdfast.record import JSON
from holdfast.signing import Signer

__all__ = ["Claims", "CookieTransport"]

RECENT_HEADERS = 4096
LONGEST_REMEMBERED = 1024


class Claims(NamedTuple):
    """What the cookies of a request claim."""

    #: The ids that we signed, each once, in their order.
    sids: tuple[str, ...]
    #: How many cookies of our name we did not sign.
    forged: int


class CookieTransport:
    """Carries the token in a cookie called ``name``."""

    def __init__(self, name: str, signer: Signer) -> None:
        self._name = name
        self._name_bytes = name.encode("ascii")
        self._signer = signer
        self._remembered = lru_cache(RECENT_HEADERS)(self._read)

    def read(self, header: bytes) -> Claims:
        """Return what a Cookie header claims. No input raises; the store is not asked."""
        return self._remembered(header) if len(header) <= LONGEST_REMEMBERED else self._read(header)

    def _read(self, header: bytes) -> Claims:
        sids = [self._signer.read_token(raw) for raw in cookies.candidates(header, self._name_bytes)]
        return Claims(tuple(dict.fromkeys(sid for sid in sids if sid is not None)), sids.count(None))

    def write(self, sid: str, stored: dict[str, JSON], now: float) -> str:
        """Return the Set-Cookie value that gives the browser ``sid``, with the attributes that are stored with it.

        Max-Age goes beside Expires, for browsers whose clock is wrong. Raises ValueError if an attribute cannot be
        sent.
        """
        value = self._signer.token(sid)
        end = parse_iso(stored.get("expires"))
        if end is None:
            return self._serialize(value, stored, None, None)
        return self._serialize(value, stored, max(0, round(end.timestamp() - now)), end.timestamp())

    def check(self, sid: str) -> str:
        """Return ``sid``, or raise SessionError if browsers would drop a cookie with it for its size."""
        size = len(self._name) + len(self._signer.token(sid))
        if size > cookies.MAX_COOKIE_BYTES:
            raise SessionError(
                f"the session cookie would have {size} bytes, and browsers drop cookies over "
                f"{cookies.MAX_COOKIE_BYTES}. Use a shorter name, or a genid that returns shorter ids"
            )
        return sid

    def expire(self, stored: dict[str, JSON]) -> str:
        """Return the Set-Cookie value that takes the cookie away: a browser wants the same attributes for that."""
        return self._serialize("", stored, 0, 0)

    def _serialize(self, value: str, stored: dict[str, JSON], max_age: int | None, expires: float | None) -> str:
        same_site = stored.get("sameSite")
        return cookies.serialize(
            self._name,
            value,
            max_age=max_age,
            domain=text(stored, "domain"),
            path=text(stored, "path"),
            expires=expires,
            http_only=bool(stored.get("httpOnly")),
            secure=bool(stored.get("secure")),
            partitioned=bool(stored.get("partitioned")),
            priority=text(stored, "priority"),
            same_site="strict" if same_site is True else text(stored, "sameSite"),
        )
