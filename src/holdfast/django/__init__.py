# Django finds SessionStore here, because SESSION_ENGINE names this package.
"""Sessions for Django: a session engine, and middlewares for those who want more."""

from __future__ import annotations

from holdfast.django.configuration import sessions
from holdfast.django.middleware import PlainSessionMiddleware, SessionMiddleware, asession, session
from holdfast.django.store import SessionStore

__all__ = ["PlainSessionMiddleware", "SessionMiddleware", "SessionStore", "asession", "session", "sessions"]
