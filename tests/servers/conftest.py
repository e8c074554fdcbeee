# One process serves everything: an application by uvicorn at four doors (http, https, a unix socket, and http with
# uvicorn's own handling of proxies), and nginx in front of them. They start once. A test opens a site of its own, with
# the options that it is about, and visits it by any door.
"""Real servers on loopback, and curl."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvicorn
from playwright.sync_api import Browser, BrowserContext

from sessile import CookieOptions, Sessions
from sessile.asgi import SessionMiddleware
from sessile.events import Event
from tests.conftest import SECRET
from tests.waiting import wait_for

#: The host of the site. Not localhost, to which curl and browsers send secure cookies by http as well.
HOST = "shop.test"

#: Pages of other sites, which embed it.
OTHERS = ("blog.test", "news.test")

HERE = Path(__file__).parent
DOCUMENTED = HERE.parents[1] / "docs/how-to/proxy.md"


async def visits(scope: Any, receive: Any, send: Any) -> None:
    """Count the visits of a browser, and say how many there were. ``?embed=URL`` shows a page with a frame instead."""
    query = scope["query_string"].decode()
    if query.startswith("embed="):
        body = f'<!doctype html><iframe src="{query.removeprefix("embed=")}"></iframe>'
    else:
        scope["session"]["visits"] = scope["session"].get("visits", 0) + 1
        body = str(scope["session"]["visits"])
    if scope["type"] == "websocket":
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": body})
        await send({"type": "websocket.close"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": body.encode()})


@dataclass
class Servers:
    """What runs: the doors by which one can come, and the sites behind each of them."""

    #: The certificate that signed all others, for clients.
    authority: Path
    #: The hash of the server's key, by which Chromium is told to accept its certificate.
    key_hash: str
    #: Where each door is: ``http`` and ``https`` of uvicorn, ``nginx http`` and ``nginx https``, ``documented``.
    doors: dict[str, str] = field(default_factory=dict)
    sites: dict[str, Any] = field(default_factory=dict)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand a request to the site that its path begins with (ASGI)."""
        await self.sites[scope["path"].split("/")[1]](scope, receive, send)


@dataclass
class Site:
    """A site with options of its own."""

    name: str
    sessions: Sessions
    servers: Servers
    told: list[Event]

    def url(self, door: str, location: str = "", host: str = HOST) -> str:
        """Return its address by a door, and through a location of nginx."""
        return self.servers.doors[door].replace(HOST, host) + location + "/" + self.name

    @property
    def records(self) -> int:
        """The number of sessions that are stored."""
        return sum(1 for _ in self.sessions.store.all())

    @property
    def events(self) -> list[str]:
        """The names of what happened, but for creating and saving."""
        return [event.name for event in self.told if event.name not in ("created", "saved")]


@dataclass
class Answer:
    """What curl got."""

    #: "HTTP/1.1" or "HTTP/2".
    version: str
    status: int
    headers: list[tuple[str, str]]
    text: str

    @property
    def cookie(self) -> str | None:
        """The Set-Cookie line, or None."""
        lines = [value for name, value in self.headers if name.lower() == "set-cookie"]
        assert len(lines) <= 1
        return lines[0] if lines else None

    @property
    def attributes(self) -> set[str]:
        """The attributes of the cookie that are about where it may go."""
        assert self.cookie is not None
        wanted = ("Secure", "SameSite=None", "SameSite=Lax", "Partitioned", "HttpOnly")
        return {attribute for attribute in self.cookie.split("; ") if attribute in wanted}


