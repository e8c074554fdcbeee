# Django finds SessionStore here, because SESSION_ENGINE names this package.
"""Sessions for Django: a session engine, and middlewares for those who want more."""

from __future__ import annotations

from importlib.util import find_spec

from sessile.errors import MissingExtra

if find_spec("django") is None:
    raise MissingExtra("sessile.django", "django")

from sessile.django import checks as _checks  # noqa: F401 - it registers them
from sessile.django.configuration import sessions
from sessile.django.middleware import PlainSessionMiddleware, SessionMiddleware, aload, session
from sessile.django.store import SessionStore

__all__ = ["PlainSessionMiddleware", "SessionMiddleware", "SessionStore", "aload", "session", "sessions"]
