"""WebSockets"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.integrations.running import Browser, Running, until


def _connect(site: Running, browser: Browser, query: str = "") -> ClientConnection:
    """Open a WebSocket with the cookies of ``browser``, and put those of the handshake into its jar."""
    headers = {"cookie": f"connect.sid={browser.token}"} if browser.token else {}
    address = site.base().replace("http://", "ws://")
    socket = connect(f"{address}/socket{query}", additional_headers=headers, proxy=None, open_timeout=20)
    assert socket.response is not None
    for line in socket.response.headers.get_all("set-cookie"):
        name, _, value = line.partition(";")[0].partition("=")
        browser.cookies.set(name, value)
    return socket


def _ask(socket: ClientConnection, verb: str, **query: str) -> Any:
    """Have a verb carried out over a WebSocket, and return what came of it."""
    socket.send(f"{verb}?{urlencode(query)}")
    return json.loads(socket.recv(timeout=20))


def a_page_of_another_origin_opens_no_websocket(site: Running) -> None:
    """The handshake is a GET, and is checked by its Origin: else a page elsewhere could talk as our visitor."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    address = site.base()
    for origin in ("https://evil.test", "null"):
        headers = {"cookie": f"connect.sid={browser.token}", "origin": origin}
        with pytest.raises(InvalidStatus) as refused:
            connect(address.replace("http://", "ws://") + "/socket", additional_headers=headers, proxy=None)
        assert refused.value.response.status_code == 403
    headers = {"cookie": f"connect.sid={browser.token}", "origin": address}
    with connect(address.replace("http://", "ws://") + "/socket", additional_headers=headers, proxy=None) as socket:
        assert _ask(socket, "get", key="n") == "1"


def _visitor(site: Running) -> Browser:
    """Return a visitor who is logged in, with a session."""
    browser = site.browser()
    browser.ask("login", user="zoe")
    browser.ask("set", key="n", value="1")
    return browser


def a_socket_has_the_session(site: Running) -> None:
    """A WebSocket has the session of its handshake, and knows who is logged in."""
    with _connect(site, _visitor(site)) as socket:
        assert (_ask(socket, "all"), _ask(socket, "user")) == ({"n": "1"}, "zoe")
    with _connect(site, site.browser()) as socket:
        assert (_ask(socket, "all"), _ask(socket, "user")) == ({}, None)


def a_socket_may_save(site: Running) -> None:
    """A WebSocket stores what it changes at once with save()."""
    browser = _visitor(site)
    with _connect(site, browser) as socket:
        _ask(socket, "save", key="m", value="2")
        assert browser.ask("all") == {"n": "1", "m": "2"}


def what_a_socket_changes_is_stored_at_its_end(site: Running) -> None:
    """What a WebSocket changes is stored when it is closed, be it by the visitor or by the handler."""
    browser = _visitor(site)
    with _connect(site, browser) as socket:
        _ask(socket, "set", key="leaves", value="2")
    until(lambda: browser.ask("all") == {"n": "1", "leaves": "2"}, "the write is not stored")
    with _connect(site, browser) as socket:
        _ask(socket, "set", key="is sent away", value="3")
        socket.send("bye")
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=20)
    until(lambda: browser.ask("all") == {"n": "1", "leaves": "2", "is sent away": "3"}, "the write is not stored")


def a_socket_that_breaks_stores_nothing(site: Running) -> None:
    """What a WebSocket changed before its handler raises is dropped."""
    browser = _visitor(site)
    with _connect(site, browser) as socket:
        _ask(socket, "set", key="lost", value="2")
        socket.send("raise")
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=20)
    assert browser.ask("all") == {"n": "1"}


def a_handshake_may_set_the_cookie(site: Running) -> None:
    """A session that begins before the handshake is answered is stored, and its cookie set."""
    browser = site.browser()
    with _connect(site, browser, "?begin=") as socket:
        assert _ask(socket, "all") == {"begun": True}
        assert browser.ask("all") == {"begun": True}


def a_socket_may_ask_whether_its_session_is_there(site: Running) -> None:
    """In a WebSocket `await session.areload()` finds what other requests wrote, and raises SessionGone after a logout."""
    browser = _visitor(site)
    with _connect(site, browser) as socket:
        browser.ask("set", key="m", value="2")
        assert (_ask(socket, "reload"), _ask(socket, "all")) == ("here", {"n": "1", "m": "2"})
        browser.ask("logout")
        assert _ask(socket, "reload") == "gone"


def a_socket_of_a_revoked_session_is_closed(site: Running) -> None:
    """When a session is revoked, its WebSocket is closed with 1008 at the next message, a minute later at the latest."""
    browser = _visitor(site)
    with _connect(site, browser) as socket:
        assert _ask(socket, "user") == "zoe"
        site.sessions().revoke(browser.sid)
        site.later(61)
        socket.send("user")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def a_socket_is_refused_while_the_store_is_down(site: Running) -> None:
    """While the store is down the handshake of a visitor with a session is refused."""
    browser = _visitor(site)
    with site.down(), pytest.raises((InvalidStatus, ConnectionClosed)), _connect(site, browser) as socket:
        _ask(socket, "user")
    with _connect(site, browser) as socket:
        assert _ask(socket, "user") == "zoe"
