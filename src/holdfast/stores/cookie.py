# There is nothing here but the wish: the record travels in the cookie (content.py), and each request has a store of
# its own for it. So whoever asks this one, from outside a request, learns that the server keeps nothing.
"""Keep sessions in the visitors' cookies, and nothing on the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NoReturn

from holdfast.errors import InvalidOption, SessionError
from holdfast.stores import url as urls

__all__ = ["CookieStore"]

_FORMS = ("encrypted", "cookie-session")


class CookieStore:
    """Keeps each session in its visitor's cookie: no server to run, and no more than 4,096 bytes.

    ``form`` is ``"encrypted"``, which needs the extra ``encryption``; or ``"cookie-session"``, which is that of the
    package of this name for Node, signed and readable for everybody.

    **Nobody can end such a session but the browser that has it.** A copy of the cookie is good until its end, after a
    logout too, and an old one brings back what was in it. There is no list of sessions, and of two requests at once
    the later response wins. See the page about cookie sessions for what to do about it.
    """

    def __init__(self, form: Literal["encrypted", "cookie-session"] = "encrypted") -> None:
        if form not in _FORMS:
            raise InvalidOption("form", f"{form!r} is unknown", f"Use one of: {', '.join(map(repr, _FORMS))}.")
        self.form = form

    def __repr__(self) -> str:
        return f"<CookieStore {self.form}>"

    def load(self, sid: str) -> NoReturn:
        raise SessionError(_NOTHING_HERE)

    def create(self, sid: str, payload: bytes, ttl: float) -> NoReturn:
        raise SessionError(_NOTHING_HERE)

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> NoReturn:
        raise SessionError(_NOTHING_HERE)

    def touch(self, sid: str, ttl: float) -> NoReturn:
        raise SessionError(_NOTHING_HERE)

    def delete(self, sid: str) -> NoReturn:
        raise SessionError(_NOTHING_HERE)


_NOTHING_HERE = (
    "with cookie:// the sessions are in the visitors' cookies: outside a request none can be opened or ended. "
    "Use a store on the server for that"
)


def from_url(url: str, clock: Callable[[], float]) -> CookieStore:
    """Return the store of a URL ``cookie://`` or ``cookie://?form=cookie-session``."""
    return CookieStore(**urls.options(url, form=str))
