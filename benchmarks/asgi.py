"""What a session costs a request, beside what it costs with Starlette's own middleware and with starsessions.

    python benchmarks/asgi.py

Everything runs in this process, without a server: the same small application is called through each middleware, and
the time of the bare application is subtracted. The libraries take turns, round after round, and the best round of each
counts, so that a busy machine disturbs all alike. Compare the columns, not the figures of two machines.

What each does differs: Starlette keeps the data in the cookie and can neither end nor share a session; starsessions
writes the record and the cookie at every request that loads it; sessile verifies the cookie, reads the record, finds
out whether anything changed at any depth, and renews the record. The visitor's requests come in rows with the same
cookie, as browsers send them.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from starlette.middleware.sessions import SessionMiddleware as StarletteMiddleware
from starlette.requests import HTTPConnection
from starsessions import InMemoryStore, load_session
from starsessions import SessionMiddleware as StarsessionsMiddleware

from sessile import Sessions
from sessile.asgi import SessionMiddleware

SECRET = "a secret that is long enough for tests!"
SMALL = {f"key{number}": "v" * 40 for number in range(5)} | {"n": 1}  # about 300 bytes
LARGE = {f"key{number}": "v" * 90 for number in range(38)} | {"n": 1}  # about 4 KiB
CALLS, ROUNDS = 400, 25

HEADERS = [
    (b"host", b"example.com"),
    (
        b"user-agent",
        b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36",
    ),
    (b"accept", b"text/html,application/xhtml+xml"),
    (b"accept-encoding", b"gzip, br"),
    (b"accept-language", b"en"),
]
START = {"type": "http.response.start", "status": 200}
BODY = {"type": "http.response.body", "body": b"ok"}


def scope(cookie: bytes | None) -> dict[str, Any]:
    """Return the scope of a request, with the cookies that a browser has collected."""
    headers = list(HEADERS)
    if cookie is not None:
        headers.append((b"cookie", b"theme=dark; _ga=GA1.2.123456789.1234567890; " + cookie))
    return {"type": "http", "method": "GET", "path": "/", "scheme": "http", "headers": headers, "client": ("::1", 1)}


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def discard(message: Any) -> None:
    pass


def application(work: Any, load: bool) -> Any:
    """Return an application that does ``work`` with its session; ``load`` is how starsessions wants it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if work is not None:
            if load:
                await load_session(HTTPConnection(scope))
            work(scope["session"])
        await send({**START, "headers": [(b"content-type", b"text/plain"), (b"content-length", b"2")]})
        await send(BODY)

    return app


def read(session: Any) -> None:
    session["n"]


def write(session: Any) -> None:
    session["n"] += 1


#: The columns: what the handler does, whether a cookie comes, and what the session holds.
COLUMNS: dict[str, tuple[Any, dict[str, Any] | None]] = {
    "no cookie": (None, None),
    "untouched": (None, SMALL),
    "read 1 key": (read, SMALL),
    "write 1 key": (write, SMALL),
    "read of 4 KiB": (read, LARGE),
}


async def cookie_for(make: Any, data: dict[str, Any], load: bool) -> bytes:
    """Log a visitor in, and return the cookie that came of it."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await make(application(lambda session: session.update(data), load))(scope(None), receive, send)
    return next(value for name, value in sent[0]["headers"] if name == b"set-cookie").split(b";")[0]


async def one_round(app: Any, request: dict[str, Any]) -> float:
    """Return the microseconds of one call."""
    begin = time.perf_counter()
    for _ in range(CALLS):
        await app(dict(request), receive, discard)
    return (time.perf_counter() - begin) / CALLS * 1e6


async def main() -> None:
    """Measure, and print the table."""
    folder = tempfile.TemporaryDirectory()
    memory = Sessions(secret=SECRET)
    sqlite = Sessions(secret=SECRET, store=f"sqlite:///{Path(folder.name) / 'sessions.db'}")
    theirs = InMemoryStore()
    libraries: dict[str, tuple[Any, bool]] = {
        "sessile, memory": (lambda app: SessionMiddleware(app, memory), False),
        "sessile, memory, lazy": (lambda app: SessionMiddleware(app, memory, lazy=True), False),
        "sessile, sqlite": (lambda app: SessionMiddleware(app, sqlite), False),
        "starlette (in the cookie)": (lambda app: StarletteMiddleware(app, secret_key=SECRET), False),
        "starsessions, memory": (
            lambda app: StarsessionsMiddleware(app, store=theirs, lifetime=3600, cookie_https_only=False),
            True,
        ),
    }
    cells: dict[tuple[str, str], tuple[Any, Any]] = {}
    for name, (make, load) in libraries.items():
        plain = libraries["sessile, memory"][0] if "lazy" in name else make
        for column, (work, data) in COLUMNS.items():
            if "lazy" in name and work is not None:
                continue
            cookie = None if data is None else await cookie_for(plain, data, load)
            cells[name, column] = (make(application(work, load)), scope(cookie))
    cells["bare", ""] = (application(None, False), scope(b"connect.sid=x"))
    best = dict.fromkeys(cells, float("inf"))
    for _ in range(ROUNDS):
        for cell, (app, request) in cells.items():
            gc.collect()
            best[cell] = min(best[cell], await one_round(app, request))
    bare = best.pop(("bare", ""))
    report({cell: figure - bare for cell, figure in best.items()}, list(libraries), bare)
    sqlite.store.close()
    folder.cleanup()


def report(figures: dict[tuple[str, str], float], names: list[str], bare: float) -> None:
    """Print microseconds a request, and how they compare."""
    print(f"Python {sys.version.split()[0]}, microseconds a request over the bare application ({bare:.1f})\n")
    print(f"| {'':26} |" + "".join(f" {column:>13} |" for column in COLUMNS))
    print(f"|{'-' * 28}|" + "".join(f"{'-' * 14}:|" for _ in COLUMNS))
    for name in names:
        row = [figures.get((name, column)) for column in COLUMNS]
        print(f"| {name:26} |" + "".join(f" {'' if figure is None else format(figure, '.1f'):>13} |" for figure in row))
    ours = figures["sessile, memory", "read 1 key"]
    for name in names[-2:]:
        print(f"\nread 1 key: sessile takes {ours / figures[name, 'read 1 key']:.2f} of the time of {name}", end="")
    print()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    asyncio.run(main())
