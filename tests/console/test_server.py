"""The console on this machine: who is refused"""

from __future__ import annotations

import pytest

from tests.console.conftest import HOST, Desk


def test_the_token_leaves_the_address_at_once(desk: Desk) -> None:
    """It is exchanged for a cookie and a redirect; the second time it opens nothing."""
    assert desk.headers["Location"] == "/"
    assert desk.headers["Cache-Control"] == "no-store"
    assert desk.ask("/enter?token=")[0] == 403


@pytest.mark.parametrize("path", ["/", "/health", "/session?handle=a", "/console.css"])
def test_strangers_see_nothing(desk: Desk, path: str) -> None:
    """Without the cookie no page is shown, and nothing is asked of the store."""
    desk.visit("zoe")
    desk.cookie = ""
    status, body = desk.ask(path)
    assert status == 403
    assert "zoe" not in body
    assert not desk.told()


@pytest.mark.parametrize("host", ["", "evil.test", "evil.test:9", "127.0.0.1", "127.0.0.1:10"])
def test_another_host_is_refused(desk: Desk, host: str) -> None:
    """A name that somebody has pointed at this machine gets no page (DNS rebinding)."""
    assert desk.ask("/", HTTP_HOST=host)[0] == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_ORIGIN": "http://evil.test"},
        {"HTTP_ORIGIN": "null"},
        {"HTTP_ORIGIN": "http://127.0.0.1:10"},
        {"HTTP_SEC_FETCH_SITE": "same-site"},
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
    ],
)
def test_a_form_of_another_page_is_refused(desk: Desk, headers: dict[str, str]) -> None:
    """Not even another port of this machine may end a session."""
    cookie = desk.visit("zoe")
    (handle,) = desk.handles()
    assert desk.ask("/end", {"handle": handle}, **headers)[0] == 403
    assert desk.lives(cookie)


@pytest.mark.parametrize("length", ["65537", "9999999999", "-1", "x"])
def test_a_large_form_is_refused(desk: Desk, length: str) -> None:
    """It is not read."""
    assert desk.ask("/end", {}, CONTENT_LENGTH=length)[0] == 413


def test_every_page_is_closed_to_others(desk: Desk) -> None:
    """No cache keeps it, nobody frames it, and nothing on it comes from elsewhere."""
    for path in ("/", "/health", "/nothing"):
        desk.ask(path, HTTP_HOST=HOST)
        assert desk.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in desk.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in desk.headers["Content-Security-Policy"]
        assert "script-src 'self';" in desk.headers["Content-Security-Policy"]
        assert "unsafe" not in desk.headers["Content-Security-Policy"]
