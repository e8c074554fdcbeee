"""The whole of it in a real Chromium: log-in, a stolen cookie, a renewal, log-out."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.client import HTTPSConnection
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
import trustme
from playwright.sync_api import BrowserContext

from sessile import DeviceBinding, Sessions
from tests._engine.device.sites import wsgi_site
from tests._engine.device.test_chromium import certificate, context
from tests.conftest import SECRET
from tests.waiting import wait_for

__all__ = ["certificate", "context"]

PROOF = "__Host-connect.sid-device"


class Server(ThreadingMixIn, WSGIServer):
    """Serves an application over TLS, a thread for each request."""

    daemon_threads = True


class Handler(WSGIRequestHandler):
    """Says that it is https, and nothing else."""

    def get_environ(self) -> dict[str, Any]:
        return {**super().get_environ(), "HTTPS": "on"}

    def log_message(self, *arguments: object) -> None:
        pass


def stolen(origin: str, cookie: str) -> str:
    """Return what the site answers to a thief who has copied ``cookie``."""
    connection = HTTPSConnection(origin.removeprefix("https://"), context=ssl._create_unverified_context())
    connection.request("GET", "/", headers={"Cookie": cookie})
    text = connection.getresponse().read().decode()
    connection.close()
    return text


@pytest.fixture
def events() -> list[str]:
    return []


@pytest.fixture
def origin(certificate: trustme.LeafCert, events: list[str]) -> Iterator[str]:
    sessions = Sessions(secret=SECRET, device=DeviceBinding(grace=0), on_event=lambda event: events.append(event.name))
    server = make_server("127.0.0.1", 0, wsgi_site(sessions), Server, Handler)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(tls)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_stolen_cookie_is_worthless_and_the_visitor_goes_on(
    origin: str,
    context: BrowserContext,
    events: list[str],
) -> None:
    """Chromium registers a key, renews its proof while a page waits, and lets go of it at the log-out."""
    page = context.new_page()

    def look(path: str = "/") -> str:
        return str(page.evaluate("path => fetch(path).then(answer => answer.text())", path))

    page.goto(f"{origin}/login")
    wait_for(lambda: any(each.get("name") == PROOF for each in context.cookies()), "the browser did not register")
    assert look() == "ada None True True"
    (sid,) = (each["value"] for each in context.cookies() if each["name"] == "connect.sid")
    before = len(events)  # The browser asks for an icon too, at any time: with its proof, or before it has one.
    assert stolen(origin, f"connect.sid={sid}") == "None None False False"
    assert "device_unproved" in events[before:]
    context.clear_cookies(name=PROOF)
    assert look() == "ada None True True"
    assert events.count("device_bound") == 1
    assert look("/logout") == "None None False False"
    assert look() == "None None False False"
    assert context.cookies() == []
