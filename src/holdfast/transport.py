# What a header says is computed from the header alone, so it can be remembered: a visitor's requests come in rows, and
# with the same cookies. Remembering saves the signature check, the dearest step of a request. Only short headers are
# remembered, so a few thousand of them are five megabytes at most.
"""How a token travels: read from a request, written to a response."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, Protocol

from holdfast import cookies
from holdfast.attributes import parse_iso, text
from holdfast.errors import MissingExtra, SessionError
from holdfast.options import Options
from holdfast.record import JSON
from holdfast.signing import Signer

__all__ = ["Claims", "CookieTransport", "HeaderTransport", "Transport", "make_transport", "set_cookie"]

RECENT_HEADERS = 4096
LONGEST_REMEMBERED = 1024


class Claims(NamedTuple):
    """What a request claims."""

    #: The ids that we signed, each once, in their order.
    sids: tuple[str, ...]
    #: How many tokens in our place we did not sign.
    forged: int


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


def make_transport(options: Options) -> Transport:
    """Return the transport that ``options`` ask for."""
    secrets = options.secrets()
    where = options.name if options.transport == "cookie" else options.header
    tokens: Tokens = Signer(secrets)
    if options.token == "encrypted":  # noqa: S105
        try:
            from holdfast.sealing import SealedTokens, Sealer
        except ImportError as error:
            raise MissingExtra('token="encrypted"', "encryption") from error
        tokens = SealedTokens(Signer(secrets), Sealer(secrets, "token"), where)
    if options.transport == "cookie":
        return CookieTransport(where, tokens)
    return HeaderTransport(where, tokens, bearer=options.transport == "bearer")


class CookieTransport:
    """Carries the token in a cookie called ``name``."""

    reads = b"cookie"
    writes = b"set-cookie"

    def __init__(self, name: str, tokens: Tokens) -> None:
        self._name = name
        self._name_bytes = name.encode("ascii")
        self.tokens = tokens
        self._remembered = lru_cache(RECENT_HEADERS)(self._read)

    def read(self, header: bytes) -> Claims:
        return self._remembered(header) if len(header) <= LONGEST_REMEMBERED else self._read(header)

    def _read(self, header: bytes) -> Claims:
        sids = [self.tokens.read_token(raw) for raw in cookies.candidates(header, self._name_bytes)]
        return Claims(tuple(dict.fromkeys(sid for sid in sids if sid is not None)), sids.count(None))

    def write(self, sid: str, stored: dict[str, JSON], now: float) -> tuple[str, ...]:
        return (set_cookie(self._name, self.tokens.token(sid), stored, now),)

    def check(self, sid: str) -> str:
        return _checked(sid, len(self._name) + len(self.tokens.token(sid)), "cookie")

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
        return Claims((), 1) if sid is None else Claims((sid,), 0)

    def write(self, sid: str, stored: dict[str, JSON], now: float) -> tuple[str, ...]:
        return (self.tokens.token(sid),)

    def check(self, sid: str) -> str:
        return _checked(sid, len(self.tokens.token(sid)), "token")

    def expire(self, stored: dict[str, JSON]) -> tuple[str, ...]:
        return ("",)


def _checked(sid: str, size: int, what: str) -> str:
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
