# The server here is as small as one can be, and not the engine (test_site_in_chromium.py), so what is tested is the bytes:
# that a real browser takes our offer, our instructions, our cookie and our challenges, and that we take its proofs.
"""What we write is what Chromium understands, and what it writes is what we read."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from playwright.sync_api import BrowserContext, sync_playwright

from sessile import cookies
from sessile._engine.device.cookie import BoundCookie
from sessile._engine.device.instructions import instructions
from sessile._wire.device.bound import BoundTokens
from sessile._wire.device.challenge import Challenges
from sessile._wire.device.headers import offer, read_value, told
from sessile._wire.device.key import DeviceKey
from sessile._wire.device.proof import read_refresh, read_registration
from tests.browser import FLAGS, system_chromium
from tests.servers.conftest import key_hash
from tests.waiting import wait_for

SECRETS = [b"a secret, long enough for all of us"]
IDENTIFIER = "a-binding"
#: The browser refreshes ahead when less than two minutes are left, and we want to see when.
LIFE = 600
FEATURES = "DeviceBoundSessions:RefreshQuota/false,EnableBoundSessionCredentialsSoftwareKeysForManualTesting"


class Site(ThreadingHTTPServer):
    """A site with one session, which a device may bind itself to."""

    def __init__(self, certificate: trustme.LeafCert) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.origin = f"https://localhost:{self.server_port}"
        self.cookie = BoundCookie("__Host-sid-b")
        self.challenges = Challenges(SECRETS)
        self.tokens = BoundTokens(SECRETS)
        self.key: DeviceKey | None = None
        self.seen: list[str] = []


class Handler(BaseHTTPRequestHandler):
    """Registers, refreshes, and says on every page whether the device has proved itself."""

    server: Site

    def do_GET(self) -> None:
        site, now = self.server, time.time()
        values = cookies.candidates(self.headers.get("Cookie", "").encode(), site.cookie.name.encode())
        bound = site.key is not None and any(
            site.tokens.proves(value, IDENTIFIER, site.key.thumbprint, now) for value in values
        )
        headers = []
        if self.path == "/login":
            challenge = site.challenges.make("register", "the session", now)
            headers = [("Secure-Session-Registration", offer("/device/register", challenge))]
        self.answer(200, str(bound).encode(), *headers)

    def do_POST(self) -> None:
        site, now = self.server, time.time()
        said = self.headers.get("Secure-Session-Response")
        proof = None if said is None else read_value(said.encode())
        if self.path == "/device/register":
            assert proof is not None
            registration = read_registration(proof)
            assert site.challenges.read("register", "the session", registration.challenge, now)
            site.key = registration.key
            site.seen.append("registered")
        else:
            assert site.key is not None
            assert read_value(self.headers["Sec-Secure-Session-Id"].encode()) == IDENTIFIER
            site.seen.append("refreshed" if proof else "asked")
            if proof is None:
                return self.answer(403, b"", self.challenge(now))
            challenge = read_refresh(proof, site.key).challenge
            assert site.challenges.read("refresh", IDENTIFIER, challenge, now)
        token = site.tokens.make(IDENTIFIER, site.key.thumbprint, int(now) + LIFE)
        told_to_do = instructions(IDENTIFIER, "/device/refresh", site.origin, site.cookie, excluded=["/static"])
        return self.answer(200, told_to_do, ("Set-Cookie", site.cookie.set(token, LIFE)), self.challenge(now))

    def challenge(self, now: float) -> tuple[str, str]:
        challenge = self.server.challenges.make("refresh", IDENTIFIER, now)
        return "Secure-Session-Challenge", told(challenge, IDENTIFIER)

    def answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        kind = "application/json" if body.startswith(b"{") else "text/html"
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def certificate() -> trustme.LeafCert:
    return trustme.CA().issue_cert("localhost")


@pytest.fixture
def site(certificate: trustme.LeafCert) -> Iterator[Site]:
    site = Site(certificate)
    thread = threading.Thread(target=site.serve_forever)
    thread.start()
    yield site
    site.shutdown()
    thread.join()
    site.server_close()


@pytest.fixture
def context(certificate: trustme.LeafCert, tmp_path: Path) -> Iterator[BrowserContext]:
    """A browser that binds sessions, with keys in software."""
    trusted = key_hash(certificate.cert_chain_pems[0].bytes())
    flags = [*FLAGS, f"--enable-features={FEATURES}", f"--ignore-certificate-errors-spki-list={trusted}"]
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path, executable_path=system_chromium(), args=flags, headless=True
        )
        context.set_default_timeout(20_000)
        yield context
        context.close()


def test_chromium_registers_and_refreshes_in_one_round_trip(site: Site, context: BrowserContext) -> None:
    """Crowds of requests wait for one refresh, nothing is refreshed twice, and what is excluded does not wait."""
    page = context.new_page()
    page.goto(f"{site.origin}/login")
    wait_for(lambda: page.context.cookies(), "the browser did not register")
    assert page.evaluate("fetch('/a').then(answer => answer.text())") == "True"
    assert site.seen == ["registered"]
    context.clear_cookies()
    assert page.evaluate("fetch('/static/a').then(answer => answer.text())") == "False"
    assert site.seen == ["registered"]
    crowd = "Promise.all(['/a', '/b', '/c'].map(path => fetch(path).then(answer => answer.text())))"
    assert page.evaluate(crowd) == ["True"] * 3
    assert site.seen == ["registered", "refreshed"]
    assert page.evaluate(crowd) == ["True"] * 3
    assert site.seen == ["registered", "refreshed"]
