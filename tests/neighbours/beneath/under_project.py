# Settings are a module, and Django reads it later than pytest reads its plugins.
"""Puts sessile beneath a Django project: beneath its own middleware of sessions, or with ours in its place."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

_THEIRS = "django.contrib.sessions.middleware.SessionMiddleware"

settings: Any = import_module(os.environ["DJANGO_SETTINGS_MODULE"])
settings.SESSION_ENGINE = "sessile.django"
settings.SESSILE = {"secret": settings.SECRET_KEY.ljust(32, ".")}  # Those of tests are short.
if not hasattr(settings, "PASSWORD_HASHERS"):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # Django's own take their time.
settings.MIDDLEWARE = [
    os.environ["BENEATH_MIDDLEWARE"] if middleware == _THEIRS else middleware for middleware in settings.MIDDLEWARE
]
