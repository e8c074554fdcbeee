# There is nothing here but the wish: the record travels in the cookie (content.py), and each request has a store of
# its own for it. So whoever asks this one, from outside a request, learns that the server keeps nothing.
"""Keep sessions in the visitors' cookies, and nothing on the server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NoReturn, TypeAlias, get_args

from sessile.errors import InvalidOption, SessionError
from sessile.stores._shared import url as urls

__all__ = ["CookieStore"]

Form: TypeAlias = Literal[
    "encrypted", "cookie-session", "iron-session", "h3", "koa-session", "secure-session", "client-sessions"
]

_FORMS = get_args(Form)


class CookieStore:
    """Keeps each session in its visitor's cookie: no server to run, and no more than 4,096 bytes.

    ``form`` is ``"encrypted"``, which needs the extra ``encryption``; or that of a package of Node:

    - ``"iron-session"`` is encrypted and has an end; needs the extra ``encryption``. ``password_ids`` are the numbers
      that the secrets have there as passwords, in the same order. None: they are counted down to 1, so
      ``secret=[new, old]`` is ``password: {2: new, 1: old}``.
    - ``"h3"``, of h3 1 and nuxt-auth-utils, is encrypted and has an end; needs the extra ``encryption``.
    - ``"secure-session"``, of @fastify/secure-session, is encrypted and has an end; needs the extra ``secure-session``.
      A secret is its ``key``: 32 bytes, or these in base64. With ``derive`` it is what that package calls ``secret``,
      from which both derive a key with ``salt``, 16 bytes; None: the package's own.
    - ``"client-sessions"`` is encrypted and has an end; needs the extra ``encryption``.
    - ``"koa-session"`` is signed, has an end, and is readable for everybody.
    - ``"cookie-session"`` is signed, has no end, and is readable for everybody.

    **Nobody can end such a session but the browser that has it.** A copy of the cookie is good until its end, after a
    logout too, and an old one brings back what was in it. There is no list of sessions, and of two requests at once
    the later response wins. See the page about cookie sessions for what to do about it.

    >>> store = CookieStore("koa-session")
    """

    def __init__(
        self,
        form: Form = "encrypted",
        *,
        password_ids: Sequence[int] | None = None,
        derive: bool = False,
        salt: str | bytes | None = None,
    ) -> None:
        if form not in _FORMS:
            raise InvalidOption("form", f"{form!r} is unknown", f"Use one of: {', '.join(map(repr, _FORMS))}.")
        if password_ids is not None:
            _only_for("iron-session", form, "password_ids")
            if not password_ids or any(isinstance(each, bool) or not isinstance(each, int) for each in password_ids):
                raise InvalidOption("password_ids", f"{password_ids!r} are not numbers", "For example [2, 1].")
        if derive is not False or salt is not None:
            _only_for("secure-session", form, "derive" if derive is not False else "salt")
        if not isinstance(derive, bool):
            raise InvalidOption("derive", f"{derive!r} is not a bool", "Use True or False.")
        salt = salt.encode() if isinstance(salt, str) else salt
        if salt is not None and (not derive or len(salt) != _SALT):
            raise InvalidOption("salt", f"it needs derive, and {_SALT} bytes", "Give the salt of the Node application.")
        self.form: str = form
        self.password_ids = password_ids
        self.derive = derive
        self.salt = salt

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


#: crypto_pwhash of libsodium takes no other.
_SALT = 16


def _only_for(form: str, given: str, option: str) -> None:
    if given != form:
        raise InvalidOption(option, f"it is for form={form!r}", "Leave it out.")


def _numbers(text: str) -> list[int] | str:
    try:
        return [int(each) for each in text.split(",")]
    except ValueError:
        return text


def from_url(url: str, clock: Callable[[], float]) -> CookieStore:
    """Return the store of a URL such as ``cookie://`` or ``cookie://?form=iron-session&password_ids=2,1``."""
    return CookieStore(**urls.options(url, form=str, password_ids=_numbers, derive=urls.yes_or_no, salt=str))
