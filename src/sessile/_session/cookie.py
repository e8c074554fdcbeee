# Each attribute is checked by the rules of CookieOptions, so a handler hears of a wrong value where it is set.
"""The attributes of a session's cookie, as a handler sees and changes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sessile._records.attributes import original_max_age, parse_iso, refresh, text
from sessile._records.record import JSON
from sessile.errors import InvalidOption
from sessile.options import CookieOptions

__all__ = ["SessionCookie"]


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
