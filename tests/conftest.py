"""What every test may ask for: a clock that stands still, a visitor, and the vectors."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from sessile import Session, Sessions
from sessile.asgi import SessionMiddleware
from sessile.testing import FrozenClock
from tests.asgi import Browser, Response, handler

# A machine that checks a commit must say the same twice; a developer's may find something new each time.
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.register_profile("developer", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "developer")

SECRET = "a secret that is long enough for tests!"
VECTORS = Path(__file__).parent / "vectors"


Clock = FrozenClock


@pytest.fixture
def clock() -> Clock:
    """A clock at 2023-11-14T22:13:20Z, where the vectors were made."""
    return Clock()


@pytest.fixture(scope="session")
def vectors() -> Any:
    """What express-session 1.19 and its neighbours gave for known input."""
    return json.loads((VECTORS / "express-session.json").read_text("utf-8"))


@pytest.fixture(scope="session")
def golden() -> Any:
    """Records that eight stores of Node wrote."""
    return json.loads((VECTORS / "golden.json").read_text("utf-8"))


@dataclass
class Visit:
    """What came of one request."""

    #: What the handler returned.
    result: Any
    #: The session as the handler left it; None if the handler was not reached.
    session: Any
    response: Response

    @property
    def set_cookie(self) -> str | None:
        """The Set-Cookie header, or None."""
        return self.response.cookie


class Visitor:
    """A browser of a site with ``sessions``, for tests that care for the session alone and are not async."""

    def __init__(self, sessions: Sessions, scheme: str = "https") -> None:
        self.sessions = sessions
        self.jar: dict[str, str] = {}
        self.scheme = scheme

    def visit(self, work: Callable[[Session], Any] = lambda session: None, cookie: str | None = None) -> Visit:
        """Make a request in which ``work`` has the session, and return what came of it. ``cookie``: not the jar's."""
        seen: list[Any] = []

        async def watched(session: Session) -> None:
            result = work(session)
            seen.extend((await result if inspect.isawaitable(result) else result, session))

        app = SessionMiddleware(handler(watched), self.sessions)
        response = asyncio.run(Browser(app, self.jar, self.scheme).get(cookie=cookie))
        result, session = seen or (None, None)
        return Visit(result, session, response)


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    """Sessions in memory, by the clock that stands still."""
    return Sessions(secret=SECRET, clock=clock)


@pytest.fixture
def visitor(sessions: Sessions) -> Visitor:
    """Somebody who has not been here before."""
    return Visitor(sessions)


@pytest.fixture
def new_visitor(clock: Clock) -> Callable[..., Visitor]:
    """A function that returns a visitor of a site with the options given to it."""

    def make(scheme: str = "https", **options: Any) -> Visitor:
        return Visitor(Sessions(**{"secret": SECRET, "clock": clock, **options}), scheme)

    return make
