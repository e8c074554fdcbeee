# Django says how its session cookie looks in settings of its own, and everything around it reads them. So they are the
# ones that count, and SESSILE has the rest: store, secret, and what a conflict or an outage leads to.
"""The sessions of a Django project, made of its settings."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache
from threading import RLock
from typing import Any
from weakref import WeakSet

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from sessile import stores
from sessile._engine.manager import Sessions
from sessile.errors import InvalidOption
from sessile.options import CookieOptions
from sessile.stores.base import Carried

__all__ = ["eager", "of_settings", "sessions", "signs"]


#: What was made of Django's settings, and not by the project itself: there Django's settings are the remedies.
of_settings: WeakSet[Sessions] = WeakSet()

_making = RLock()  # A middleware of the project may use sessions while it is imported.


def sessions() -> Sessions:
    """Return the sessions of this project. Raises ImproperlyConfigured if a setting is wrong.

    Made at the first call, and once, whatever threads call. Django's tests make it anew when they change a setting;
    the store stays, unless they change that.
    """
    with _making:
        return _made()


@cache
def _made() -> Sessions:
    try:
        made = _given()
        if made is None:
            made = Sessions(**_arguments())
            of_settings.add(made)
        if isinstance(made.store, Carried) and not signs():
            problem = "sessions that travel in their cookie are written by a middleware of ours"
            raise InvalidOption("store", problem, "Use sessile.django.SessionMiddleware in the place of Django's.")
        if made.options.token == "koa-session":  # noqa: S105
            raise InvalidOption(
                "token", "koa-session's is two cookies, and Django sets one", "Serve it by ASGI or WSGI."
            )
    except InvalidOption as error:
        raise ImproperlyConfigured(f"SESSILE: {error}") from error
    return made


@cache
def signs() -> bool:
    """Tell whether the cookie is express-session's, signed: whether ``sessile.django.SessionMiddleware`` writes it."""
    found = [import_string(path) for path in settings.MIDDLEWARE if not path.startswith("django.")]
    return any(isinstance(each, type) and getattr(each, "signs_the_cookie", False) for each in found)


def eager() -> bool:
    """Tell whether every request loads its session and counts as a visit."""
    return bool(settings.SESSION_SAVE_EVERY_REQUEST)


def _options() -> dict[str, Any]:
    """Return a copy of the setting SESSILE. Raises InvalidOption if it is not a dict."""
    given = getattr(settings, "SESSILE", {})
    if not isinstance(given, Mapping):
        problem = f"a {type(given).__name__} is not a dict"
        raise InvalidOption("the setting", problem, 'Write SESSILE = {"store": "redis://localhost"}.')
    return dict(given)


def _given() -> Sessions | None:
    """Return the manager that the project has made itself, ``SESSILE = {"sessions": ...}``, if there is one."""
    given = _options()
    made = given.pop("sessions", None)
    if made is None:
        return None
    if given:
        raise InvalidOption(min(given), 'given beside "sessions"', "Give it to Sessions(...).")
    if isinstance(made, str):
        made = import_string(made)
    if not isinstance(made, Sessions):
        problem = f"a {type(made).__name__} is not a Sessions"
        raise InvalidOption("sessions", problem, 'Give one, or where it is: "shop.sessions.sessions".')
    if made.options.name != settings.SESSION_COOKIE_NAME:
        problem = f"its cookie is called {made.options.name!r}, and Django's {settings.SESSION_COOKIE_NAME!r}"
        raise InvalidOption("sessions", problem, "Give it that name, or set SESSION_COOKIE_NAME to its name.")
    return made


def _arguments() -> dict[str, Any]:
    given = _options()
    if "name" in given:
        raise InvalidOption("name", "Django has a setting for it", "Set SESSION_COOKIE_NAME instead.")
    given["name"] = settings.SESSION_COOKIE_NAME
    given["store"] = _store()
    given.setdefault("secret", [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS])
    given.setdefault("cookie", _cookie())
    given.setdefault("ttl", settings.SESSION_COOKIE_AGE)
    given.setdefault("rolling", eager())
    return given


@cache
def _store() -> Any:
    options = _options()
    store = options.get("store", "memory://")
    if not isinstance(store, str):
        return store
    return stores.from_url(store, options.get("clock", time.time))


def _cookie() -> CookieOptions:
    same_site = settings.SESSION_COOKIE_SAMESITE
    return CookieOptions(
        max_age=None if settings.SESSION_EXPIRE_AT_BROWSER_CLOSE else settings.SESSION_COOKIE_AGE,
        domain=settings.SESSION_COOKIE_DOMAIN,
        path=settings.SESSION_COOKIE_PATH,
        # False is Django's default, and says nothing: the cookie is for https only where the request came by it.
        secure=bool(settings.SESSION_COOKIE_SECURE) or "auto",
        http_only=bool(settings.SESSION_COOKIE_HTTPONLY),
        same_site=same_site.lower() if same_site else None,
    )


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "SESSILE":
        _store.cache_clear()
    if setting.startswith(("SESSION_", "SECRET_KEY")) or setting in ("SESSILE", "MIDDLEWARE"):
        _made.cache_clear()
        signs.cache_clear()


setting_changed.connect(_forget)
