"""Server-side sessions for Python web applications, wire-compatible with Node's express-session."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from sessile._engine.manager import Sessions
from sessile._engine.users import SessionHandle
from sessile._engine.waiting import BlockingWarning
from sessile._session.session import Session
from sessile.device import Device, DeviceBinding
from sessile.errors import (
    CookieTooLarge,
    DeviceRequired,
    InvalidOption,
    LockLost,
    LoginRefused,
    MissingExtra,
    MissingMiddleware,
    NotFresh,
    NotLoaded,
    RetriesExhausted,
    SessionConflict,
    SessionEnded,
    SessionError,
    SessionGone,
    SessionLocked,
    SessionTooLarge,
    StoreRefused,
    StoreUnavailable,
    TooManySessions,
    UnserialisableValue,
)
from sessile.events import Event
from sessile.facts import RequestFacts
from sessile.lifetime import Lifetime
from sessile.options import CookieOptions
from sessile.stores.base import Conflict, Missing, Record, Replaced, Store

__all__ = [
    "BlockingWarning",
    "Conflict",
    "CookieOptions",
    "CookieTooLarge",
    "Device",
    "DeviceBinding",
    "DeviceRequired",
    "Event",
    "InvalidOption",
    "Lifetime",
    "LockLost",
    "LoginRefused",
    "Missing",
    "MissingExtra",
    "MissingMiddleware",
    "NotFresh",
    "NotLoaded",
    "Record",
    "Replaced",
    "RequestFacts",
    "RetriesExhausted",
    "Session",
    "SessionConflict",
    "SessionEnded",
    "SessionError",
    "SessionGone",
    "SessionHandle",
    "SessionLocked",
    "SessionTooLarge",
    "Sessions",
    "Store",
    "StoreRefused",
    "StoreUnavailable",
    "TooManySessions",
    "UnserialisableValue",
]

__version__ = "0.1.0"

_MODULES = {
    "aiohttp",
    "asgi",
    "bottle",
    "django",
    "falcon",
    "fastapi",
    "flask",
    "adoption",
    "codecs",
    "http",
    "testing",
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


def __getattr__(name: str) -> ModuleType:
    # `import sessile` and then `sessile.asgi.SessionMiddleware`: a module of an integration is imported when it is
    # named, for its framework may not be installed.
    if name in _MODULES:
        return import_module(f"sessile.{name}")
    raise AttributeError(f"module 'sessile' has no attribute {name!r}")
