"""Responses"""

from __future__ import annotations

from typing import Any

from tests.integrations.common import FILE
from tests.integrations.running import Browser, Running, set_cookie, until


def a_redirect_carries_the_cookie(site: Running) -> None:
    """A redirect sets the cookie, and the page it leads to finds what was written: the save is never overtaken."""
    browser = site.browser(follow_redirects=True)
    response = browser.visit("redirect")
    assert [each.status_code for each in response.history] == [302]
    assert set_cookie(response.history[0]) is not None
    assert response.json() == {"from": "redirect"}


def head_is_like_get(site: Running) -> None:
    """HEAD has the headers of GET, cookie and all, and no body."""
    browser = site.browser()
    response = browser.visit("set", "HEAD", key="n", value="1")
    assert (response.status_code, response.content) == (200, b"")
    assert set_cookie(response) is not None
    assert browser.ask("all") == {"n": "1"}


def a_page_that_is_missing_leaves_the_session_alone(site: Running) -> None:
    """A 404 sets no cookie, and ends nothing."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    response = browser.visit("no-such-page")
    assert (response.status_code, set_cookie(response)) == (404, None)
    assert browser.ask("all") == {"n": "1"}


def an_error_page_of_the_handler_is_a_page(site: Running) -> None:
    """What a handler wrote is stored if it answers with an error itself."""
    for code in ("403", "404", "418"):
        browser = site.browser()
        assert browser.visit("status", code=code).status_code == int(code)
        assert browser.ask("all") == {"code": code}


def an_exception_changes_nothing(site: Running) -> None:
    """A handler that raises stores nothing and sets no cookie; the visitor gets the error page, with status 500."""
    browser = site.browser()
    browser.fail("raise")
    browser.ask("set", key="n", value="1")
    browser.fail("raise")
    assert browser.ask("all") == {"n": "1"}


def what_was_saved_stays(site: Running) -> None:
    """What save() has stored stays, though the handler raises afterwards."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    browser.fail("save-and-raise")
    assert browser.ask("all") == {"n": "1", "saved": True}


def a_streamed_body_may_change_the_session(site: Running) -> None:
    """A streamed response sets the cookie in its head, and what changes while it runs is stored at its end."""
    browser = site.browser()
    response = browser.visit("stream")
    assert (response.text, set_cookie(response) is not None) == ("abc", True)
    assert browser.ask("all") == {"stream": "over"}


def a_stream_that_breaks_stores_no_more(site: Running) -> None:
    """If the body raises, what was stored before its head stays, and what came after is dropped."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    try:
        response = browser.visit("break", headers={"connection": "close"})
        assert response.status_code in (200, 500)
    except Exception as error:  # Most servers close the connection in the middle.
        assert type(error).__name__ in ("RemoteProtocolError", "ReadError")  # noqa: PT017
    assert browser.ask("get", key="stream") in ("begun", None)
    assert browser.ask("get", key="n") == "1"


def a_client_may_leave(site: Running) -> None:
    """A client that leaves in the middle of a body harms nobody: what was written so far is stored."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    with browser.copy().stream("GET", "/endless") as response:
        assert response.status_code == 200
        for _ in zip(range(3), response.iter_raw(), strict=False):
            pass
    until(lambda: browser.ask("get", key="endless") == "going", "the write is not stored")
    assert browser.ask("get", key="n") == "1"


def a_file_may_be_sent(site: Running) -> None:
    """A file that the framework sends itself carries the cookie too, and is whole."""
    browser = site.browser()
    response = browser.visit("file")
    assert response.content == FILE.read_bytes()
    assert set_cookie(response) is not None
    assert browser.ask("all") == {"file": True}


def the_response_says_that_it_varies(site: Running) -> None:
    """What looked at the session says Vary: Cookie, beside what the handler said; the rest is left alone."""
    response = site.browser().visit("headers", key="n")
    assert "cookie" in _varies(response)
    assert response.headers["cache-control"] == "public, max-age=60"


def what_it_varied_by_before_stays(site: Running) -> None:
    """What the handler says in Vary, in one line or in two where the framework can, stays beside ours."""
    varies = _varies(site.browser().visit("headers", key="n"))
    assert sorted(varies) == ["accept", "accept-language", "cookie"]


def _varies(response: Any) -> list[str]:
    return [each.strip().lower() for line in response.headers.get_list("vary") for each in line.split(",")]


def a_body_that_is_still_made_varies(site: Running) -> None:
    """A stream may look at the session when its head is gone, so it varies where the request has brought a session."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    with browser.stream("GET", "/endless") as response:
        assert "cookie" in _varies(response)
    with site.browser().stream("GET", "/endless") as response:
        assert "set-cookie" not in response.headers


def a_page_of_another_origin_changes_nothing(site: Running) -> None:
    """What it posts is answered with 403 before a handler runs, with a cookie or without; our own pages may post."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    # A stream of the visitor before may still be at its end, and call the store. What these pages ask would be asked each time.
    assert any(_asked_for_pages_of_another_origin(site, browser) == [] for _ in range(10))
    for headers in ({"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}, {}):
        assert browser.visit("set", method="POST", headers=headers, key="n", value="1").status_code != 403, headers
    assert browser.visit("all", headers={"sec-fetch-site": "cross-site"}).status_code == 200
    assert browser.ask("get", key="n") == "1"


def _asked_for_pages_of_another_origin(site: Running, browser: Browser) -> list[str]:
    """Return what the store was asked while pages of another origin posted."""
    site.calls()
    for headers in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "null"}):
        for visitor in (browser, site.browser()):
            answer = visitor.visit("set", method="POST", headers=headers, key="n", value="2")
            assert answer.status_code == 403, headers
            assert "set-cookie" not in answer.headers
    return site.calls()


def what_sets_the_cookie_is_not_cached(site: Running) -> None:
    """A response that sets the cookie says Cache-Control: no-store, whatever the handler said."""
    response = site.browser().visit("headers-set", key="n", value="1")
    assert set_cookie(response) is not None
    assert response.headers.get_list("cache-control") == ["no-store"]


def what_does_not_look_says_nothing(site: Running) -> None:
    """A response that never looked at the session has no header of ours."""
    headers = site.browser().visit("untouched").headers
    assert not {"vary", "set-cookie", "cache-control"} & set(headers)


def a_connection_is_kept(site: Running) -> None:
    """Requests of two visitors on one connection have each their own session."""
    shared, tokens = site.browser(), []
    for name in ("one", "two"):
        shared.cookies.clear()
        shared.ask("set", key="who", value=name)
        tokens.append(shared.token)
    shared.cookies.clear()
    for name, token in zip(("one", "two"), tokens, strict=True):
        assert shared.visit("get", headers={"cookie": f"connect.sid={token}"}, key="who").json() == name
    assert shared.ask("all") == {}


def a_mounted_application_is_a_site(site: Running) -> None:
    """An application under a prefix has its sessions like one at the root, redirects included."""
    browser = site.browser("side", follow_redirects=True)
    assert browser.visit("redirect").json() == {"from": "redirect"}
