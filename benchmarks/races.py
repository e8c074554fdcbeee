"""What becomes of a logout, and of two changes, when requests of one visitor overlap: sessile and others.

    python benchmarks/races.py
    python benchmarks/races.py --only sessile starsessions --rounds 5

Each library serves a small application of its own (benchmarks/races/), in a process of its own, over HTTP, with the
settings of its documentation. Three races, each many times:

- reader x logout: a slow request that only looks at its session is in flight while the visitor logs out. "undone" if
  the cookie from before is logged in afterwards.
- writer x logout: the same, and the slow request writes a key.
- two writers: a slow request writes one key, another request the other key meanwhile. "lost" unless both are there.

Nothing depends on luck: the slow request has looked at its session when it connects to a gate here, and goes on when
the other request has been answered (races/gate.py). Before the races, the same is done one after the other; a library
that cannot end a session even then is told apart ("never ends").
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

import sessile

APPLICATIONS = Path(__file__).parent / "races"
NODE_MODULES = Path(__file__).parents[1] / "tests/node/node_modules"
#: Seconds until something that does not answer counts as failed.
PATIENCE = 10.0

Request = tuple[str, str]
LOGIN, LOGOUT, WRITE = ("POST", "/login"), ("POST", "/logout"), ("POST", "/write")
SLOW_READ, SLOW_WRITE = ("GET", "/slow-read"), ("POST", "/slow-write")


@dataclass(frozen=True)
class Peer:
    """A library with settings: a row of the table."""

    name: str
    #: What of its documentation the settings follow.
    settings: str
    #: A file of benchmarks/races/ and its arguments.
    command: str
    #: What has to be installed: the first one's version is shown.
    packages: tuple[str, ...]

    @property
    def of_node(self) -> bool:
        return self.command.startswith("express_session.js")

    @property
    def wants_redis(self) -> bool:
        return "redis" in self.packages

    @property
    def versions(self) -> dict[str, str | None]:
        """The version of each package; None if it is not installed."""
        find = node_version if self.of_node else python_version
        return {package: find(package) for package in self.packages}

    @property
    def label(self) -> str:
        """The name, with the version of the library."""
        library, _, store = self.name.partition(", ")
        return f"{library} {self.versions[self.packages[0]] or ''}".strip() + (store and f", {store}")


_FLASK = ("flask-session", "flask", "waitress")
_EXPRESS = ("express-session", "express")
_STARLETTE = ("starlette", "uvicorn")
PEERS = [
    Peer("sessile, memory", "defaults", "sessile_app.py memory://", ("sessile", *_STARLETTE)),
    Peer("sessile, SQLite", "defaults", "sessile_app.py sqlite:///{folder}/sessions.db", ("sessile", *_STARLETTE)),
    Peer("sessile, files", "defaults", "sessile_app.py file:///{folder}", ("sessile", *_STARLETTE)),
    Peer("sessile, Redis", "defaults", "sessile_app.py redis", ("sessile", *_STARLETTE, "redis")),
    Peer("express-session, MemoryStore", "`resave: false`, as advised", "express_session.js memory", _EXPRESS),
    Peer("express-session, MemoryStore", "`resave: true`, its default", "express_session.js memory resave", _EXPRESS),
    Peer(
        "express-session, connect-redis",
        "`resave: false`, as required",
        "express_session.js redis",
        (*_EXPRESS, "connect-redis", "redis"),
    ),
    Peer(
        "starsessions, memory",
        "`lifetime`, as in its README",
        "starsessions_app.py memory",
        ("starsessions", *_STARLETTE),
    ),
    Peer(
        "starsessions, Redis",
        "`lifetime`, as in its README",
        "starsessions_app.py redis",
        ("starsessions", *_STARLETTE, "redis"),
    ),
    Peer("Flask-Session, files (cachelib)", "defaults", "flask_session_app.py cachelib", (*_FLASK, "cachelib")),
    Peer("Flask-Session, Redis", "defaults", "flask_session_app.py redis", (*_FLASK, "redis")),
    Peer(
        "Flask-Session, Redis",
        "`SESSION_REFRESH_EACH_REQUEST = False`",
        "flask_session_app.py redis unrefreshed",
        (*_FLASK, "redis"),
    ),
    Peer("Django, db (SQLite)", "defaults", "django_app.py db", ("django", "waitress")),
    Peer("Django, cached_db", "defaults", "django_app.py cached_db", ("django", "waitress")),
    Peer("Django, file", "defaults", "django_app.py file", ("django", "waitress")),
    Peer("Starlette, in the cookie", "defaults", "starlette_app.py", (*_STARLETTE, "itsdangerous")),
    Peer("sessile, in the cookie", "defaults", "sessile_app.py cookie://", ("sessile", *_STARLETTE, "cryptography")),
]


class Failed(Exception):
    """A peer does not start, or does not do what the races need."""


class Site:
    """A peer that runs, and the gate at which its slow requests wait."""

    def __init__(self, port: int, gate: socket.socket, threads: ThreadPoolExecutor) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._transport = httpx.HTTPTransport()
        self._gate = gate
        self._threads = threads

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def visitor(self, cookies: httpx.Cookies | None = None) -> httpx.Client:
        """Return a browser, with a copy of the cookies of another one or with none."""
        return httpx.Client(
            base_url=self._url, transport=self._transport, cookies=cookies, timeout=PATIENCE, trust_env=False
        )

    def overlap(self, browser: httpx.Client, slow: Request, meanwhile: Request | None = None) -> int:
        """Do one request while another one has its session and waits. Return the status of the slow one."""
        answer = self._threads.submit(browser.request, *slow)
        try:
            waiting, _ = self._gate.accept()
        except TimeoutError:
            raise Failed(f"{slow[1]} answers {answer.result().status_code} before it waits") from None
        with waiting:
            if meanwhile is not None:
                browser.request(*meanwhile).raise_for_status()
        return answer.result().status_code

    def logged_in(self) -> httpx.Client:
        """Return the browser of a visitor who has logged in."""
        browser = self.visitor()
        browser.request(*LOGIN).raise_for_status()
        return browser


def data(browser: httpx.Client) -> dict[str, object]:
    """Return what the session of a browser holds."""
    return dict(browser.get("/me").raise_for_status().json())


def logout_race(site: Site, slow: Request) -> tuple[bool, int]:
    """Log out while a slow request is in flight. Return whether the logout was undone, and the slow one's status."""
    browser = site.logged_in()
    copied = site.visitor(browser.cookies)
    status = site.overlap(browser, slow, LOGOUT)
    return data(copied)["user"] is not None, status


