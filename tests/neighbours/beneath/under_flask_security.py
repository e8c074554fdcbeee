# Its tests look at sessions by decoding the cookie. With sessile that is where the session is, not the session.
"""Puts sessile beneath Flask-Security, and lets its tests look into the store."""

from __future__ import annotations

import weakref
from typing import Any
from urllib.parse import unquote

import pytest
import under_flask

from sessile import Sessions

_made: weakref.WeakSet[Sessions] = weakref.WeakSet()
_make = under_flask.Sessions


def _noted(**options: Any) -> Sessions:
    made = _make(**options)
    _made.add(made)
    return made


class Stored:
    """Stands for the serialiser that decodes Flask's cookie."""

    def __init__(self, secret: str, serializer: Any) -> None:
        pass

    def loads_unsafe(self, cookie: str) -> tuple[bool, Any]:
        """Return the data of the session that ``cookie`` names."""
        for sessions in list(_made):
            sid = sessions.sid_of(unquote(cookie))
            found = None if sid is None else sessions.open(sid)
            if found is not None:
                return True, dict(found)
        return False, None


@pytest.hookimpl(trylast=True)
def pytest_sessionstart() -> None:
    """Put it in their place before their modules take it from there."""
    from tests import test_utils

    test_utils.URLSafeTimedSerializer = Stored


under_flask.Sessions = _noted  # type: ignore[assignment,misc]
