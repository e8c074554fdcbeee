"""A site of Node with a package that keeps whole sessions in cookies, and the same site in Python."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from sessile import CookieOptions, Sessions
from sessile.asgi import SessionMiddleware
from tests.asgi import Browser, handler
from tests.conftest import SECRET

SCRIPT = Path(__file__).parents[1] / "node/cookie-forms.js"
OLD_SECRET = "the secret before, long enough for tests"
KEY, OLD_KEY = bytes(range(32)), bytes(range(1, 33))
DAY = 86_400


@dataclass
class Form:
    """One package: how a site of each side is told the same secrets."""

    name: str
    #: Options of the package: for one secret, and for a new one before an old one, if it can have two.
    one: dict[str, Any]
    two: dict[str, Any] | None = None
    secret: Any = SECRET
    old_secret: Any = OLD_SECRET
    #: Whether a session keeps the length of its own life.
    keeps_life: bool = False

    def site(self, secret: Any = None, **options: Any) -> Ours:
        return Ours(self, self.secret if secret is None else secret, **options)


def _keys(*keys: bytes) -> list[str]:
    return [b64encode(key).decode() for key in keys]


IRON = {"cookieName": "session", "ttl": DAY, "cookieOptions": {"secure": False}}
KOA = {"key": "session", "maxAge": DAY * 1000}
SECURE = {"cookieName": "session", "expiry": DAY, "cookie": {"path": "/"}}

FORMS = {
    "iron-session": Form(
        "iron-session",
        {**IRON, "password": SECRET},
        {**IRON, "password": {"1": OLD_SECRET, "2": SECRET}},
    ),
    "h3": Form(
        "h3",
        {"name": "session", "password": SECRET, "maxAge": DAY, "cookie": {"secure": False}},
    ),
    "koa-session": Form(
        "koa-session",
        {**KOA, "keys": [SECRET]},
        {**KOA, "keys": [SECRET, OLD_SECRET]},
        keeps_life=True,
    ),
    "secure-session": Form(
        "secure-session",
        {**SECURE, "key": _keys(KEY)},
        {**SECURE, "key": _keys(KEY, OLD_KEY)},
        secret=KEY,
        old_secret=OLD_KEY,
    ),
    "client-sessions": Form(
        "client-sessions",
        {"cookieName": "session", "secret": SECRET, "duration": DAY * 1000},
        keeps_life=True,
    ),
}


@contextmanager
def node(form: Form, options: dict[str, Any]) -> Iterator[Node]:
    """A site in Node."""
    process = subprocess.Popen(
        ["node", "--no-deprecation", SCRIPT, form.name, json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        assert port, "run: npm install --prefix tests/node"
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield Node(client)
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


class Node:
    """A visit to the site in Node with a jar of cookies that both sites share."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def visit(self, jar: dict[str, str], change: Any = (), **query: str) -> Any:
        """Return what Node found in the session before it changed it."""
        self._client.cookies.clear()
        header = "; ".join(f"{name}={value}" for name, value in jar.items())
        text = "{}" if change == () else json.dumps(change)
        response = self._client.get("/", params={"change": text, **query}, headers={"cookie": header} if header else {})
        assert response.status_code == 200, response.text
        for line in response.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            if value and "expires=thu, 01 jan 1970" not in line.lower() and "max-age=0" not in line.lower():
                jar[name] = value
            else:
                jar.pop(name, None)
        return response.json()["found"]


class Ours:
    """The same site in Python."""

    def __init__(self, form: Form, secret: Any, clock: Callable[[], float] = time.time, **options: Any) -> None:
        self.events: list[str] = []
        self.sessions = Sessions(
            **{"cookie": CookieOptions(max_age=DAY), **options},
            secret=secret,
            name="session",
            store=f"cookie://?form={form.name}",
            clock=clock,
            on_event=lambda event: self.events.append(event.name),
        )

    def visit(self, jar: dict[str, str], work: Callable[[Any], Any] = lambda session: None) -> Any:
        """Return what was found before ``work`` changed it."""
        found: dict[str, Any] = {}

        def look(session: Any) -> None:
            found.update(deepcopy(dict(session)))
            work(session)

        asyncio.run(Browser(SessionMiddleware(handler(look), self.sessions), jar).get())
        return found
