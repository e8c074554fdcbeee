# Two origins in a real browser. The site is shop.localhost, where Chromium sends Sec-Fetch-Site, or shop.test, where it
# does not (plain http, not localhost) and Origin decides. The attacker's page is on another port: of another site, or of
# a sub-domain, which SameSite calls the same site, so the browser sends our cookie with what that page posts.
"""A page of another origin changes nothing, whatever it does to send a request in its visitor's name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect

from tests.browser import chromium
from tests.demo.test_browser import shop
from tests.integrations.running import Running, Site
from tests.servers.conftest import Site as OpenedSite

KINDS = [Site("asgi", "hypercorn"), Site("wsgi", "waitress")] + [
    Site(module, server, alone=True) for module, server in (("django", "gunicorn"), ("django_async", "uvicorn"))
]

#: The host of the site, and that of the attacker's page.
HOSTS = [
    ("shop.localhost", "evil.localhost"),
    ("shop.localhost", "blog.shop.localhost"),
    ("shop.test", "evil.test"),
    ("shop.test", "blog.shop.test"),
]

FORM = """([url, target]) => {
    const form = document.body.appendChild(document.createElement("form"));
    Object.assign(form, {method: "POST", action: url, target});
    form.submit();
}"""
FRAME = "() => { document.body.appendChild(document.createElement('iframe')).name = 'inner'; }"
FETCH = "([url, how]) => fetch(url, {credentials: 'include', ...how}).then(answer => answer.type, error => error.name)"
SOCKET = """([url, message]) => new Promise(resolve => {
    const socket = new WebSocket(url);
    socket.onopen = () => socket.send(message);
    socket.onmessage = event => resolve(event.data);
    socket.onerror = () => resolve("refused");
})"""


class _Elsewhere(BaseHTTPRequestHandler):
    """An empty page, and at /?URL a redirect that keeps method and body."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title><body>")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(307)
        self.send_header("Location", self.path.partition("?")[2])
        self.send_header("Access-Control-Allow-Origin", self.headers["Origin"])
        self.send_header("Access-Control-Allow-Credentials", "true")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[int]:
    """The port at which the attacker's pages are, under any host."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, to which every host of .test and .localhost is on this machine."""
    rules = "--host-resolver-rules=MAP *.test 127.0.0.1, MAP *.localhost 127.0.0.1"
    with chromium(rules) as browser:
        yield browser


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.module)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A site of each kind, under its server."""
    running = Running(request.param, tmp_path_factory.mktemp(request.param.module))
    yield running
    running.close()


@contextmanager
def answered(context: BrowserContext, url: str, status: int) -> Iterator[None]:
    """See that what is sent to ``url`` in the block, by any window, gets an answer of this status."""

    def ours(response: Response) -> bool:
        return response.url == url and response.request.method not in ("GET", "OPTIONS")

    with context.expect_event("response", ours) as found:
        yield
    assert found.value.status == status, (url, found.value.status)


def send_by_every_way(page: Page, url: str, status: int, *, by: str = "") -> None:
    """Post to ``url`` by forms, here, in frames and in windows, and by fetch; with ``by``, through a redirect of it."""
    home, context = page.url, page.context
    to = f"{by}/?{url}" if by else url
    with answered(context, url, status):  # Here.
        page.evaluate(FORM, [to, ""])
    page.wait_for_url(url)
    page.goto(home)
    with answered(context, url, status):  # In a frame.
        page.evaluate(FRAME)
        page.evaluate(FORM, [to, "inner"])
    with answered(context, url, status), page.expect_popup() as popup:  # In a new window.
        page.evaluate(FORM, [to, "_blank"])
    popup.value.close()
    with answered(context, url, status):
        page.evaluate(FETCH, [to, {"method": "POST", "mode": "no-cors", "body": "n=3"}])
    # With CORS the request is sent too, and the browser shows the answer to nobody: what it did is seen at the site.
    said = page.evaluate(FETCH, [to, {"method": "POST", "mode": "cors", "body": "n=3"}])
    assert said == ("basic" if status == 200 else "TypeError")


@pytest.mark.parametrize(("host", "attacker"), HOSTS)
def test_a_page_of_another_origin_changes_nothing(
    site: Running, context: BrowserContext, elsewhere: int, host: str, attacker: str
) -> None:
    """Forms, fetch with and without CORS, through redirects, in frames and windows: 403, logged in or not."""
    base = site.base().replace("127.0.0.1", host)
    evil = f"http://{attacker}:{elsewhere}"
    page = context.new_page()
    site.calls()

    page.goto(evil)
    for by in ("", evil):  # Somebody without a session gets none, and is not logged in as somebody else.
        send_by_every_way(page, f"{base}/login?user=mallory", 403, by=by)
    assert (context.cookies(), {"create", "replace"} & set(site.calls())) == ([], set())

    page.goto(f"{base}/set?key=n&value=1")
    page.goto(f"{base}/login?user=zoe")
    (cookie,) = context.cookies()
    page.goto(evil)
    for by in ("", evil):
        send_by_every_way(page, f"{base}/set?key=n&value=2", 403, by=by)
    # What a form cannot send asks first (CORS), and the site does not say yes.
    how = {"method": "PUT", "headers": {"Content-Type": "application/json"}, "body": "{}"}
    assert page.evaluate(FETCH, [f"{base}/set?key=n&value=2", how]) == "TypeError"
    # A link is a safe method: it leads to our page, and the visitor is known there.
    page.goto(evil)
    page.evaluate("url => { location = url; }", f"{base}/get?key=n")
    page.wait_for_url(f"{base}/get?key=n")
    expect(page.locator("body")).to_have_text('"1"')
    assert context.cookies() == [cookie]


@pytest.mark.parametrize("host", ["shop.localhost", "shop.test"])
def test_the_pages_of_the_site_may_do_all_that(site: Running, context: BrowserContext, host: str) -> None:
    """Forms, frames, windows and fetch of our own origin pass."""
    base = site.base().replace("127.0.0.1", host)
    page = context.new_page()
    page.goto(f"{base}/set?key=n&value=1")
    page.goto(f"{base}/get?key=n")
    send_by_every_way(page, f"{base}/set?key=n&value=2", 200)
    page.goto(f"{base}/get?key=n")
    expect(page.locator("body")).to_have_text('"2"')


def test_our_own_form_that_another_site_sends_back_is_refused(
    site: Running, context: BrowserContext, elsewhere: int
) -> None:
    """A redirect through another origin makes a request that origin's: the browser says so."""
    base = site.base().replace("127.0.0.1", "shop.localhost")
    page = context.new_page()
    page.goto(f"{base}/set?key=n&value=1")
    with answered(context, f"{base}/set?key=n&value=2", 403):
        page.evaluate(FORM, [f"http://evil.localhost:{elsewhere}/?{base}/set?key=n&value=2", ""])
    page.wait_for_url(f"{base}/set?key=n&value=2")
    page.goto(f"{base}/get?key=n")
    expect(page.locator("body")).to_have_text('"1"')


