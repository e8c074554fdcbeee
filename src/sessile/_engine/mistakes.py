"""Tell what a new user often gets wrong in the options, beyond what each option checks itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta

from sessile._wire.warn import warn_outside
from sessile.errors import InvalidOption
from sessile.lifetime import LengthWarning, in_milliseconds
from sessile.options import CookieOptions

__all__ = ["check_store", "check_values"]

_VERBS = ("load", "create", "replace", "touch", "delete")


def check_values(options: Mapping[str, object]) -> None:
    """Raise InvalidOption for the name of a codec, and warn of a length of time that is hardly meant."""
    codec = options.get("codec")
    if isinstance(codec, (str, bytes)):
        remedy = "Use one of sessile.codecs, such as Encrypted(...); without a codec, records are JSON."
        raise InvalidOption("codec", f"{codec!r} is a name, not a codec", remedy)
    if problem := in_milliseconds("ttl", options.get("ttl")):
        warn_outside(f"ttl: {problem}", LengthWarning)
    cookie = options.get("cookie")
    if isinstance(cookie, CookieOptions):
        problem = _of_life(cookie.max_age)
        if problem:
            warn_outside(f"cookie max_age: {problem}", LengthWarning)


def _of_life(max_age: float | timedelta | None) -> str:
    """Return what is odd about a cookie's life, "" if nothing is. A timedelta has a unit, so it is meant."""
    if max_age is None or isinstance(max_age, timedelta):
        return ""
    if max_age <= 0:
        return f"{max_age:g} ends each session at once. Give seconds, or None for as long as the browser is open"
    return in_milliseconds("max_age", max_age)


def check_store(store: object) -> None:
    """Raise InvalidOption unless ``store`` has the five verbs of a store."""
    if isinstance(store, type):
        remedy = f"Create one: store={store.__name__}(...)."
        raise InvalidOption("store", f"{store.__name__} is a class, not a store", remedy)
    if isinstance(store, os.PathLike):
        remedy = 'Give a URL, such as "sqlite:///sessions.db"; an absolute path has four slashes.'
        raise InvalidOption("store", f"{os.fspath(store)!r} is a path, not a store", remedy)
    missing = [verb for verb in _VERBS if not callable(getattr(store, verb, None))]
    if missing:
        raise InvalidOption(
            "store",
            f"a {type(store).__name__} lacks {', '.join(missing)}",
            'Give a URL such as "sqlite:///sessions.db", or an object with the five verbs of sessile.stores.base. '
            "One with get, set and destroy can be wrapped: see sessile.stores.wrapped.",
        )
