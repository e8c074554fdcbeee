"""Workers that were forked after the store was asked: a visitor sees their own session, whoever forked, and how.

The connections of the parent lie open in every worker. If two workers use one, each may read the other's reply.
"""

from __future__ import annotations

import http.client
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sessile import Sessions
from tests.conftest import SECRET
from tests.servers import forked_children
from tests.stores.dynamodb import moto
from tests.stores.memcached import memcached
from tests.stores.mongo_server import mongo_server
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

WORKERS = 3
VISITORS = 6
VISITS = 25

SITE = "tests.servers.forked_site:application"
GUNICORN = [str(BIN / "gunicorn"), "--preload", "--workers", str(WORKERS), "--log-level", "error", "--bind"]
UWSGI = [
    str(BIN / "uwsgi"),
    "--master",
    "--processes",
    str(WORKERS),
    "--need-app",
    "--die-on-term",
    "--disable-logging",
]
UWSGI += ["--enable-threads", "--virtualenv", sys.prefix, "--pythonpath", str(ROOT), "--module", SITE, "--http-socket"]
EVENTLET = [sys.executable, "-m", "tests.servers.eventlet_workers", str(WORKERS)]

#: What comes before the address, and what behind.
SERVERS: dict[str, tuple[list[str], list[str]]] = {
    "uwsgi": (UWSGI, []),
    "uwsgi-threads": (UWSGI, ["--threads", "4"]),
    "gunicorn-sync": (GUNICORN, ["-k", "sync", SITE]),
    "gunicorn-gthread": (GUNICORN, ["-k", "gthread", "--threads", "4", SITE]),
    "gunicorn-gevent": (GUNICORN, ["-k", "gevent", SITE]),
    "eventlet": (EVENTLET, []),
}

#: PyMongo and boto3 keep locks that only a patch before their import makes greenlets' own; the others need none.
PATCHED_FIRST = {("gunicorn-gevent", "mongodb"), ("gunicorn-gevent", "dynamodb"), ("eventlet", "mongodb")}
PATCHED_FIRST |= {("eventlet", "dynamodb")}


@pytest.fixture(scope="module", params=["memcached", "mongodb", "dynamodb"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a store."""
    folder = tmp_path_factory.mktemp("forks")
    if request.param == "memcached":
        with memcached(folder) as cache:
            yield f"memcached://127.0.0.1:{cache.port}?timeout=20"
    elif request.param == "mongodb":
        with mongo_server(folder) as server:
            yield server.url("forks", "&timeout=20")
    else:
        with moto() as process:
            options = f"endpoint={process.endpoint}&region=us-east-1&create_table=true&timeout=20"
            yield f"dynamodb://forks?{options}"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """What boto3 does not do without."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "tests")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@contextmanager
def serving(name: str, store: str) -> Iterator[int]:
    """Run a server of the site, and yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    before, behind = SERVERS[name]
    command = [*before, f"127.0.0.1:{port}", *behind]
    environment = {**os.environ, "SITE_STORE": store, "SITE_SECRET": SECRET, "PYTHONPATH": str(ROOT)}
    # eventlet's own look-up of names imports what it cannot patch.
    environment |= {"PYTHONWARNINGS": "ignore", "EVENTLET_NO_GREENDNS": "yes"}
    if (name, store.partition(":")[0]) in PATCHED_FIRST:
        environment["SITE_PATCHES"] = name.removeprefix("gunicorn-")
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        try:
            wait_for(lambda: _listens(port) or process.poll() is not None)
            assert process.poll() is None, f"{name} has ended"
            yield port
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


class Visitor:
    """A browser of somebody. ``workers`` are those that have answered anybody."""

    def __init__(self, port: int, name: str, workers: set[str]) -> None:
        self._port = port
        self.name = name
        self._cookie = ""
        self.visits = 0
        #: What they were told: their name, or anything else.
        self.told: Counter[str] = Counter()
        self.workers = workers
        self.parents: set[str] = set()

    def go(self) -> None:
        """Begin a session, and visit again and again, until several workers have answered."""
        self.visit(f"/begin/{self.name}")
        while self.visits < VISITS or (len(self.workers) < 2 and self.visits < 40 * VISITS):
            self.visit("/")

    def visit(self, path: str) -> None:
        self.visits += 1
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection.request("GET", path, headers={"Cookie": self._cookie} if self._cookie else {})
        response = connection.getresponse()
        self._cookie = (response.getheader("Set-Cookie") or self._cookie).partition(";")[0]
        words = response.read().decode("utf-8", "replace").split(" ")
        connection.close()
        self.told[words[0] if response.status == 200 else str(response.status)] += 1
        if response.status == 200:
            self.workers.add(words[1])
            self.parents.add(words[2])


@pytest.mark.parametrize("server", SERVERS)
def test_workers_never_share_a_connection(store: str, server: str) -> None:
    """Each visitor is told their own name each time, by several workers, none of which had opened the connections."""
    with serving(server, store) as port:
        workers: set[str] = set()
        visitors = [Visitor(port, f"visitor{number}", workers) for number in range(VISITORS)]
        threads = [threading.Thread(target=visitor.go) for visitor in visitors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {each.name: dict(each.told) for each in visitors} == {
        each.name: {each.name: each.visits} for each in visitors
    }
    assert not workers & set().union(*(each.parents for each in visitors))
    assert len(workers) > 1, "one worker did it all: this proves nothing"


CHILDREN: dict[str, Callable[..., None]] = {
    "sync": forked_children.visit,
    "asyncio": forked_children.visit_under_asyncio,
}


@pytest.mark.parametrize("colour", CHILDREN)
@pytest.mark.parametrize("method", ["fork", "forkserver"])
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_children_of_multiprocessing_never_share_one(store: str, method: str, colour: str) -> None:
    """Whether Python forks this process, with its connections, or a server that has none."""
    sessions = Sessions(secret=SECRET, store=store)
    names = [f"child{number}" for number in range(4)]
    for name in names:
        sessions.store.delete(name)
        assert sessions.store.create(name, name.encode(), 600)
    context: Any = multiprocessing.get_context(method)
    # A fork gets the store itself; what begins anew makes its own.
    given = sessions.store if method == "fork" else store
    children = [context.Process(target=CHILDREN[colour], args=(given, name)) for name in names]
    for child in children:
        child.start()
    for _ in range(50):
        for name in names:
            assert sessions.store.load(name).payload == name.encode()
    for child in children:
        child.join(120)
        assert child.exitcode == 0
    sessions.close()
