"""A process that stands still and goes on: AWS Lambda between two requests, a suspended container, SIGSTOP.

It has not run, so its deadlines are not over: the replies lie in the sockets, and visitors get their pages.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores.memcached import memcached
from tests.stores.mongo_server import mongo_server

ROOT = Path(__file__).parents[2]

#: How long a call may take, and how long the process stands still, in seconds.
DEADLINE, STANDSTILL = 1.0, 2.0

PROGRAM = """
import asyncio, sys, threading, time
from sessile.stores import from_url

colour, url = sys.argv[1:]
store = from_url(url, time.time)
store.create("a", b"{}", 600)
until = time.monotonic() + 5
calls = []

def visit():
    while time.monotonic() < until:
        assert store.load("a").payload == b"{}"
        calls.append(None)

async def visit_under_asyncio(store):
    while time.monotonic() < until:
        assert (await store.load("a")).payload == b"{}"
        calls.append(None)

async def visits():
    under_asyncio = store.asynchronous()
    await asyncio.gather(*(visit_under_asyncio(under_asyncio) for _ in range(4)))
    await under_asyncio.close()

failed = []
threading.excepthook = lambda arguments: failed.append(repr(arguments.exc_value))
print("ready", flush=True)
if colour == "asyncio":
    asyncio.run(visits())
else:
    threads = [threading.Thread(target=visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
store.close()
print(len(calls), *failed)
sys.exit(bool(failed))
"""


@pytest.fixture(params=["memcached", "mongodb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store."""
    if request.param == "memcached":
        with memcached(tmp_path) as cache:
            yield f"memcached://127.0.0.1:{cache.port}?timeout={DEADLINE}"
    else:
        with mongo_server(tmp_path) as server:
            yield server.url("test", f"&timeout={DEADLINE}")


@pytest.mark.parametrize("colour", ["sync", "asyncio"])
def test_a_process_that_was_frozen_serves_on(url: str, colour: str) -> None:
    """Twice, amid its calls, for longer than a call may take."""
    command = [sys.executable, "-c", PROGRAM, colour, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(2):
            time.sleep(0.2)
            process.send_signal(signal.SIGSTOP)
            time.sleep(STANDSTILL)
            process.send_signal(signal.SIGCONT)
        said = process.stdout.read()
        assert process.wait(60) == 0, said
    assert int(said.split()[0]) > 10
