"""Outages"""

from __future__ import annotations

from typing import Any

from tests.integrations.running import Running, set_cookie


def _is_refused(response: Any) -> bool:
    assert "restart" not in response.text
    return (
        response.status_code == 503
        and "retry-after" in response.headers
        and response.headers["cache-control"] == "no-store"
        and set_cookie(response) is None
    )


def a_load_that_fails_is_503(site: Running) -> None:
    """While the store is down, a request that looks at its session gets 503 with Retry-After, and keeps its cookie."""
    browser = site.browser()
    browser.ask("set", key="n", value="1")
    with site.down():
        assert _is_refused(browser.visit("all"))
    assert browser.ask("all") == {"n": "1"}


def a_commit_that_fails_is_503(site: Running) -> None:
    """A new visitor whose session cannot be stored gets 503 too, and no cookie for it."""
    browser = site.browser()
    with site.down():
        assert _is_refused(browser.visit("set", key="n", value="1"))
    assert browser.token is None


def a_stream_that_cannot_begin_is_503(site: Running) -> None:
    """A streamed response and a file are refused as well, before their first byte."""
    for page in ("stream", "file"):
        browser = site.browser()
        with site.down():
            assert _is_refused(browser.visit(page))


def pages_without_a_session_stay_up(site: Running) -> None:
    """Where loading is lazy, a page that never looks at the session is served while the store is down."""
    browser = site.browser("lazy")
    browser.ask("set", key="n", value="1")
    with site.down():
        assert browser.visit("untouched").text == "ok"


def an_outage_may_make_the_visitor_anonymous(site: Running) -> None:
    """With on_store_error="anonymous" the page is served with an empty session, and the cookie is left alone."""
    browser = site.browser("anonymous")
    browser.ask("set", key="n", value="1")
    with site.down():
        response = browser.visit("all")
        assert (response.status_code, response.json(), set_cookie(response)) == (200, {}, None)
        response = browser.visit("set", key="n", value="2")
        assert (response.status_code, set_cookie(response)) == (200, None)
    assert browser.ask("all") == {"n": "1"}


def an_outage_may_be_an_exception(site: Running) -> None:
    """With on_store_error="raise" the exception is the framework's to handle."""
    browser = site.browser("raise")
    browser.ask("set", key="n", value="1")
    with site.down():
        browser.fail("all")
    assert browser.ask("all") == {"n": "1"}
