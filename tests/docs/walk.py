"""Walk one request of each kind through the code, and write down the modules that it enters.

``python -m tests.docs.walk`` prints the table of docs/explanation/architecture.md; a test compares the two.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from sessile import Session, Sessions
from sessile.asgi import SessionMiddleware
from tests.conftest import SECRET

PAGE = Path(__file__).parents[2] / "docs/explanation/architecture.md"

#: Drives the generators of the engine, and is on every way: see "One body for both kinds of stores" on the page.
DRIVER = "dual"

#: Most modules that hand a request on, from the middleware to the store.
MOST = 8


class Walk(NamedTuple):
    """What one request has entered."""

    kind: str
    #: The modules that hand it on, down to the store or, where that is not asked, as deep as it goes.
    way: list[str]
    #: The other modules, in the order in which they are asked.
    asked: list[str]


class _Tracer:
    """Writes down the modules of sessile that a call enters, and every stack of them."""

    def __init__(self) -> None:
        self.entered: dict[str, None] = {}
        self.stacks: set[tuple[str, ...]] = set()
        self._stack: list[str] = []

    def __call__(self, frame: Any, event: str, argument: object) -> None:
        if event == "call":
            module = frame.f_globals.get("__name__", "")
            self._stack.append(module.removeprefix("sessile.") if module.startswith("sessile.") else "")
            if self._stack[-1]:
                self.entered.setdefault(self._stack[-1])
                self.stacks.add(tuple(dict.fromkeys(name for name in self._stack if name and name != DRIVER)))
        elif event == "return" and self._stack:
            self._stack.pop()

    def way(self) -> list[str]:
        """Return the longest stack that leads to the store; without one, the longest there is."""
        led = {stack[: stack.index(name) + 1] for stack in self.stacks for name in stack if name.startswith("stores.m")}
        return list(max(sorted(led or self.stacks), key=len))


def _request(sessions: Sessions, work: Callable[[Session], object], cookie: bytes) -> tuple[bytes, _Tracer]:
    """Make a request, and return the cookie that it sets, and what it has entered."""
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        work(scope["session"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nobody asks for the body")

    headers = [(b"cookie", cookie)] if cookie else []
    scope = {"type": "http", "method": "GET", "path": "/", "scheme": "https", "headers": headers}
    serving, tracer = SessionMiddleware(app, sessions)(scope, receive, send), _Tracer()
    sys.setprofile(tracer)
    try:
        serving.send(None)  # The memory store answers at once, so nothing is waited for.
    except StopIteration:
        pass
    finally:
        sys.setprofile(None)
    cookies = [value.partition(b";")[0] for name, value in sent[0]["headers"] if name == b"set-cookie"]
    return cookies[0] if cookies else b"", tracer


def walks() -> list[Walk]:
    """Return the walk of each kind of request, with the memory store and warm caches."""
    sessions = Sessions(secret=SECRET)
    cookie, _ = _request(sessions, lambda session: session.update(n=1), b"")
    kinds: list[tuple[str, Callable[[Session], object], bytes]] = [
        ("no cookie", lambda session: None, b""),
        ("read", lambda session: session["n"], cookie),
        ("write", lambda session: session.update(n=session["n"] + 1), cookie),
        ("log-in", lambda session: session.login("zoe"), cookie),
    ]
    found = []
    for kind, work, brought in kinds:
        if kind != "log-in":
            _request(sessions, work, brought)
        _, tracer = _request(sessions, work, brought)
        way = tracer.way()
        found.append(Walk(kind, way, [name for name in tracer.entered if name not in way]))
    return found


def table() -> str:
    """Return the table of the page."""
    lines = ["| a request | is handed on by | and on the way asks |", "|---|---|---|"]
    for kind, way, asked in walks():
        cells = (" → ".join(f"`{name}`" for name in way), ", ".join(f"`{name}`" for name in asked))
        lines.append(f"| {kind} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
