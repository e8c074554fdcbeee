"""What a request costs with sessions in Redis: microseconds of CPU, here and in the server.

    python benchmarks/redis_cpu.py [--rounds 5] [--seconds 0.3]

It starts a Redis of its own. Each row does the same for 1, 16 and 128 tasks at once: a bare GET by redis-py's asyncio
client, a read and a write by our store, requests through our middleware, and a request through starsessions'. All rows
take turns in each round, a figure is the least of all rounds, and a ratio is that to redis-py's GET. Ends with 1 if a
target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
import time
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import redis
import redis.asyncio
from starsessions import SessionAutoloadMiddleware
from starsessions import SessionMiddleware as StarsessionsMiddleware
from starsessions.stores.redis import RedisStore as StarsessionsStore
from tests.conftest import SECRET
from tests.stores.redis_servers import started

from sessile import Sessions
from sessile.asgi import SessionMiddleware
from sessile.stores.redis import RedisStore
from sessile.wsgi import SessionMiddleware as WsgiMiddleware

Work = Callable[[], Awaitable[Any]]

TASKS = (1, 16, 128)
SESSIONS = 256
DATA = {
    "user_id": 123456,
    "username": "alice@example.com",
    "roles": ["admin", "editor", "billing"],
    "cart": {"items": [{"sku": "A-1001", "qty": 2}, {"sku": "B-2040", "qty": 1}], "note": "leave it at the back door"},
    "csrf": "Zk3b1p0mQ9xwV2uYt7sRr8eLdH4cJf6aNgKiTqXoPUM",
}
BARE, READ = "redis-py GET", "sessile read"

#: Row, tasks at once -> at most so many times redis-py's GET.
TARGETS = {(READ, 1): 0.8, (READ, 16): 0.4}
#: At most so many microseconds of the server for a read with 16 tasks, and of ours for a read without asyncio.
SERVER_TARGET = 3.0
SYNC_TARGET = 30.0


async def page(scope: Any, receive: Any, send: Any) -> None:
    """Do with the session what the path says."""
    session = scope["session"]
    path = scope["path"]
    if path == "/seed":
        session.update(DATA)
    elif path == "/write":
        session["n"] = session.get("n", 0) + 1
    else:
        session.get("user_id")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def nothing(message: Any = None) -> None:
    """Neither send nor receive."""


def scope_of(path: str, cookie: bytes = b"") -> dict[str, Any]:
    headers = [(b"host", b"x"), (b"cookie", cookie)] if cookie else [(b"host", b"x")]
    return {"type": "http", "method": "GET", "path": path, "headers": headers, "scheme": "http", "client": ("x", 1)}


async def visits(app: Any, path: str) -> Work:
    """Return what makes one request, each time of another visitor, so that no two at once are one."""
    scopes = []
    for _ in range(SESSIONS):
        sent: list[Any] = []

        async def note(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        await app(scope_of("/seed"), nothing, note)
        cookie = next(value for name, value in sent[0]["headers"] if name.lower() == b"set-cookie").split(b";")[0]
        scopes.append(scope_of(path, cookie))
    number = 0

    async def visit() -> None:
        nonlocal number
        number += 1
        await app(dict(scopes[number % SESSIONS]), nothing, nothing)

    return visit


async def works(url: str) -> dict[str, Work]:
    """Return the rows."""
    bare = redis.asyncio.Redis.from_url(url, max_connections=1000)
    await bare.set("bench", b"x" * 400)
    store = RedisStore(url).asynchronous()
    payloads = [b"a" * 400, b"b" * 400]
    for number in range(SESSIONS):
        await store.create(f"sid{number}", payloads[0], 86_400)
    number = 0

    async def read() -> None:
        nonlocal number
        number += 1
        sid = f"sid{number % SESSIONS}"
        await store.load(sid)
        store.renew(sid, 86_400)

    async def write() -> None:
        nonlocal number
        number += 1
        sid = f"sid{number % SESSIONS}"
        record = await store.load(sid)
        await store.replace(sid, payloads[record.payload == payloads[0]], 86_400, record.payload)

    app = SessionMiddleware(page, Sessions(secret=SECRET, store=url))
    theirs = StarsessionsMiddleware(
        SessionAutoloadMiddleware(page),
        store=StarsessionsStore(connection=redis.asyncio.Redis.from_url(url, max_connections=1000)),
        cookie_https_only=False,
        lifetime=3600,
    )
    return {
        BARE: lambda: bare.get("bench"),
        "store read": read,
        "store write": write,
        READ: await visits(app, "/read"),
        "sessile write": await visits(app, "/write"),
        "starsessions read": await visits(theirs, "/read"),
    }


def synchronous(url: str) -> dict[str, Callable[[], Any]]:
    """Return the rows without asyncio."""
    bare = redis.Redis.from_url(url)
    store = RedisStore(url)
    store.create("sync", b"a" * 400, 86_400)

    def read() -> None:
        store.load("sync")
        store.renew("sync", 86_400)

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/seed":
            environ["sessile.session"].update(DATA)
        environ["sessile.session"].get("user_id")
        start_response("200 OK", [])
        return [b"ok"]

    sent: dict[str, Any] = {}
    wrapped = WsgiMiddleware(app, Sessions(secret=SECRET, store=url))

    def request(path: str, cookie: str = "") -> None:
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "wsgi.url_scheme": "http", "HTTP_COOKIE": cookie}
        list(wrapped(environ, lambda status, headers, *rest: sent.update(headers)))

    request("/seed")
    cookie = sent["Set-Cookie"].split(";")[0]
    return {BARE: lambda: bare.get("bench"), "store read": read, READ: lambda: request("/read", cookie)}


async def load(work: Work, tasks: int, seconds: float) -> tuple[int, float]:
    """Return how often ``work`` was done, and the seconds of CPU that it took."""
    until = time.perf_counter() + seconds
    done = 0

    async def worker() -> None:
        nonlocal done
        while time.perf_counter() < until:
            for _ in range(5):
                await work()
                done += 1

    began = time.process_time()
    await asyncio.gather(*(worker() for _ in range(tasks)))
    return done, time.process_time() - began


def server_seconds(admin: Any) -> float:
    found = admin.info("cpu")
    return float(found["used_cpu_user_main_thread"] + found["used_cpu_sys_main_thread"])


async def measure(url: str, admin: Any, rounds: int, seconds: float) -> list[str]:
    """Print the tables, and return what was missed."""
    rows = await works(url)
    ours: dict[tuple[str, int], list[float]] = {}
    servers: dict[tuple[str, int], list[float]] = {}
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        for tasks in TASKS:
            for name, work in rows.items():
                before = server_seconds(admin)
                done, cpu = await load(work, tasks, seconds)
                ours.setdefault((name, tasks), []).append(cpu / done * 1e6)
                servers.setdefault((name, tasks), []).append((server_seconds(admin) - before) / done * 1e6)
    ratios = {(name, tasks): min(found) / min(ours[BARE, tasks]) for (name, tasks), found in ours.items()}
    print(f"{'us of CPU: here / server (ratio)':34}" + "".join(f"{tasks:>26} at once" for tasks in TASKS))
    for name in rows:
        cells = [
            f"{min(ours[name, n]):8.1f} /{min(servers[name, n]):6.1f} ({ratios[name, n]:.2f})".rjust(34) for n in TASKS
        ]
        print(f"{name:34}" + "".join(cells))
    missed = [
        f"{name}, {tasks} at once: {ratios[name, tasks]:.2f} of {BARE}, and not {most}"
        for (name, tasks), most in TARGETS.items()
        if ratios[name, tasks] > most
    ]
    if min(servers[READ, 16]) > SERVER_TARGET:
        missed.append(f"{READ}, 16 at once: {min(servers[READ, 16]):.1f} us of the server, and not {SERVER_TARGET}")
    return missed


def measure_synchronous(url: str, rounds: int, calls: int = 2000) -> list[str]:
    """Print the table of synchronous code, and return what was missed."""
    rows = synchronous(url)
    found: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(rounds):
        for name, work in rows.items():
            began = time.process_time()
            for _ in range(calls):
                work()
            found[name].append((time.process_time() - began) / calls * 1e6)
    print("\nwithout asyncio, us of CPU (ratio)")
    for name, each in found.items():
        print(f"{name:34}{min(each):8.1f} ({min(each) / min(found[BARE]):.2f})")
    least = min(found[READ])
    return [f"{READ} without asyncio: {least:.1f} us, and not {SYNC_TARGET}"] if least > SYNC_TARGET else []


def main() -> int:
    """Measure, and return 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="how long a row is measured in each round")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with started() as server, redis.Redis(port=server.port) as admin:
        url = f"redis://127.0.0.1:{server.port}/0"
        missed = measure_synchronous(url, arguments.rounds)
        missed += asyncio.run(measure(url, admin, arguments.rounds, arguments.seconds))
    for line in missed:
        print("missed:", line)
    sys.stdout.flush()
    return 1 if missed else 0


if __name__ == "__main__":
    # redis-py's clients of the rows are not closed one by one.
    os._exit(main())
