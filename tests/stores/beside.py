"""A site of Node and a site of ours, for stores that both talk to over the network."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from holdfast import Sessions
from holdfast.asgi import SessionMiddleware
from tests.asgi import Browser, Response, handler

NODE = Path(__file__).parents[1] / "node"
SECRET = "a secret that is long enough for tests!"


class Node:
    """A site of express-session."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, cookie: str | None, **query: str) -> tuple[Any, str | None]:
        """Make a request. Return the session as the handler left it, and the cookie that was set."""
        headers = {} if cookie is None else {"cookie": f"connect.sid={cookie}"}
        response = httpx.get(self.url, params=query, headers=headers, timeout=30)
        assert response.status_code == 200, response.text
        line = response.headers.get("set-cookie", "")
        return response.json(), line.partition(";")[0].removeprefix("connect.sid=") or None


@contextmanager
def node_site(script: str, *arguments: str, **environment: str) -> Iterator[Node]:
    """Run ``script`` as long as the block does."""
    command = ["node", str(NODE / script), *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment or None
    ) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port, "run: npm install --prefix tests/node"
        yield Node(f"http://127.0.0.1:{port}/")
        process.communicate(timeout=30)


class Ours:
    """A site of holdfast, and a browser that visits it."""

    def __init__(self, store: Any, **options: Any) -> None:
        self._work: Callable[[Any], Any] = dict
        self.seen: Any = None
        self.response = Response()
        self.jar: dict[str, str] = {}
        app = SessionMiddleware(handler(self._handle), Sessions(secret=SECRET, store=store, **options))
        self._browser = Browser(app, self.jar)

    def _handle(self, session: Any) -> None:
        self.seen = self._work(session)

    async def visit(self, work: Callable[[Any], Any] = dict) -> Any:
        """Make a request in which ``work`` has the session, and return what it returned."""
        self._work, self.seen = work, None
        self.response = await self._browser.get()
        return self.seen

    @property
    def cookie(self) -> str:
        return self.jar["connect.sid"]

    @cookie.setter
    def cookie(self, value: str | None) -> None:
        assert value is not None
        self.jar["connect.sid"] = value


def sid_of(cookie: str) -> str:
    """Return the id that a signed cookie carries."""
    return cookie.removeprefix("s%3A").partition(".")[0]
