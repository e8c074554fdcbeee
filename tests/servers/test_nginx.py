"""nginx in front, which ends TLS: over TCP and over a unix socket, alone and as one of two."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import pytest
from websockets.sync.client import connect

from sessile import CookieOptions
from tests.servers.conftest import Curl, Site

FORGED = ("-H", "X-Forwarded-Proto: https", "-H", "X-Forwarded-For: 127.0.0.1")
UNFORGED = ("-H", "X-Forwarded-Proto: http")

#: Where the visitor is, who is not the proxy: the whole of 127.0.0.0/8 is this machine, and nginx is at 127.0.0.1.
VISITOR = ("--interface", "127.0.0.2")

Opener = Callable[..., Site]


@pytest.mark.parametrize(("location", "proxy"), [("/tcp", ["127.0.0.1"]), ("/unix", ["unix"]), ("/tcp", True)])
@pytest.mark.parametrize("http", ["--http1.1", "--http2"])
def test_a_session_behind_nginx(open_site: Opener, curl: Curl, location: str, proxy: list[str], http: str) -> None:
    """By https to nginx and by http from there: the cookie is Secure, and the session lives on."""
    site = open_site(proxy=proxy)
    url = site.url("nginx https", location)
    first = curl.get(url, http, *VISITOR)
    assert first.version == {"--http1.1": "HTTP/1.1", "--http2": "HTTP/2"}[http]
    assert first.attributes == {"HttpOnly", "Secure", "SameSite=None"}
    assert [curl.get(url, http, *VISITOR).text for _ in range(2)] == ["2", "3"]
    assert site.records == 1


@pytest.mark.parametrize(("location", "proxy"), [("/tcp", ["127.0.0.1"]), ("/unix", ["unix"]), ("/tcp", True)])
def test_plain_http_behind_nginx(open_site: Opener, curl: Curl, location: str, proxy: list[str]) -> None:
    """By http all the way, the cookie is not Secure; a header of the visitor's, which nginx overwrites, says nothing."""
    site = open_site(proxy=proxy)
    url = site.url("nginx http", location)
    assert curl.get(url, *FORGED, *VISITOR).attributes == {"HttpOnly", "SameSite=Lax"}
    assert [curl.get(url, *VISITOR).text for _ in range(2)] == ["2", "3"]


@pytest.mark.parametrize(
    ("location", "proxy"),
    [
        ("/tcp", None),
        ("/tcp", False),
        ("/tcp", ["10.0.0.0/8"]),
        ("/tcp", ["unix"]),
        ("/unix", None),
        ("/unix", ["loopback"]),
        ("/unix", ["0.0.0.0/0", "::/0"]),
    ],
)
def test_a_proxy_that_is_not_trusted(open_site: Opener, curl: Curl, location: str, proxy: list[str] | None) -> None:
    """nginx says https and is not believed: the session works all the same, without Secure."""
    site = open_site(proxy=proxy)
    assert curl.get(site.url("nginx https", location)).attributes == {"HttpOnly", "SameSite=Lax"}
    assert curl.get(site.url("nginx https", location)).text == "2"


@pytest.mark.parametrize("door", ["nginx http", "nginx https"])
@pytest.mark.parametrize("location", ["/joins", "/adds-a-line"])
@pytest.mark.parametrize("header", [(), FORGED, UNFORGED])
def test_forged_values_do_not_win(
    open_site: Opener, new_curl: Callable[[], Curl], door: str, location: str, header: tuple[str, ...]
) -> None:
    """Where nginx adds its value to the visitor's, a list of networks finds nginx's; ``proxy=True`` does not."""
    is_so = door == "nginx https"
    site = open_site(proxy=["127.0.0.1"])
    assert ("Secure" in new_curl().get(site.url(door, location), *header, *VISITOR).attributes) is is_so
    if header:
        fooled = open_site(proxy=True)
        attributes = new_curl().get(fooled.url(door, location), *header, *VISITOR).attributes
        assert ("Secure" in attributes) is (header == FORGED)


