# The names are JavaScript's, for the attributes stand in the record as express-session writes them, and the record may
# have been written by anybody: so each is read with its type in doubt, and arithmetic survives any number.
"""The attributes of a session's cookie, as they are stored and as a handler sees them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from holdfast.errors import InvalidOption
from holdfast.options import CookieOptions
from holdfast.record import JSON

__all__ = ["SessionCookie", "iso", "original_max_age", "parse_iso", "refresh", "text"]


class SessionCookie:
    """The attributes of one session's cookie: changing one is stored and sent to the browser.

    >>> session.cookie.max_age = 30 * 86_400      # remember this visitor for thirty days
    """

    __slots__ = ("_now", "_writable", "changed", "stored")

    def __init__(self, stored: dict[str, JSON], now: Callable[[], float], writable: Callable[[], None]) -> None:
        #: The attributes as they stand in the record, in camelCase.
        self.stored = dict(stored)
        #: Whether a handler changed one of them.
        self.changed = False
        self._now = now
        self._writable = writable

    def __repr__(self) -> str:
        return f"<SessionCookie {self.stored!r}>"

    def _set(self, key: str, value: JSON) -> None:
        self._writable()
        self.stored[key] = value
        self.changed = True

    @property
    def original_max_age(self) -> float | None:
        """The whole life in seconds, counted anew from each renewal. None: until the browser closes."""
        milliseconds = original_max_age(self.stored)
        return None if milliseconds is None else milliseconds / 1000

    @property
    def max_age(self) -> float | None:
        """The seconds left. Set it to seconds or a timedelta, or to None for a browser session."""
        expires = self.expires
        return None if expires is None else expires.timestamp() - self._now()

    @max_age.setter
    def max_age(self, value: float | timedelta | None) -> None:
        life = CookieOptions(max_age=value).lifetime(self._now())
        self._set("originalMaxAge", None if life is None else round(life * 1000))
        refresh(self.stored, self._now())

    @property
    def expires(self) -> datetime | None:
        """The moment at which the cookie ends. Set it to an aware datetime, or None for a browser session."""
        return parse_iso(self.stored.get("expires"))

    @expires.setter
    def expires(self, value: datetime | None) -> None:
        life = CookieOptions(expires=value).lifetime(self._now())
        self._set("originalMaxAge", None if life is None else round(life * 1000))
        refresh(self.stored, self._now())

    @property
    def path(self) -> str:
        """The URL prefix that the cookie is sent to."""
        return text(self.stored, "path") or "/"

    @path.setter
    def path(self, value: str) -> None:
        self._set("path", CookieOptions(path=value).path)

    @property
    def domain(self) -> str | None:
        """The domain whose subdomains get the cookie too."""
        return text(self.stored, "domain")

    @domain.setter
    def domain(self, value: str | None) -> None:
        self._set("domain", CookieOptions(domain=value).domain)

    @property
    def http_only(self) -> bool:
        """Whether scripts are kept from reading the cookie."""
        return bool(self.stored.get("httpOnly"))

    @http_only.setter
    def http_only(self, value: bool) -> None:
        self._set("httpOnly", CookieOptions(http_only=value).http_only)

    @property
    def secure(self) -> bool:
        """Whether the cookie travels over https only."""
        return bool(self.stored.get("secure"))

    @secure.setter
    def secure(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise InvalidOption("cookie secure", f"{value!r} is not a bool", "Use True or False: the request is known.")
        self._set("secure", value)

    @property
    def same_site(self) -> str | bool | None:
        """Which requests from other sites carry the cookie: "strict", "lax", "none", or None."""
        value = self.stored.get("sameSite")
        return value if isinstance(value, (str, bool)) else None

    @same_site.setter
    def same_site(self, value: Any) -> None:
        CookieOptions(same_site=value, secure=True)
        if value == "auto":
            value = "none" if self.secure else "lax"
        self._set("sameSite", value)

    @property
    def partitioned(self) -> bool:
        """Whether the cookie has a jar of its own under each top-level site."""
        return bool(self.stored.get("partitioned"))

    @partitioned.setter
    def partitioned(self, value: bool) -> None:
        self._set("partitioned", CookieOptions(partitioned=value, secure=True).partitioned)

    @property
    def priority(self) -> str | None:
        """Which cookies Chromium throws out last: "low", "medium" or "high"."""
        return text(self.stored, "priority")

    @priority.setter
    def priority(self, value: Any) -> None:
        self._set("priority", CookieOptions(priority=value).priority)


#: Thirty thousand years, in milliseconds. A record may name any number, and arithmetic has to survive it.
_LONGEST_LIFE = 10**15


def original_max_age(stored: Mapping[str, JSON]) -> float | None:
    """Return the stored life in milliseconds, or None where there is none or something else stands in its place."""
    value = stored.get("originalMaxAge")
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return min(max(value, -_LONGEST_LIFE), _LONGEST_LIFE)


def refresh(stored: dict[str, JSON], now: float) -> None:
    """Move the stored end of the cookie to ``now`` plus its whole life. Exact: in express-session it drifts."""
    life = original_max_age(stored)
    if life is not None:
        stored["expires"] = iso((now * 1000 + life) / 1000)
    elif stored.get("expires") is not None:
        stored["expires"] = None


#: JavaScript's Date.prototype.toISOString has four digits for the year up to here.
_LATEST = 253_402_300_799.0


def iso(moment: float) -> str:
    """Return epoch seconds as JavaScript's ``toISOString`` does: UTC, three digits of milliseconds, Z."""
    seconds, milliseconds = divmod(round(min(max(moment, 0.0), _LATEST) * 1000), 1000)
    at = time.gmtime(seconds)
    return (
        f"{at.tm_year:04}-{at.tm_mon:02}-{at.tm_mday:02}T"
        f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02}.{milliseconds:03}Z"
    )


def parse_iso(value: JSON) -> datetime | None:
    """Return the moment that a stored ``expires`` names, or None for whatever else stands there."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def text(stored: Mapping[str, JSON], key: str) -> str | None:
    """Return a stored attribute if it is text, and None for whatever else stands there."""
    value = stored.get(key)
    return value if isinstance(value, str) else None