class Curl:
    """Somebody who uses curl, with a cookie jar."""

    def __init__(self, jar: Path, authority: Path) -> None:
        self.jar = jar
        self.authority = authority

    def get(self, url: str, *more: str) -> Answer:
        """Fetch a page, with any more arguments of curl. Every host is at 127.0.0.1."""
        command = ["curl", "-q", "-sS", "-i", "--noproxy", "*", "--max-time", "20", "--connect-to", "::127.0.0.1:"]
        command += ["--cacert", str(self.authority), "-c", str(self.jar), "-b", str(self.jar), *more, url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        head, _, text = done.stdout.replace("\r\n", "\n").partition("\n\n")
        status, *lines = head.splitlines()
        version, number = status.split(" ")[:2]
        headers = [(line.partition(":")[0], line.partition(":")[2].strip()) for line in lines]
        return Answer(version, int(number), headers, text)

    @property
    def kept(self) -> int:
        """The number of cookies that curl has kept."""
        lines = self.jar.read_text("utf-8").splitlines()
        return sum("\t" in line for line in lines)


def answers(port: int) -> bool:
    """Tell whether somebody listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def bound(shared: bool = False) -> socket.socket:
    """Return a socket with a free port of its own, or one that another process may listen on meanwhile."""
    holder = socket.socket()
    if shared:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holder.bind(("127.0.0.1", 0))
    return holder


@contextmanager
def serving(app: Any, doors: list[tuple[socket.socket, dict[str, Any]]]) -> Iterator[None]:
    """Serve ``app`` by uvicorn in a thread, at each of the sockets, with the settings given for it."""
    common: dict[str, Any] = {"lifespan": "off", "log_config": None, "access_log": False}
    servers = [(uvicorn.Server(uvicorn.Config(app, **common, **settings)), door) for door, settings in doors]

    async def serve() -> None:
        await asyncio.gather(*(server.serve(sockets=[door]) for server, door in servers))

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        wait_for(lambda: all(server.started for server, _ in servers), "uvicorn does not start")
        yield
    finally:
        for server, _ in servers:
            server.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive()


@contextmanager
def proxying(folder: Path, values: dict[str, Any], ports: list[int]) -> Iterator[None]:
    """Run nginx in a folder of its own, with the configuration beside this file."""
    text = (HERE / "nginx.conf").read_text("utf-8")
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    (folder / "nginx.conf").write_text(text, "utf-8")
    program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    assert program is not None, "the tests need nginx: sh tests/install.sh"
    log = folder / "error.log"
    with subprocess.Popen([program, "-p", folder, "-e", log, "-c", folder / "nginx.conf"]) as process:
        try:
            wait_for(lambda: process.poll() is not None or all(answers(port) for port in ports), "nginx does not start")
            assert process.poll() is None, log.read_text("utf-8")
            yield
        finally:
            process.terminate()


def documented(port: int, application: int, certificate: Path) -> str:
    """Return the nginx of the documentation, with the ports and files of the tests."""
    found = re.search(r"```nginx\n(.*?)```", DOCUMENTED.read_text("utf-8"), re.DOTALL)
    assert found is not None
    text = found[1]
    for there, here in (
        ("listen 443 ssl http2", f"listen 127.0.0.1:{port} ssl http2 reuseport"),
        ("127.0.0.1:8000", f"127.0.0.1:{application}"),
        ("/etc/ssl/shop.example.pem", str(certificate)),
        ("/etc/ssl/shop.example.key", str(certificate)),
    ):
        assert there in text, there
        text = text.replace(there, here)
    return text


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Start uvicorn and nginx."""
    folder = tmp_path_factory.mktemp("servers")
    authority = trustme.CA()
    issued = authority.issue_cert(HOST, *OTHERS, "localhost", "127.0.0.1")
    certificate = folder / "server.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(str(certificate))
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    running = Servers(folder / "authority.pem", key_hash(issued.cert_chain_pems[0].bytes()))

    with ExitStack() as stack:
        http, https, believer = (stack.enter_context(bound()) for _ in range(3))
        unix = stack.enter_context(socket.socket(socket.AF_UNIX))
        unix.bind(str(folder / "app.sock"))
        held = [stack.enter_context(bound(shared=True)) for _ in range(4)]
        port = {holder: holder.getsockname()[1] for holder in (http, https, believer, *held)}
        tls = {"ssl_certfile": certificate, "ssl_keyfile": certificate}
        stack.enter_context(
            serving(
                running,
                [
                    (http, {"proxy_headers": False}),
                    (https, {"proxy_headers": False, **tls}),
                    (unix, {"proxy_headers": False}),
                    (believer, {"proxy_headers": True, "forwarded_allow_ips": "127.0.0.1"}),
                ],
            )
        )
        outside, outside_tls, inner, shown = (port[holder] for holder in held)
        values = {
            "documented": documented(shown, port[http], certificate),
            "folder": folder,
            "certificate": certificate,
            "socket": folder / "app.sock",
            "application": port[http],
            "believer": port[believer],
            "http": outside,
            "https": outside_tls,
            "inner": inner,
        }
        stack.enter_context(proxying(folder, values, [outside, outside_tls, inner, shown]))
        running.doors = {
            "http": f"http://{HOST}:{port[http]}",
            "https": f"https://{HOST}:{port[https]}",
            "nginx http": f"http://{HOST}:{outside}",
            "nginx https": f"https://{HOST}:{outside_tls}",
            "documented": f"https://{HOST}:{shown}",
        }
        yield running


def key_hash(certificate: bytes) -> str:
    """Return the hash of a certificate's public key, as ``--ignore-certificate-errors-spki-list`` wants it."""
    import base64
    import hashlib

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509 import load_pem_x509_certificate

    key = load_pem_x509_certificate(certificate).public_key()
    return base64.b64encode(
        hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    ).decode()


_numbers = itertools.count(1)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Somebody who has not been here before, in the browser of the module."""
    context = browser.new_context()
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def open_site(servers: Servers) -> Iterator[Callable[..., Site]]:
    """A function that opens a site with the options given to it; the cookie is "auto" in all that can be."""
    opened: list[Site] = []

    def make(**options: Any) -> Site:
        told: list[Event] = []
        values = {"cookie": CookieOptions(secure="auto", same_site="auto"), **options}
        sessions = Sessions(secret=SECRET, on_event=told.append, **values)
        site = Site(f"site{next(_numbers)}", sessions, servers, told)
        servers.sites[site.name] = SessionMiddleware(visits, sessions)
        opened.append(site)
        return site

    yield make
    for site in opened:
        del servers.sites[site.name]


@pytest.fixture
def new_curl(servers: Servers, tmp_path: Path) -> Callable[[], Curl]:
    """A function that returns somebody with an empty cookie jar."""
    jars = itertools.count()
    return lambda: Curl(tmp_path / f"jar{next(jars)}", servers.authority)


@pytest.fixture
def curl(new_curl: Callable[[], Curl]) -> Curl:
    """Somebody with an empty cookie jar."""
    return new_curl()


@pytest.fixture
def trusting(servers: Servers) -> ssl.SSLContext:
    """What a Python client needs to accept the certificate."""
    return ssl.create_default_context(cafile=servers.authority)
