# What a header says is computed from the header alone, so it can be remembered: a visitor's requests come in rows, and
# with the same cookies. Remembering saves the signature check, the dearest step of a request. Only short headers are
# remembered, so a few thousand of them are five megabytes at most.
#
# The tokens in them are remembered as well, for many sites have a cookie that changes at each request. Only those that
# are ours: forged ones would push them out. A token is found by its hash, keyed anew in each process, so the time that
# a look takes says nothing of how much of a forged one is right.
"""How a token travels: read from a request, written to a response."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, Protocol

from sessile import cookies
from sessile._engine.index import is_reserved
from sessile._records.attributes import parse_iso, text
from sessile._records.record import JSON
from sessile.errors import SessionError

__all__ = ["Claims", "CookieTransport", "HeaderTransport", "Tokens", "Transport", "checked", "set_cookie"]

RECENT_HEADERS = 4096
LONGEST_REMEMBERED = 1024
LONGEST_TOKEN = 256


class _Forged(Exception):
    """Says that we did not make a token."""


class Claims(NamedTuple):
    """What a request claims."""

    #: The ids that we signed, each once, in their order.
    sids: tuple[str, ...]
    #: How many tokens in our place we did not sign.
    forged: int

    def __repr__(self) -> str:
        return f"<Claims {len(self.sids)} ids, {self.forged} forged>"


class Tokens(Protocol):
    """Makes tokens of ids, and ids of tokens: ``signing.Signer`` or ``sealing.SealedTokens``."""

    def token(self, sid: str) -> str:
        """Return the token for ``sid``."""

    def read_token(self, raw: bytes) -> str | None:
        """Return the id that ``raw`` carries, or None if we did not make it."""


class Transport(Protocol):
    """Carries a token between the browser and us."""

    #: The header of requests that it reads, and the one of responses that it writes, as ASGI spells them.
    reads: bytes
    writes: bytes
    #: What it makes tokens with.
    tokens: Tokens

    def read(self, header: bytes) -> Claims:
        """Return what a header of a request claims. No input raises; the store is not asked."""

    def check(self, sid: str) -> str:
        """Return ``sid``, or raise SessionError if it is too long to travel."""

    def write(self, sid: str, stored: dict[str, JSON], now: float) -> tuple[str, ...]:
        """Return the header values that give the browser ``sid``, with the attributes that are stored with it.

        Raises ValueError if an attribute cannot be sent.
        """

    def expire(self, stored: dict[str, JSON]) -> tuple[str, ...]:
        """Return the header values that take the token away."""


class CookieTransport:
    """Carries the token in a cookie called ``name``."""

    reads = b"cookie"
    writes = b"set-cookie"

    def __init__(self, name: str, tokens: Tokens) -> None:
        self._name = name
        self._name_bytes = name.encode("ascii")
        self.tokens = tokens
        self._remembered = lru_cache(RECENT_HEADERS)(self._read)
        self._known = lru_cache(RECENT_HEADERS)(self._id_of)

    def read(self, header: bytes) -> Claims:
        return self._remembered(header) if len(header) <= LONGEST_REMEMBERED else self._read(header)

    def _read(self, header: bytes) -> Claims:
        sids = [self._id_in(raw) for raw in cookies.candidates(header, self._name_bytes)]
        known = dict.fromkeys(sid for sid in sids if sid is not None and not is_reserved(sid))
        return Claims(tuple(known), sids.count(None))

    def _id_in(self, raw: bytes) -> str | None:
        if len(raw) > LONGEST_TOKEN:
            return self.tokens.read_token(raw)
        try:
            return self._known(raw)
        except _Forged:
            return None

    def _id_of(self, raw: bytes) -> str:
        sid = self.tokens.read_token(raw)
        if sid is None:
            raise _Forged  # What raises is not remembered.
        return sid

    def write(self, sid: str, stored: dict[str, JSON], now: float) -> tuple[str, ...]:
        return (set_cookie(self._name, self.tokens.token(sid), stored, now),)

    def check(self, sid: str) -> str:
        return checked(sid, len(self._name) + len(self.tokens.token(sid)), "cookie")

    def expire(self, stored: dict[str, JSON]) -> tuple[str, ...]:
        return (set_cookie(self._name, "", stored, None),)


class HeaderTransport:
    """Carries the token in a header called ``name``: for programs, which keep no cookies and send no forged requests.

    ``bearer`` reads it from ``Authorization: Bearer <token>`` (RFC 6750) instead. A response that would set a cookie
    has the token in the header ``name``; one that would expire it has that header with nothing in it.
    """

    def __init__(self, name: str, tokens: Tokens, *, bearer: bool) -> None:
        self.writes = name.lower().encode("ascii")
        self.reads = b"authorization" if bearer else self.writes
        self._bearer = bearer
        self.tokens = tokens
        self._remembered = lru_cache(RECENT_HEADERS)(self._read)

    def read(self, header: bytes) -> Claims:
        return self._remembered(header) if len(header) <= LONGEST_REMEMBERED else self._read(header)

    def _read(self, header: bytes) -> Claims:
        token = header.strip()
        if self._bearer:
            scheme, _, token = token.partition(b" ")
            if scheme.lower() != b"bearer":
                return Claims((), 0)
        if not token:
            return Claims((), 0)
        sid = self.tokens.read_token(token.strip())
        if sid is None:
            return Claims((), 1)
        return Claims((), 0) if is_reserved(sid) else Claims((sid,), 0)

    def write(self, sid: str, stored: dict[str, JSON], now: float) -> tuple[str, ...]:
        return (self.tokens.token(sid),)

    def check(self, sid: str) -> str:
        return checked(sid, len(self.tokens.token(sid)), "token")

    def expire(self, stored: dict[str, JSON]) -> tuple[str, ...]:
        return ("",)


def checked(sid: str, size: int, what: str) -> str:
    """Return ``sid``, or raise SessionError if ``size`` is more than a browser takes."""
    if size > cookies.MAX_COOKIE_BYTES:
        raise SessionError(
            f"the session {what} would have {size} bytes, and browsers drop cookies over "
            f"{cookies.MAX_COOKIE_BYTES}. Use a shorter name, or a genid that returns shorter ids"
        )
    return sid


def set_cookie(name: str, value: str, stored: dict[str, JSON], now: float | None) -> str:
    """Return a Set-Cookie value with the attributes that are stored with a session.

    Max-Age goes beside Expires, for browsers whose clock is wrong. ``now=None`` takes the cookie away: a browser wants
    the same attributes for that. Raises ValueError if an attribute cannot be sent.
    """
    end = parse_iso(stored.get("expires"))
    max_age, expires = None, None
    if now is None:
        max_age, expires = 0, 0.0
    elif end is not None:
        max_age, expires = max(0, round(end.timestamp() - now)), end.timestamp()
    same_site = stored.get("sameSite")
    return cookies.serialize(
        name,
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
