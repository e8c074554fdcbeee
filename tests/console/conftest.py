"""What the tests of the console share."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from sessile import RequestFacts, Sessions
from sessile.cli.target import Site
from sessile.console.core import Console
from sessile.console.door import Door
from sessile.console.server import Local
from sessile.events import Event
from sessile.testing import FrozenClock
from tests.conftest import SECRET

HOST = "127.0.0.1:9"


class Desk:
    """An operator at the console, and the sessions that they look at."""

    def __init__(self, clock: FrozenClock, *, show_data: bool = False, read_only: bool = False) -> None:
        self.clock = clock
        self.events: list[Event] = []
        self.sessions = Sessions(secret=SECRET, store="memory://", clock=clock, on_event=self.events.append)
        self.door = Door("console", lambda: 0.0)
        site = Site(self.sessions, "the store", app=True, keys=1)
        console = Console(site, show_data=show_data, read_only=read_only)
        self.local = Local(console, self.door, "zoe")
        self.local.hosts = frozenset((HOST,))
        self.cookie = ""
        self.headers: dict[str, str] = {}

    def visit(self, user: str | int | None = None, claims: dict[str, Any] | None = None, **data: Any) -> str:
        """Make a session. Return its cookie."""
        session = self.sessions.engine.begin_sync(b"", RequestFacts)
        if user is not None:
            session.login(user, **(claims or {}))
        session.update(data)
        return self.sessions.engine.commit_sync(session)[0].partition(";")[0]

    def lives(self, cookie: str) -> bool:
        """Return True if the session of ``cookie`` has not ended."""
        return not self.sessions.engine.begin_sync(cookie.encode(), RequestFacts).is_new

    def ask(self, path: str, form: dict[str, Any] | None = None, **environ: str) -> tuple[int, str]:
        """Make a request. Return status and body."""
        body = b"" if form is None else urlencode(form, doseq=True).encode()
        route, _, query = path.partition("?")
        whole: dict[str, Any] = {
            "REQUEST_METHOD": "GET" if form is None else "POST",
            "PATH_INFO": route,
            "QUERY_STRING": query,
            "HTTP_HOST": HOST,
            "HTTP_COOKIE": self.cookie,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        if form is not None:
            whole["HTTP_ORIGIN"] = f"http://{HOST}"
        status: list[int] = []

        def start(line: str, headers: list[tuple[str, str]], *_: object) -> Any:
            status.append(int(line[:3]))
            self.headers = dict(headers)

        answer = b"".join(self.local({**whole, **environ}, start)).decode()
        return status[0], answer

    def enter(self) -> None:
        """Use the token, and keep the cookie."""
        status, _ = self.ask(f"/enter?token={self.door.token}")
        assert status == 303
        self.cookie = self.headers["Set-Cookie"].partition(";")[0]

    def handles(self, path: str = "/") -> list[str]:
        """Return the handles that a list shows."""
        return [part.partition('"')[0] for part in self.ask(path)[1].split("/session?handle=")[1:]]

    def told(self) -> list[str]:
        """Return what was said of the operator."""
        return [event.detail for event in self.events if event.name == "operated"]


@pytest.fixture
def new_desk(clock: FrozenClock) -> Iterator[Callable[..., Desk]]:
    """A function that sits an operator down, who has entered."""
    desks: list[Desk] = []

    def make(**options: bool) -> Desk:
        desk = Desk(clock, **options)
        desks.append(desk)
        desk.enter()
        return desk

    yield make
    for desk in desks:
        desk.sessions.close()


@pytest.fixture
def desk(new_desk: Callable[..., Desk]) -> Desk:
    """An operator who has entered."""
    return new_desk()