def writers_race(site: Site) -> tuple[bool, int]:
    """Write two keys in two requests that overlap. Return whether a key was lost, and the slow one's status."""
    browser = site.logged_in()
    status = site.overlap(browser, SLOW_WRITE, WRITE)
    return not {"a", "b"} <= data(browser).keys(), status


def ends_sessions(site: Site) -> bool:
    """Do without overlap what the races do, so that nothing else can explain them. Return whether a logout works."""
    browser = site.logged_in()
    for slow in (SLOW_READ, SLOW_WRITE):
        if site.overlap(browser, slow) != 200:
            raise Failed(f"{slow[1]} does not answer 200, with nothing beside it")
    browser.request(*WRITE).raise_for_status()
    if not {"user": "zoe", "a": 1, "b": 1}.items() <= data(browser).items():
        raise Failed(f"one request after the other, and this came of it: {data(browser)}")
    copied = site.visitor(browser.cookies)
    browser.request(*LOGOUT).raise_for_status()
    return data(copied)["user"] is None


def cell(word: str, race: Callable[[], tuple[bool, int]], rounds: int) -> str:
    """Run one race many times, and return what the table says of it."""
    outcomes = [race() for _ in range(rounds)]
    spoiled = sum(bad for bad, _ in outcomes)
    refusals = sorted({str(status) for _, status in outcomes if status != 200})
    answered = f", answers {'/'.join(refusals)}" if refusals else ""
    return (f"{word} {spoiled} of {rounds}" if spoiled else "kept") + answered


def race(peer: Peer, rounds: int, redis: str) -> list[str]:
    """Run all races with one peer, and return its cells."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        gate = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        gate.settimeout(PATIENCE)
        port = stack.enter_context(running(peer, folder, {"GATE": str(gate.getsockname()[1]), "REDIS": redis}))
        threads = stack.enter_context(ThreadPoolExecutor(1))
        site = stack.enter_context(closing(Site(port, gate, threads)))
        if ends_sessions(site):
            logouts = [cell("undone", partial(logout_race, site, slow), rounds) for slow in (SLOW_READ, SLOW_WRITE)]
        else:
            logouts = ["never ends", "never ends"]
        return [*logouts, cell("lost", partial(writers_race, site), rounds)]


@contextmanager
def running(peer: Peer, folder: str, environment: dict[str, str]) -> Iterator[int]:
    """Run the application of ``peer`` as long as the block does, and give its port."""
    script, *arguments = peer.command.format(folder=folder).split()
    command = ["node" if peer.of_node else sys.executable, str(APPLICATIONS / script), *arguments]
    environment = {**os.environ, **environment, "FOLDER": folder}
    with (
        tempfile.TemporaryFile("w+") as told,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=told, text=True, env=environment) as process,
    ):
        try:
            assert process.stdout is not None
            watchdog = threading.Timer(PATIENCE, process.kill)
            watchdog.start()
            port = process.stdout.readline().strip()
            watchdog.cancel()
            if not port.isdigit():
                process.wait(PATIENCE)
                told.seek(0)
                raise Failed(f"does not start: {reason(told.read())}")
            yield int(port)
        finally:
            process.kill()  # It has nothing to lose.


def reason(told: str) -> str:
    """Return the line of a traceback that says what went wrong."""
    lines = [line.strip() for line in told.splitlines() if "Error" in line]
    return lines[-1] if lines else "it does not say why"


@contextmanager
def redis_server() -> Iterator[str]:
    """Run a Redis of our own, at a socket in a temporary folder, and give the path of the socket."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/redis.sock"
        command = ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                deadline = time.monotonic() + PATIENCE
                while not os.path.exists(path):
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise SystemExit("redis-server does not start")
                    time.sleep(0.01)
                yield path
            finally:
                process.terminate()


