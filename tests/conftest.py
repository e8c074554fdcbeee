"""What every test may ask for: a clock that stands still, a visitor, and the vectors."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from holdfast import Session, Sessions
from holdfast.asgi import SessionMiddleware

# A machine that checks a commit must say the same twice; a developer's may find something new each time.
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.register_profile("developer", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "developer")

SECRET = "a secret that is long enough for tests!"
VECTORS = Path(__file__).parent / "vectors"


class Clock:
    """A clock that moves only when it is told to."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


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
    #: The session as the handler left it.
    session: Session
    status: int
    headers: list[tuple[bytes, bytes]]

    @property
    def set_cookie(self) -> str | None:
        """The one Set-Cookie header, or None."""
        lines = [value.decode("latin-1") for name, value in self.headers if name == b"set-cookie"]
        assert len(lines) <= 1
        return lines[0] if lines else None

    def header(self, name: str) -> str | None:
        """The value of a header of the response, or None."""
        return next((value.decode("latin-1") for key, value in self.headers if key == name.encode()), None)


@dataclass
class Visitor:
    """A browser, as far as sessions go: it sends back the cookie that it was given."""

    sessions: Sessions
    jar: dict[str, str] = field(default_factory=dict)

    def visit(
        self,
        handler: Callable[[Session], Any] = lambda session: None,
        *,
        cookie: bytes | None = None,
        scheme: str = "https",
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> Visit:
        """Make a request that ``handler`` answers, and return what came of it. ``cookie`` stands for the jar."""
        if cookie is None:
            cookie = "; ".join(f"{name}={value}" for name, value in self.jar.items()).encode()
        lines = [*headers, (b"cookie", cookie)] if cookie else list(headers)
        scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "scheme": scheme, "headers": lines}
        visit = asyncio.run(_served(self.sessions, scope, handler))
        if visit.set_cookie is not None:
            self._keep(visit.set_cookie)
        return visit

    def _keep(self, line: str) -> None:
        for name, morsel in SimpleCookie(line).items():
            if morsel["max-age"] == "0":
                self.jar.pop(name, None)
            else:
                self.jar[name] = morsel.coded_value


async def _served(sessions: Sessions, scope: dict[str, Any], handler: Callable[[Session], Any]) -> Visit:
    sent: list[Any] = []
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        result = handler(scope["session"])
        seen.extend((scope["session"], await result if inspect.isawaitable(result) else result))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await SessionMiddleware(app, sessions)(scope, receive, send)
    session, result = seen or (None, None)
    return Visit(result, session, sent[0]["status"], list(sent[0]["headers"]))


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

    def make(**options: Any) -> Visitor:
        return Visitor(Sessions(**{"secret": SECRET, "clock": clock, **options}))

    return make
