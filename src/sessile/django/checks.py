# Without these, a mistake in the settings is a 500 at the first request. Django runs them before `runserver` and
# `migrate`, and at `manage.py check`; it knows of them if "sessile.django" stands in INSTALLED_APPS.
"""Django's system checks of the settings for sessions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.sessions import middleware
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from sessile.django import configuration
from sessile.django.store import other_engine
from sessile.errors import MissingExtra

__all__ = ["check"]


@checks.register  # type: ignore[untyped-decorator]
def check(app_configs: object, **_: Any) -> list[checks.CheckMessage]:
    """Return what is wrong with the settings: options (E001), a driver (E002), middleware (E003), engine (E004)."""
    return [*_of_options(), *_of_middleware()]


def _of_options() -> Iterator[checks.CheckMessage]:
    try:
        configuration.sessions()
    except ImproperlyConfigured as error:
        yield checks.Error(str(error), hint="Correct SESSILE in the settings.", id="sessile.E001")
    except MissingExtra as error:
        yield checks.Error(str(error), id="sessile.E002")
    except ImportError as error:
        yield checks.Error(f"A module in the settings cannot be imported: {error}", id="sessile.E001")


def _of_middleware() -> Iterator[checks.CheckMessage]:
    found = [path for path in settings.MIDDLEWARE if _is_for_sessions(path)]
    if len(found) > 1:
        problem = f"MIDDLEWARE has {len(found)} middlewares for sessions: {', '.join(found)}."
        yield checks.Error(problem, hint="Keep one of them.", id="sessile.E003")
    if any(path.startswith("sessile.") for path in found):
        engine = other_engine()
        if engine is not None:
            yield checks.Error(f"{engine}.", hint='Set SESSION_ENGINE = "sessile.django".', id="sessile.E004")


def _is_for_sessions(path: str) -> bool:
    try:
        found = import_string(path)
    except ImportError:
        return False
    return isinstance(found, type) and issubclass(found, middleware.SessionMiddleware)