def python_version(package: str) -> str | None:
    """Return the version of a Python package, or None if it is not installed."""
    if package == "sessile":
        return sessile.__version__
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def node_version(package: str) -> str | None:
    """Return the version of a package of Node, or None if it is not installed."""
    try:
        return str(json.loads((NODE_MODULES / package / "package.json").read_text("utf-8"))["version"])
    except FileNotFoundError:
        return None


def output_of(*command: str) -> str:
    """Return what a program prints; nothing if there is no such program."""
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def versions(peers: list[Peer]) -> str:
    """Return the versions of all that takes part and is installed."""
    lines = []
    for of_node, language in (
        (False, f"Python {platform.python_version()}"),
        (True, f"Node {output_of('node', '--version')[1:]}"),
    ):
        taking_part = [peer for peer in peers if peer.of_node is of_node]
        found = {package: version for peer in taking_part for package, version in peer.versions.items() if version}
        if found:
            lines.append(", ".join([language, *(f"{package} {found[package]}" for package in sorted(found))]))
    if any(peer.wants_redis for peer in peers):
        lines.append("Redis " + output_of("redis-server", "--version").partition("v=")[2].partition(" ")[0])
    return "\n".join(lines)


def remedy(peer: Peer) -> str | None:
    """Return what to install so that ``peer`` can be run, or None."""
    if peer.of_node and not shutil.which("node"):
        return "there is no Node. apt-get install nodejs npm"
    missing = ", ".join(package for package, version in peer.versions.items() if version is None)
    if missing:
        return f"not installed: {missing}. " + ("sh tests/install.sh" if peer.of_node else "pip install --group bench")
    if peer.wants_redis and not shutil.which("redis-server"):
        return "there is no Redis. apt-get install redis-server"
    return None


def main() -> None:
    """Run the races, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="how often each race is run (default: 20)")
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="NAME", help="the rows with one of these in the name"
    )
    given = parser.parse_args()
    chosen = [peer for peer in PEERS if any(name.lower() in peer.name.lower() for name in given.only)]
    if given.rounds < 1 or not chosen:
        parser.error("--rounds is at least 1; --only is a part of: " + "; ".join({peer.name: None for peer in PEERS}))

    left_out = {peer.name: problem for peer in chosen if (problem := remedy(peer))}
    peers = [peer for peer in chosen if peer.name not in left_out]
    if peers:
        print(versions(peers), f"{given.rounds} rounds of each race\n", sep="\n")
        print_table(peers, given.rounds)
    for name, problem in left_out.items():
        print(f"\nLeft out: {name}: {problem}")


def print_table(peers: list[Peer], rounds: int) -> None:
    """Run the races, and print a row for each peer as soon as it is known."""
    widths = [max(len(peer.label) for peer in peers), max(len(peer.settings) for peer in peers), 15, 17, 13]

    def row(*cells: str) -> None:
        print(
            "| " + " | ".join(f"{text:{width}}" for text, width in zip(cells, widths, strict=True)) + " |", flush=True
        )

    row("library, store", "settings", "reader x logout", "writer x logout", "two writers")
    row(*("-" * width for width in widths))
    with redis_server() if any(peer.wants_redis for peer in peers) else nullcontext("") as redis:
        for peer in peers:
            try:
                cells = race(peer, rounds, redis)
            except (Failed, httpx.HTTPError, subprocess.TimeoutExpired) as error:
                cells = [f"failed: {error}", "", ""]
            row(peer.label, peer.settings, *cells)


if __name__ == "__main__":
    main()
