"""Server-side sessions for Python web applications, wire-compatible with Node's express-session."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from holdfast.errors import (
    InvalidOption,
    SessionConflict,
    SessionError,
    SessionGone,
    StoreUnavailable,
    UnserialisableValue,
)
from holdfast.events import Event
from holdfast.facts import RequestFacts
from holdfast.lifetime import Lifetime
from holdfast.manager import Sessions
from holdfast.options import CookieOptions
from holdfast.session import Session
from holdfast.stores.base import Conflict, Missing, Record, Replaced, Store

__all__ = [
    "Conflict",
    "CookieOptions",
    "Event",
    "InvalidOption",
    "Lifetime",
    "Missing",
    "Record",
    "Replaced",
    "RequestFacts",
    "Session",
    "SessionConflict",
    "SessionError",
    "SessionGone",
    "Sessions",
    "Store",
    "StoreUnavailable",
    "UnserialisableValue",
]

__version__ = "0.1.0"

_INTEGRATIONS = {
    "aiohttp",
    "asgi",
    "bottle",
    "django",
    "falcon",
    "fastapi",
    "flask",
    "http",
    "litestar",
    "pyramid",
    "quart",
    "sanic",
    "schema",
    "starlette",
    "telemetry",
    "tornado",
    "wsgi",
}


def __getattr__(name: str) -> Any:
    # `import holdfast` and then `holdfast.asgi.SessionMiddleware`: a module of an integration is imported when it is
    # named, for its framework may not be installed.
    if name in _INTEGRATIONS:
        return import_module(f"holdfast.{name}")
    raise AttributeError(f"module 'holdfast' has no attribute {name!r}")
