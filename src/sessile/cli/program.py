"""Find the ``Sessions`` of an application."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from functools import partial

from sessile import Sessions

__all__ = ["is_factory", "sessions_of"]


def is_factory(found: object) -> bool:
    """Tell whether ``found`` is a function to call. An application is callable too, but for its server."""
    return inspect.isroutine(found) or inspect.isclass(found) or isinstance(found, partial)


def sessions_of(application: object) -> Sessions | None:
    """Return the Sessions that an application was given, or None. It is looked at and not called."""
    return next((each for each in _candidates(application) if isinstance(each, Sessions)), None)


def _candidates(application: object) -> Iterator[object]:
    yield getattr(application, "sessions", None)  # Our middleware around an application.
    extensions = getattr(application, "extensions", None)
    if isinstance(extensions, Mapping):
        yield extensions.get("sessile")  # Flask, Quart.
    for name in ("user_middleware", "middleware", "plugins"):  # Starlette, FastAPI; Litestar; Bottle.
        listed = getattr(application, name, None)
        for each in listed if isinstance(listed, (list, tuple)) else ():
            yield getattr(each, "sessions", None)
            arguments = getattr(each, "kwargs", None)
            if isinstance(arguments, Mapping):
                yield arguments.get("sessions")
