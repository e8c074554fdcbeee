"""Servers that fork: whatever the program did before, each visitor sees their own session.

A connection that two processes read from gives each of them what the other has asked for. The application here asks its
store while it is imported, so that there is an open connection when the workers begin. A new store is one line of STORES.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from sessile import Sessions
from sessile.wsgi import SessionMiddleware
from tests.conftest import SECRET
from tests.servers.conftest import answers
from tests.stores.databases import Mariadb, Postgres, free_port
from tests.waiting import wait_for

VISITORS = 6
VISITS = 20
#: How often a server is started: whether two workers read at the same moment is chance.
ROUNDS = 2

APPLICATION = """
import os
from sessile import Sessions
from sessile.wsgi import SessionMiddleware

sessions = Sessions(secret=os.environ["SECRET"], store=os.environ["STORE"])
sessions.open("the-id-of-a-check-at-the-start")


def app(environ, start_response):
    session = environ["sessile.session"]
    if environ["PATH_INFO"] == "/write":
        session["writes"] = session.get("writes", 0) + 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{session.get('user')} {session.get('writes', 0)}".encode()]


application = SessionMiddleware(app, sessions)
"""


class Distant:
    """A server two milliseconds away, so that requests overlap."""

    def __init__(self, port: int) -> None:
        self._there = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._there))
            except OSError:
                return
            for one, other, delay in ((near, far, 0.0), (far, near, 0.002)):
                threading.Thread(target=self._pump, args=(one, other, delay), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket, delay: float) -> None:
        try:
            while data := one.recv(65536):
                time.sleep(delay)
                other.sendall(data)
        except OSError:
            pass
        for each in (one, other):
            each.close()

    def close(self) -> None:
        self._listener.close()


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    with closing(Postgres()) as server, closing(Distant(server.port)) as distant:
        yield server.url(distant.port)


@contextmanager
def mysql(folder: Path) -> Iterator[str]:
    with closing(Mariadb()) as server, closing(Distant(server.port)) as distant:
        yield server.url(distant.port)


@contextmanager
def sqlite(folder: Path) -> Iterator[str]:
    yield f"sqlite:///{folder}/sessions.db"


@contextmanager
def files(folder: Path) -> Iterator[str]:
    yield f"file:///{folder}/sessions"


#: What makes the URL of a store, for as long as it is needed, in a folder of its own.
STORES: dict[str, Callable[[Path], contextmanager[str]]] = {  # type: ignore[type-arg]
    "postgresql": postgresql,
    "mysql": mysql,
    "sqlite": sqlite,
    "file": files,
}


@pytest.fixture(scope="module", params=STORES)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ExitStack() as stack:
        yield stack.enter_context(STORES[request.param](tmp_path_factory.mktemp(request.param)))


def uwsgi(port: int, folder: Path) -> list[str]:
    # Without --lazy-apps: it imports the application, and forks afterwards, in C.
    program = str(Path(sys.prefix, "bin", "uwsgi"))
    options = ["--http-socket", f"127.0.0.1:{port}", "--master", "--processes", "4", "--need-app", "--die-on-term"]
    return [program, *options, "--module", "application", "--virtualenv", sys.prefix, "--chdir", str(folder)]


def gunicorn(*options: str) -> Callable[[int, Path], list[str]]:
    def command(port: int, folder: Path) -> list[str]:
        program = [sys.executable, "-m", "gunicorn", "--preload", "--chdir", str(folder)]
        return [*program, "-b", f"127.0.0.1:{port}", *options, "application:application"]

    return command


# gunicorn has no worker for eventlet any more, so this is what one did: two forks of what was imported, each patched.
EVENTLET = """
import os, socket, sys
from application import application

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
os.fork()
print("serves", file=sys.stderr, flush=True)
os.environ["EVENTLET_NO_GREENDNS"] = "yes"  # Its resolver imports trio where that is installed, which cannot be patched.
import eventlet

eventlet.monkey_patch()
import eventlet.greenio
import eventlet.wsgi

