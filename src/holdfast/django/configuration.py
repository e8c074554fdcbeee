# Django says how its session cookie looks in settings of its own, and everything around it reads them. So they are the
# ones that count, and HOLDFAST has the rest: store, secret, and what a conflict or an outage leads to.
"""The sessions of a Django project, made of its settings."""

from __future__ import annotations

import time
from functools import cache
from threading import RLock
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from holdfast import stores
from holdfast.errors import InvalidOption
from holdfast.manager import Sessions
from holdfast.options import CookieOptions
from holdfast.stores.base import Carried

__all__ = ["eager", "sessions", "signs"]


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
        made = Sessions(**_arguments())
        if isinstance(made.store, Carried) and not signs():
            problem = "sessions that travel in their cookie are written by a middleware of ours"
            raise InvalidOption("store", problem, "Use holdfast.django.SessionMiddleware in the place of Django's.")
    except InvalidOption as error:
        raise ImproperlyConfigured(f"HOLDFAST: {error}") from error
    return made


@cache
def signs() -> bool:
    """Tell whether the cookie is express-session's, signed: whether ``holdfast.django.SessionMiddleware`` writes it."""
    from holdfast.django.middleware import SessionMiddleware as Ours

    found = [import_string(path) for path in settings.MIDDLEWARE if not path.startswith("django.")]
    return any(isinstance(each, type) and issubclass(each, Ours) for each in found)


def eager() -> bool:
    """Tell whether every request loads its session and counts as a visit."""
    return bool(settings.SESSION_SAVE_EVERY_REQUEST)


def _arguments() -> dict[str, Any]:
    given = dict(getattr(settings, "HOLDFAST", {}))
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
    options = getattr(settings, "HOLDFAST", {})
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
    if setting == "HOLDFAST":
        _store.cache_clear()
    if setting.startswith(("SESSION_", "SECRET_KEY")) or setting in ("HOLDFAST", "MIDDLEWARE"):
        _made.cache_clear()
        signs.cache_clear()


setting_changed.connect(_forget)