@pytest.mark.parametrize("site", [KINDS[0]], indirect=True, ids=["asgi"])
@pytest.mark.parametrize(("host", "attacker"), HOSTS)
def test_a_page_of_another_origin_opens_no_websocket(
    site: Running, context: BrowserContext, elsewhere: int, host: str, attacker: str
) -> None:
    """A sub-domain's WebSocket brings our cookie too, and no CORS stands before it: Origin decides."""
    base = site.base().replace("127.0.0.1", host)
    socket = base.replace("http:", "ws:") + "/socket"
    page = context.new_page()
    page.goto(f"{base}/set?key=n&value=1")
    assert page.evaluate(SOCKET, [socket, "get?key=n"]) == '"1"'
    page.goto(f"http://{attacker}:{elsewhere}")
    assert page.evaluate(SOCKET, [socket, "get?key=n"]) == "refused"


def test_an_origin_that_is_allowed_may_send(
    open_site: Callable[..., OpenedSite], context: BrowserContext, elsewhere: int
) -> None:
    """What the option names passes: its forms, its fetch and its WebSockets; a neighbour's do not."""
    friend, other = (f"http://{name}.localhost:{elsewhere}" for name in ("friend", "other"))
    parts = urlsplit(open_site(cross_origin=[friend]).url("http"))
    url = f"http://shop.localhost:{parts.port}{parts.path}"
    page = context.new_page()
    for origin, status, heard in ((friend, 200, True), (other, 403, False)):
        page.goto(origin)
        with answered(context, url, status):
            page.evaluate(FORM, [url, ""])
        page.wait_for_url(url)
        page.goto(origin)
        with answered(context, url, status):
            page.evaluate(FETCH, [url, {"method": "POST", "mode": "no-cors"}])
        said = page.evaluate(SOCKET, [url.replace("http:", "ws:"), ""])
        assert (said != "refused") is heard


@pytest.mark.parametrize("attacker", ["evil.localhost", "blog.shop.localhost"])
def test_the_demonstration(context: BrowserContext, elsewhere: int, tmp_path: Path, attacker: str) -> None:
    """Another page fills no cart, signs nobody up or in, and logs nobody out; the shop's own pages do."""
    with shop(tmp_path / "shop") as address:
        base = address.replace("127.0.0.1", "shop.localhost").replace("//localhost", "//shop.localhost")
        page = context.new_page()
        page.goto(f"{base}/signup")
        page.get_by_label("Name").fill("Grace")
        page.get_by_label("Password").fill("a fine password")
        page.get_by_role("main").get_by_role("button", name="Sign up").click()
        expect(page.get_by_test_id("visitor")).to_have_text("Grace")
        cookies = context.cookies()
        page.goto(f"http://{attacker}:{elsewhere}")
        for path in ("/cart", "/login", "/signup", "/logout", "/devices", "/password"):
            with answered(context, base + path, 403):
                page.evaluate(FETCH, [base + path, {"method": "POST", "mode": "no-cors"}])
            with answered(context, base + path, 403):
                page.evaluate(FORM, [base + path, ""])
            page.wait_for_url(base + path)
            page.goto(f"http://{attacker}:{elsewhere}")
        page.goto(base)
        expect(page.get_by_test_id("visitor")).to_have_text("Grace")
        assert {cookie["name"]: cookie["value"] for cookie in cookies} == {
            cookie["name"]: cookie["value"] for cookie in context.cookies()
        }
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("You have cast off.")
