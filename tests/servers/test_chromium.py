"""A real browser, which knows what Secure, SameSite and Partitioned mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from sessile import CookieOptions
from tests.browser import chromium
from tests.servers.conftest import HOST, OTHERS, Servers, Site

Opener = Callable[..., Site]


@pytest.fixture(scope="module")
def browser(servers: Servers) -> Iterator[Browser]:
    """Chromium, to which every site of .test is on this machine."""
    flags = ("--host-resolver-rules=MAP *.test 127.0.0.1", f"--ignore-certificate-errors-spki-list={servers.key_hash}")
    with chromium(*flags) as browser:
        yield browser


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A tab of theirs."""
    return context.new_page()


def look(page: Page, url: str) -> str:
    """Open a page, and return what it says."""
    page.goto(url)
    return page.inner_text("body")


def cookie(context: BrowserContext) -> dict[str, Any]:
    """Return the one cookie that the browser has."""
    (cookie,) = context.cookies()
    return dict(cookie)


@pytest.mark.parametrize(("door", "location"), [("https", ""), ("nginx https", "/tcp"), ("nginx https", "/unix")])
def test_https_in_a_browser(open_site: Opener, page: Page, context: BrowserContext, door: str, location: str) -> None:
    """The browser keeps a secure cookie that scripts do not see, and counts on."""
    url = open_site(proxy=["127.0.0.1", "unix"]).url(door, location)
    assert look(page, url) == "1"
    kept = cookie(context)
    assert (kept["name"], kept["domain"], kept["path"]) == ("connect.sid", HOST, "/")
    assert (kept["secure"], kept["httpOnly"], kept["sameSite"]) == (True, True, "None")
    assert page.evaluate("[document.cookie, isSecureContext]") == ["", True]
    assert [look(page, url) for _ in range(2)] == ["2", "3"]
    assert cookie(context)["value"] == kept["value"]


@pytest.mark.parametrize("host", [HOST, "localhost"])
@pytest.mark.parametrize(("door", "location"), [("http", ""), ("nginx http", "/tcp")])
def test_http_in_a_browser(
    open_site: Opener, page: Page, context: BrowserContext, host: str, door: str, location: str
) -> None:
    """By http, at localhost as at any host, the cookie is not Secure and the visitor is remembered."""
    url = open_site(proxy=["127.0.0.1"]).url(door, location, host)
    assert look(page, url) == "1"
    kept = cookie(context)
    assert (kept["domain"], kept["secure"], kept["httpOnly"], kept["sameSite"]) == (host, False, True, "Lax")
    assert page.evaluate("document.cookie") == ""
    assert look(page, url) == "2"


def test_a_secure_site_by_http_in_a_browser(open_site: Opener, page: Page, context: BrowserContext) -> None:
    """With ``secure=True`` there is no cookie by http; by https one with the __Host- prefix is kept."""
    site = open_site(cookie=CookieOptions(secure=True), name="__Host-sid", proxy=["127.0.0.1"])
    assert [look(page, site.url("nginx http", "/tcp")) for _ in range(2)] == ["1", "1"]
    assert (context.cookies(), site.records) == ([], 0)
    assert [look(page, site.url("nginx https", "/tcp")) for _ in range(2)] == ["1", "2"]
    assert (cookie(context)["name"], cookie(context)["sameSite"]) == ("__Host-sid", "Lax")
    assert look(page, site.url("nginx http", "/tcp")) == "1"


def test_a_forged_header_gets_a_cookie_that_the_browser_drops(open_site: Opener, browser: Browser) -> None:
    """Whoever is fooled by X-Forwarded-Proto sends Secure by http: the visitor is not remembered. A list is not."""
    with browser.new_context(extra_http_headers={"X-Forwarded-Proto": "https"}) as context:
        page = context.new_page()
        fooled, wary = open_site(proxy=True), open_site(proxy=["10.0.0.0/8"])
        assert [look(page, fooled.url("http")) for _ in range(2)] == ["1", "1"]
        assert context.cookies() == []
        assert [look(page, wary.url("http")) for _ in range(2)] == ["1", "2"]


def test_a_websocket_in_a_browser(open_site: Opener, page: Page, context: BrowserContext) -> None:
    """A WebSocket by wss to nginx sets the cookie, and the page goes on with its session."""
    url = open_site(proxy=["unix"]).url("nginx https", "/unix")
    page.goto(url + "?embed=about:blank")
    heard = """url => new Promise((resolve, reject) => {
        const socket = new WebSocket(url);
        socket.onmessage = event => resolve(event.data);
        socket.onerror = () => reject(new Error("no WebSocket"));
    })"""
    assert page.evaluate(heard, url.replace("https:", "wss:")) == "1"
    assert (cookie(context)["secure"], cookie(context)["sameSite"]) == (True, "None")
    assert look(page, url) == "2"
    assert page.evaluate(heard, url.replace("https:", "wss:")) == "3"


def test_a_partitioned_cookie_in_frames(open_site: Opener, page: Page, context: BrowserContext) -> None:
    """Embedded by two sites, one shop has a session under each, and another at home, with third-party cookies off."""
    site = open_site(cookie=CookieOptions(same_site="auto", partitioned=True), proxy=["127.0.0.1"])
    url = site.url("nginx https", "/tcp")

    def embedded(by: str) -> str:
        page.goto(f"{site.url('nginx https', '/tcp', by)}?embed={url}")
        return page.frame_locator("iframe").locator("body").inner_text()

    blog, news = OTHERS
    assert [embedded(blog), embedded(news), embedded(blog), look(page, url)] == ["1", "1", "2", "1"]
    partitions = {kept.get("partitionKey") for kept in context.cookies()}
    assert partitions == {f"https://{host}" for host in (HOST, blog, news)}
