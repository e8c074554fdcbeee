# The console has no users of its own. Who can read the terminal that started it may enter, once, by the address that
# stands there. From then on a cookie says so, which no other site can use and no script can read. Both are kept in
# memory and end with the process.
"""Who may enter the console: one token in an address, and then a short session in memory."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Final

__all__ = ["IDLE", "TOKEN_LIFE", "Door"]

#: For how many seconds the token in the address is good, if nobody uses it.
TOKEN_LIFE: Final = 600.0

#: After how many seconds without a request the operator has to start the console again.
IDLE: Final = 1800.0


class Door:
    """Lets one browser in. ``clock`` never goes back; ``name`` is the cookie's."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self._name = name
        self._clock = clock
        self._token = secrets.token_urlsafe(32)
        self._token_ends = clock() + TOKEN_LIFE
        self._key = ""
        self._key_ends = 0.0

    @property
    def token(self) -> str:
        """The token for the address. It works once."""
        return self._token

    def exchange(self, token: str) -> str | None:
        """Return the Set-Cookie header for whoever brings the token, or None if it is wrong, used or too old."""
        if not self._token or self._clock() >= self._token_ends or not _same(token, self._token):
            return None
        self._token = ""
        self._key = secrets.token_urlsafe(32)
        self._key_ends = self._clock() + IDLE
        return f"{self._name}={self._key}; Path=/; HttpOnly; SameSite=Strict"

    def is_open_to(self, cookies: str) -> bool:
        """Return True if the Cookie header ``cookies`` brings the session, and keep it alive."""
        if not self._key or self._clock() >= self._key_ends:
            return False
        try:
            found = SimpleCookie(cookies).get(self._name)
        except CookieError:
            return False
        if found is None or not _same(found.value, self._key):
            return False
        self._key_ends = self._clock() + IDLE
        return True


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())
