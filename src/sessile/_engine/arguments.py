"""Check the arguments that ``Sessions`` gets, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import wraps
from typing import ParamSpec

from sessile._records.arguments import nearest, snake_case
from sessile.errors import InvalidOption
from sessile.options import CookieOptions, OptionArguments, Options, Secret
from sessile.stores.base import Store

P = ParamSpec("P")

__all__ = ["SessionsArguments", "check_names", "with_remedies"]


class SessionsArguments(OptionArguments, total=False):
    """The keyword arguments of ``Sessions``, for functions that pass them on."""

    secret: Secret
    store: Store | str


#: Options that have another name elsewhere: in express-session of old, and in Starlette.
_ELSEWHERE = {
    "key": "name",
    "session_cookie": "name",
    "cookie_name": "name",
    "secret_key": "secret",
    "https_only": "secure",
    "samesite": "same_site",
    "httponly": "http_only",
}


def check_names(options: Mapping[str, object]) -> None:
    """Raise InvalidOption for a name that is no option, and say which one was meant."""
    known = {field.name for field in fields(Options)}
    for name in options:
        if name not in known and name not in ("secret", "store"):
            snake = _ELSEWHERE.get(snake_case(name), snake_case(name))
            in_cookie = snake in {field.name for field in fields(CookieOptions)}
            near = snake if snake in known else nearest(snake, {*known, "store"})
            remedy = (
                f"It belongs to the cookie: cookie=CookieOptions({snake}=...)."
                if in_cookie
                else f"Did you mean {near!r}?"
                if near
                else f"The options are: {', '.join(sorted(known))}."
            )
            raise InvalidOption(name, "there is no such option", remedy)


def with_remedies(begin: Callable[P, None]) -> Callable[P, None]:
    """Return the constructor ``begin``, which raises InvalidOption where Python would raise a bare TypeError."""

    @wraps(begin)
    def checked(*given: P.args, **options: P.kwargs) -> None:
        check_names(options)
        if len(given) > 1:
            raise InvalidOption("Sessions", "its arguments go by name", "Write Sessions(secret=..., store=...).")
        if "secret" not in options:
            remedy = 'Write Sessions(secret=os.environ["SESSION_SECRET"]), and make one with `sessile secret`.'
            raise InvalidOption("secret", "it is missing", remedy)
        begin(*given, **options)

    return checked
