"""uvicorn with TLS of its own, and without; nothing in front of it."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import pytest
from websockets.sync.client import connect

from sessile import CookieOptions
from tests.servers.conftest import Curl, Site

FORGED = ("-H", "X-Forwarded-Proto: https", "-H", "X-Forwarded-For: 127.0.0.1")

#: Where somebody comes from who is not the proxy: the whole of 127.0.0.0/8 is this machine.
STRANGER = ("--interface", "127.0.0.2")

Opener = Callable[..., Site]


@pytest.mark.parametrize("proxy", [None, False, True, ["127.0.0.1"], []])
def test_tls_of_the_server_itself_counts(open_site: Opener, curl: Curl, proxy: bool | list[str] | None) -> None:
    """By https the cookie is Secure and goes with requests from other sites, and the session lives on."""
    site = open_site(proxy=proxy)
    first = curl.get(site.url("https"), "-H", "X-Forwarded-Proto: http")
    assert first.attributes == {"HttpOnly", "Secure", "SameSite=None"}
    assert [curl.get(site.url("https")).text for _ in range(2)] == ["2", "3"]
    assert first.text == "1"
    assert site.records == 1


@pytest.mark.parametrize("proxy", [None, False, True, ["127.0.0.1"], []])
def test_plain_http_works_without_secure(open_site: Opener, curl: Curl, proxy: bool | list[str] | None) -> None:
    """By http the cookie is neither Secure nor for other sites, and the session lives on."""
    site = open_site(proxy=proxy)
    assert curl.get(site.url("http")).attributes == {"HttpOnly", "SameSite=Lax"}
    assert [curl.get(site.url("http")).text for _ in range(2)] == ["2", "3"]


def test_a_secure_cookie_does_not_go_by_http(open_site: Opener, curl: Curl) -> None:
    """What was set by https is not sent by http: a visitor who is led there is nobody."""
    site = open_site()
    curl.get(site.url("https"))
    assert curl.get(site.url("http")).text == "1"
    assert curl.get(site.url("https")).text == "2"


@pytest.mark.parametrize(
    ("proxy", "come_from", "believed"),
    [
        (None, (), False),
        (False, (), False),
        (["10.0.0.0/8"], (), False),
        (["unix"], (), False),
        (["127.0.0.1"], STRANGER, False),
        (["127.0.0.1"], (), True),
        (["127.0.0.2/31"], STRANGER, True),
        (["loopback"], STRANGER, True),
        (True, STRANGER, True),
    ],
)
def test_a_header_counts_if_its_sender_is_trusted(
    open_site: Opener, curl: Curl, proxy: bool | list[str] | None, come_from: tuple[str, ...], believed: bool
) -> None:
    """Whoever is not in the list forges X-Forwarded-Proto in vain."""
    site = open_site(proxy=proxy)
    attributes = curl.get(site.url("http"), *FORGED, *come_from).attributes
    assert ("Secure" in attributes) is ("SameSite=None" in attributes) is believed


@pytest.mark.parametrize("forged", [(), FORGED])
def test_a_secure_session_is_not_made_by_http(open_site: Opener, curl: Curl, forged: tuple[str, ...]) -> None:
    """With ``secure=True``, plain http gets no cookie, nothing is stored, and an event says why."""
    site = open_site(cookie=CookieOptions(secure=True), proxy=["10.0.0.0/8"])
    answer = curl.get(site.url("http"), *forged)
    assert (answer.status, answer.text, answer.cookie) == (200, "1", None)
    assert site.records == 0
    assert site.events == ["insecure_transport"]
    assert curl.kept == 0
    assert curl.get(site.url("https")).attributes == {"HttpOnly", "Secure", "SameSite=Lax"}
    assert curl.get(site.url("https")).text == "2"


def test_a_cookie_of_its_own_for_each_top_level_site(open_site: Opener, curl: Curl) -> None:
    """Partitioned is sent with the Secure and SameSite=None that browsers want with it."""
    site = open_site(cookie=CookieOptions(same_site="auto", partitioned=True))
    assert curl.get(site.url("https")).attributes == {"HttpOnly", "Secure", "SameSite=None", "Partitioned"}


def test_a_websocket_over_tls_is_secure(open_site: Opener, trusting: ssl.SSLContext) -> None:
    """The scheme wss counts as https does, and ws as http."""
    site = open_site()
    url = site.url("https", host="localhost").replace("https:", "wss:")
    with connect(url, ssl=trusting, proxy=None) as socket:
        assert socket.recv() == "1"
        assert socket.response is not None
        cookie = socket.response.headers["Set-Cookie"]
    assert "; Secure; SameSite=None" in cookie
    with connect(url, ssl=trusting, proxy=None, additional_headers={"Cookie": cookie.partition(";")[0]}) as socket:
        assert socket.recv() == "2"
    with connect(site.url("http", host="localhost").replace("http:", "ws:"), proxy=None) as socket:
        assert socket.recv() == "1"
        assert socket.response is not None
        assert "Secure" not in socket.response.headers["Set-Cookie"]
