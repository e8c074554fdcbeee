"""What a request with sessions in Redis sends: round trips, commands and bytes, counted on the wire by a proxy.

    python benchmarks/redis_wire.py

It starts a Redis of its own and makes each request alone, with the text of the scripts known to the server already. A
round trip is a write whose answer somebody waits for; a renewal (PEXPIREAT) is sent and not waited for. "In the server"
are the commands that it carries out, those within scripts among them. Ends with 1 if a target is missed.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.conftest import SECRET
from tests.stores.redis_servers import Server, started
from tests.stores.tap import UNAWAITED, Tap

from sessile import Sessions
from sessile.asgi import SessionMiddleware

DATA = {
    "user_id": 123456,
    "username": "alice@example.com",
    "roles": ["admin", "editor", "billing"],
    "cart": {"items": [{"sku": "A-1001", "qty": 2}, {"sku": "B-2040", "qty": 1}], "note": "leave it at the back door"},
    "csrf": "Zk3b1p0mQ9xwV2uYt7sRr8eLdH4cJf6aNgKiTqXoPUM",
}


class Row(NamedTuple):
    """A kind of request, and its targets."""

    handler: Callable[[Any], Any]
    #: At most so many round trips.
    trips: int | None = None
    #: At most so many commands whose answers somebody waits for.
    commands: int | None = None


ROWS = {
    "no cookie": Row(lambda session: None, 0, 0),
    "new session": Row(lambda session: session.update(DATA), 1, 1),
    "read": Row(lambda session: session.get("user_id"), 1, 2),
    "write": Row(lambda session: session.update(n=session.get("n", 0) + 1), 2, 3),
    "log in": Row(lambda session: session.login(5, device="a browser"), 4),
    "read, logged in": Row(lambda session: session.get("user_id"), 1, 2),
    "write, logged in": Row(lambda session: session.update(n=session.get("n", 0) + 1), 2, 3),
    "regenerate(keep=True)": Row(lambda session: session.regenerate(keep=True)),
    "log out": Row(lambda session: session.logout(), 2),
}


class Visitor:
    """Keeps the cookie from request to request."""

    def __init__(self, url: str) -> None:
        self._handler: Callable[[Any], Any] = len
        self._app = SessionMiddleware(self._page, Sessions(secret=SECRET, store=url))
        self.cookie = b""

    async def visit(self, handler: Callable[[Any], Any]) -> None:
        self._handler = handler
        headers = [(b"cookie", self.cookie)] if self.cookie else []
        scope = {"type": "http", "method": "GET", "path": "/", "headers": headers, "scheme": "http"}
        await self._app(scope, _receive, self._send)

    async def _page(self, scope: Any, receive: Any, send: Any) -> None:
        self._handler(scope["session"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
            for name, value in message["headers"]:
                if name.lower() == b"set-cookie":
                    self.cookie = value.split(b";")[0]


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def commands_in(server: Server) -> int:
    """Return how many commands the server has carried out since it was asked to count anew."""
    counted = server.ask("INFO", "commandstats")
    ours = {"info", "config|resetstat", "hello", "client|setinfo"}
    return sum(found["calls"] for name, found in counted.items() if name.removeprefix("cmdstat_") not in ours)


async def measure(server: Server, tap: Tap) -> list[str]:
    """Print the table, and return what was missed."""
    missed = []
    print(
        f"{'':24}{'trips':>6}{'commands':>10}{'not awaited':>13}{'in the server':>15}{'bytes out':>11}{'bytes in':>10}"
    )
    known = Visitor(f"redis://127.0.0.1:{tap.port}")
    for row in ROWS.values():  # So that the server knows the scripts.
        await known.visit(row.handler)
    visitor = Visitor(f"redis://127.0.0.1:{tap.port}")
    await visitor.visit(lambda session: session.update(DATA))  # So that it has a connection.
    for name, row in ROWS.items():
        if name in ("no cookie", "new session"):
            visitor.cookie = b""
        await asyncio.sleep(0.05)
        server.ask("CONFIG", "RESETSTAT")
        tap.reset()
        await visitor.visit(row.handler)
        await asyncio.sleep(0.05)  # A renewal that nobody waits for.
        unawaited = sum(command in UNAWAITED for command in tap.commands)
        awaited = len(tap.awaited)
        inside = commands_in(server)
        print(f"{name:24}{tap.trips:>6}{awaited:>10}{unawaited:>13}{inside:>15}{tap.sent:>11}{tap.received:>10}")
        if row.trips is not None and tap.trips > row.trips:
            missed.append(f"{name}: {tap.trips} round trips, and not {row.trips}")
        if row.commands is not None and awaited > row.commands:
            missed.append(f"{name}: {awaited} commands to wait for, and not {row.commands}")
        if unawaited > 1:
            missed.append(f"{name}: {unawaited} renewals")
    return missed


def main() -> int:
    """Measure, and return 1 if a target is missed."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    with started() as server, Tap(server.port) as tap:
        missed = asyncio.run(measure(server, tap))
    for line in missed:
        print("missed:", line)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
