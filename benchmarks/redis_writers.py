"""Many requests that change one session at the same moment, over Redis: how many fail, and how long they take.

    python benchmarks/redis_writers.py [--processes 4] [--writers 64] [--rounds 3]

Each process serves so many requests at once through our middleware, and each request writes a key of its own. All of
them must be in the session afterwards. Ends with 1 if one fails or is lost, or if the slowest hundredth takes longer
than a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from tests.conftest import SECRET
from tests.stores.redis_servers import started

from sessile import Sessions
from sessile.asgi import SessionMiddleware

#: At most so many seconds for all but one in a hundred.
TARGET = 1.0


async def page(scope: Any, receive: Any, send: Any) -> None:
    """Write the key that the path names."""
    scope["session"][scope["path"]] = time.time()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def request(app: Any, path: str, cookie: str) -> tuple[int, float, str]:
    """Return the status, the seconds that it took, and the cookie."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"cookie", cookie.encode())] if cookie else []
    began = time.perf_counter()
    await app({"type": "http", "method": "GET", "path": path, "headers": headers, "scheme": "http"}, None, send)
    took = time.perf_counter() - began
    lines = [value.decode() for name, value in sent[0]["headers"] if name.lower() == b"set-cookie"]
    return sent[0]["status"], took, lines[0].split(";")[0] if lines else cookie


async def work(url: str, cookie: str, name: str, writers: int, begin: float) -> list[tuple[int, float]]:
    """Be one process. Return the status of each request, and the seconds that it took."""
    sessions = Sessions(secret=SECRET, store=url)
    app = SessionMiddleware(page, sessions)
    await sessions.store.asynchronous().load("a connection")
    await asyncio.sleep(max(begin - time.time(), 0))
    found = await asyncio.gather(*(request(app, f"/{name}.{number}", cookie) for number in range(writers)))
    return [(status, took) for status, took, _ in found]


async def round_of(url: str, processes: int, writers: int) -> tuple[int, int, list[float]]:
    """Return how many requests failed, how many writes were lost, and what each took."""
    store = Sessions(secret=SECRET, store=url)
    _, _, cookie = await request(SessionMiddleware(page, store), "/first", "")
    begin = time.time() + 3
    running = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, __file__, "--work", url, cookie, f"p{number}", str(writers), str(begin)),
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[1],
        )
        for number in range(processes)
    ]
    outputs = [await process.communicate() for process in running]
    found = [item for output, _ in outputs for item in json.loads(output)]
    failed = sum(status != 200 for status, _ in found)
    records = [record async for _, record in store.store.asynchronous().all()]
    written = max(record.payload.count(b'"/p') for record in records)
    await store.store.asynchronous().clear()
    await store.store.asynchronous().close()
    return failed, processes * writers - failed - written, [took for _, took in found]


def main() -> int:
    """Measure, and return 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--writers", type=int, default=64, help="in each process")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    if arguments.work:
        url, cookie, name, writers, begin = arguments.work
        print(json.dumps(asyncio.run(work(url, cookie, name, int(writers), float(begin)))))
        return 0
    missed = False
    with started() as server:
        for _ in range(arguments.rounds):
            url = f"redis://127.0.0.1:{server.port}"
            failed, lost, took = asyncio.run(round_of(url, arguments.processes, arguments.writers))
            took.sort()
            slow = took[int(len(took) * 0.99)]
            print(
                f"{len(took)} writers of one session in {arguments.processes} processes: {failed} failed, {lost} lost, "
                f"median {took[len(took) // 2]:.3f} s, 99th {slow:.3f} s, longest {took[-1]:.3f} s"
            )
            missed = missed or bool(failed or lost) or slow > TARGET
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