eventlet.wsgi.server(eventlet.greenio.GreenSocket(listener), application, log_output=False)
"""


def eventlet(port: int, folder: Path) -> list[str]:
    (folder / "serve.py").write_text(EVENTLET)
    return [sys.executable, str(folder / "serve.py"), str(port)]


#: The command, and what its log says how often when all workers are there.
SERVERS = {
    "uwsgi": (uwsgi, "spawned uWSGI worker", 4),
    "uwsgi with threads": (
        lambda port, folder: [*uwsgi(port, folder), "--enable-threads", "--threads", "4"],
        "spawned uWSGI worker",
        4,
    ),
    "gunicorn sync": (gunicorn("-w", "4"), "Booting worker", 4),
    "gunicorn gthread": (gunicorn("-k", "gthread", "-w", "2", "--threads", "4"), "Booting worker", 2),
    "gunicorn gevent": (gunicorn("-k", "gevent", "-w", "2"), "Booting worker", 2),
    "eventlet": (eventlet, "serves", 2),
}


def visit(port: int, path: str, cookie: str) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Cookie": cookie})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return str(response.read().decode())
    except urllib.error.HTTPError as error:
        return str(error.code)


def users(url: str) -> list[str]:
    """Begin a session for each visitor. Return their cookies."""
    cookies: list[str] = []
    sessions = Sessions(secret=SECRET, store=url)

    def log_in(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ["sessile.session"]["user"] = f"user{len(cookies)}"
        start_response("200 OK", [])
        return [b""]

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        cookies.append(dict(headers)["Set-Cookie"].split(";")[0])

    site = SessionMiddleware(log_in, sessions)
    for _ in range(VISITORS):
        environ: dict[str, Any] = {}
        setup_testing_defaults(environ)
        b"".join(site(environ, start_response))
    sessions.close()
    return cookies


@pytest.mark.parametrize("name", SERVERS)
def test_each_visitor_sees_their_own_session(store: str, name: str, tmp_path: Path) -> None:
    """And no visit is lost, none is a 503."""
    command, sign, workers = SERVERS[name]
    (tmp_path / "application.py").write_text(APPLICATION)
    environment = {**os.environ, "STORE": store, "SECRET": SECRET, "PYTHONWARNINGS": "ignore"}
    log = tmp_path / "log"
    for _ in range(ROUNDS):
        cookies = users(store)
        port = free_port()
        log.write_bytes(b"")
        with (
            log.open("ab") as file,
            subprocess.Popen(
                command(port, tmp_path), env=environment, stdout=file, stderr=file, start_new_session=True
            ) as process,
        ):
            try:
                wait_for(
                    lambda: log.read_text().count(sign) == workers or process.poll() is not None,
                    "the server does not start",
                )
                wait_for(lambda: answers(port) or process.poll() is not None, "the server does not start")  # noqa: B023
                found = all_at_once([partial(come_again, port, cookie) for cookie in cookies])
            finally:
                end(process)
        expected = [[f"user{number} {writes}" for writes in (*([0] * VISITS), 1, 2, 3)] for number in range(VISITORS)]
        assert found == expected, log.read_text()[-3000:]


def end(server: subprocess.Popen[bytes]) -> None:
    """End a server and its workers. A worker that has only just been forked may miss the first signal."""
    for ends in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        os.killpg(server.pid, ends)
        with suppress(subprocess.TimeoutExpired):
            server.wait(5)
            return
    server.wait(30)


def come_again(port: int, cookie: str) -> list[str]:
    paths = ["/"] * VISITS + ["/write"] * 3
    return [visit(port, path, cookie) for path in paths]


def all_at_once(calls: list[Callable[[], list[str]]]) -> list[list[str]]:
    barrier = threading.Barrier(len(calls))

    def wait_and_call(call: Callable[[], list[str]]) -> list[str]:
        barrier.wait(30)
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(wait_and_call, calls))


PROCESSES = """
import multiprocessing, sys

from sessile.stores import from_url
import time

store = from_url(sys.argv[1], time.time)


def read(sid):
    return {store.load(sid).payload for _ in range(50)} == {b'"%s"' % sid.encode()}


if __name__ == "__main__":
    sids = [f"sid{number}" for number in range(8)]
    for sid in sids:
        store.create(sid, b'"%s"' % sid.encode(), 600)
    with multiprocessing.get_context(sys.argv[2]).Pool(4) as pool:
        answers = pool.map_async(read, sids, chunksize=1)
        assert all(read(sid) for sid in sids)
        assert all(answers.get(60))
    for sid in sids:
        store.delete(sid)
"""


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_processes_of_multiprocessing(store: str, method: str, tmp_path: Path) -> None:
    """Parent and children read at the same time, and each gets what it has asked for."""
    (tmp_path / "processes.py").write_text(PROCESSES)
    subprocess.run([sys.executable, str(tmp_path / "processes.py"), store, method], check=True, timeout=120)