def test_a_proxy_that_hands_on_what_it_got_vouches_for_it(open_site: Opener, curl: Curl) -> None:
    """Without a line of its own for the header, nginx makes the visitor's word its own: no list can tell."""
    site = open_site(proxy=["127.0.0.1"])
    assert "Secure" in curl.get(site.url("nginx http", "/hands-on"), *FORGED, *VISITOR).attributes


@pytest.mark.parametrize(
    ("location", "proxy", "believed"),
    [
        ("/two-by-tcp", ["127.0.0.1", "127.0.0.3"], True),
        ("/two-by-tcp", ["127.0.0.1"], False),
        ("/two-by-unix", ["127.0.0.1", "unix"], True),
        ("/two-by-unix", ["127.0.0.1"], False),
    ],
)
def test_two_proxies(
    open_site: Opener, new_curl: Callable[[], Curl], location: str, proxy: list[str], believed: bool
) -> None:
    """The outer one's word counts if the inner one and the outer one are trusted; a forged one never does."""
    site = open_site(proxy=proxy)
    by_https = new_curl().get(site.url("nginx https", location), *UNFORGED, *VISITOR)
    assert ("Secure" in by_https.attributes) is believed
    by_http = new_curl().get(site.url("nginx http", location), *FORGED, *VISITOR)
    assert "Secure" not in by_http.attributes


def test_the_servers_own_handling_of_proxies(open_site: Opener, new_curl: Callable[[], Curl]) -> None:
    """With ``proxy=None``, the scheme that uvicorn takes from a proxy it trusts is believed."""
    site = open_site(proxy=None)
    curl = new_curl()
    assert "Secure" in curl.get(site.url("nginx https", "/uvicorn"), *UNFORGED, *VISITOR).attributes
    assert curl.get(site.url("nginx https", "/uvicorn"), *VISITOR).text == "2"
    assert "Secure" not in new_curl().get(site.url("nginx http", "/uvicorn"), *FORGED, *VISITOR).attributes


def test_a_secure_session_behind_nginx(open_site: Opener, new_curl: Callable[[], Curl]) -> None:
    """With ``secure=True``, https is served, and http gets no cookie, no record, and an event."""
    site = open_site(cookie=CookieOptions(secure=True), name="__Host-sid", proxy=["127.0.0.1"])
    curl = new_curl()
    answer = curl.get(site.url("nginx http", "/joins"), *FORGED, *VISITOR)
    assert (answer.status, answer.text, answer.cookie) == (200, "1", None)
    assert (site.records, site.events, curl.kept) == (0, ["insecure_transport"], 0)
    assert curl.get(site.url("nginx https", "/joins"), *VISITOR).attributes == {"HttpOnly", "Secure", "SameSite=Lax"}
    assert curl.get(site.url("nginx https", "/joins"), *VISITOR).text == "2"


@pytest.mark.parametrize(("location", "proxy"), [("/tcp", ["loopback"]), ("/unix", ["unix"])])
def test_a_websocket_behind_nginx(open_site: Opener, trusting: ssl.SSLContext, location: str, proxy: list[str]) -> None:
    """A WebSocket that came by wss to nginx is secure."""
    site = open_site(proxy=proxy)
    url = site.url("nginx https", location, host="localhost").replace("https:", "wss:")
    with connect(url, ssl=trusting, proxy=None) as socket:
        assert socket.recv() == "1"
        assert socket.response is not None
        assert "; Secure; SameSite=None" in socket.response.headers["Set-Cookie"]


def test_the_nginx_of_the_documentation(open_site: Opener, curl: Curl) -> None:
    """What docs/how-to/proxy.md shows is a configuration that works."""
    site = open_site(cookie=CookieOptions(secure=True), name="__Host-sid", proxy=["loopback"])
    assert "Secure" in curl.get(site.url("documented"), "--http2", *UNFORGED, *VISITOR).attributes
    assert curl.get(site.url("documented"), *VISITOR).text == "2"
