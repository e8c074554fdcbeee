"""Sessions under WSGI: what the shared suite cannot see from outside."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from werkzeug.test import Client

from sessile import Session, Sessions, StoreUnavailable
from sessile._wire.signing import Signer
from sessile.errors import InvalidOption, MissingMiddleware, SessionEnded
from sessile.stores.memory import MemoryStore
from sessile.wsgi import SessionMiddleware, facts_of, session
from tests.conftest import SECRET

PLAIN = [("Content-Type", "text/plain")]


class Down(MemoryStore):
    """A store that cannot be reached."""

    def load(self, *arguments: Any) -> Any:
        raise ConnectionError

    create = load


def counting(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)
    environ["sessile.session"]["n"] = environ["sessile.session"].get("n", 0) + 1
    return [str(environ["sessile.session"]["n"]).encode()]


def test_a_session_may_be_written_after_start_response(sessions: Sessions) -> None:
    """The head is kept until the body begins, so the cookie still finds its place."""
    browser = Client(SessionMiddleware(counting, sessions))
    assert [browser.get("/").text, browser.get("/").text] == ["1", "2"]


@pytest.mark.parametrize("options", [{}, {"indent": 1}, {"sort_keys": True}], ids=str)
def test_json_loads_the_session_that_it_writes(options: Any, sessions: Sessions) -> None:
    """json, which sees for itself whether a dict is empty, finds one that is not loaded yet not to be."""

    def written(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return [json.dumps(environ["sessile.session"], **options).encode()]

    stranger, known = Client(SessionMiddleware(written, sessions)), Client(SessionMiddleware(counting, sessions))
    known.get("/")
    known.application = stranger.application
    responses = known.get("/"), stranger.get("/")
    assert [json.loads(response.text) for response in responses] == [{"n": 1}, {}]
    assert [response.headers["Vary"] for response in responses] == ["Cookie"] * 2
    down = Client(SessionMiddleware(written, secret=SECRET, store=Down(), on_store_error="anonymous"))
    cookie = f"connect.sid={Signer([SECRET.encode()]).token('A' * 32)}"
    assert json.loads(down.get("/", headers={"Cookie": cookie}).text) == {}


def test_write_sends_the_head_first(sessions: Sessions) -> None:
    """An application that calls write() has its session committed before its first chunk."""

    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", PLAIN)
        environ["sessile.session"]["n"] = 1
        write(b"written ")
        return [b"returned"]

    response = Client(SessionMiddleware(app, sessions)).get("/")
    assert (response.text, "Set-Cookie" in response.headers) == ("written returned", True)


def test_an_error_page_commits_nothing(sessions: Sessions) -> None:
    """start_response with exc_info replaces the head that was kept, and what led to it is not stored."""

    def app(environ: Any, start_response: Any) -> Any:
        try:
            start_response("200 OK", PLAIN)
            environ["sessile.session"]["n"] = 1
            raise ValueError
        except ValueError:
            start_response("500 Failed", PLAIN, sys.exc_info())
            return [b"sorry"]

    heads: list[Any] = []
    body = SessionMiddleware(app, sessions)(
        {"PATH_INFO": "/"}, lambda *head: heads.append(head) or (lambda chunk: None)
    )
    assert (body, [head[:2] for head in heads]) == ([b"sorry"], [("500 Failed", PLAIN)])
    assert sessions.count() == 0


def test_an_error_after_the_head_is_raised(sessions: Sessions) -> None:
    """When the head has left, the server raises what the application tells it of (PEP 3333)."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        yield b"begun"
        try:
            raise ValueError("too late")
        except ValueError:
            start_response("500 Failed", PLAIN, sys.exc_info())

    with pytest.raises(ValueError, match="too late"):
        Client(SessionMiddleware(app, sessions)).get("/", buffered=True)


def test_two_heads_are_a_mistake(sessions: Sessions) -> None:
    """Calling start_response twice without exc_info is refused, as servers do."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        start_response("200 OK", PLAIN)

    with pytest.raises(AssertionError, match="exc_info"):
        Client(SessionMiddleware(app, sessions)).get("/")


def test_the_body_is_closed(sessions: Sessions) -> None:
    """close() of the application's iterable is called, whether it was read to its end or not."""
    closed = []

    class Chunks:
        def __init__(self) -> None:
            self.left = 2

        def __iter__(self) -> Chunks:
            return self

        def __next__(self) -> bytes:
            self.left -= 1
            if self.left < 0:
                raise StopIteration
            return b"x"

        def close(self) -> None:
            closed.append(self.left)

    def app(environ: Any, start_response: Any) -> Any:
        environ["sessile.session"]["n"] = 1
        start_response("200 OK", PLAIN)
        return Chunks()

    wrapped = SessionMiddleware(app, sessions)
    assert Client(wrapped).get("/", buffered=True).text == "xx"
    body: Any = wrapped({"PATH_INFO": "/", "wsgi.url_scheme": "http"}, lambda *_: lambda chunk: None)
    assert next(body) == b"x"
    body.close()
    assert closed == [-1, 1]


def test_a_complete_body_is_handed_on_as_it_is(sessions: Sessions) -> None:
    """A list stays a list, so that the server knows its length."""
    body = SessionMiddleware(counting, sessions)({"PATH_INFO": "/"}, lambda *_: lambda chunk: None)
    assert body == [b"1"]


def test_a_body_that_raises_before_its_head_changes_nothing(sessions: Sessions) -> None:
    """A generator that fails before its first chunk is an exception like any other."""

    def app(environ: Any, start_response: Any) -> Any:
        environ["sessile.session"]["n"] = 1
        start_response("200 OK", PLAIN)
        raise ValueError
        yield b""

    with pytest.raises(ValueError):
        Client(SessionMiddleware(app, sessions)).get("/")
    assert sessions.count() == 0


def test_an_outage_is_503_whatever_the_application_makes_of_it() -> None:
    """An application that catches StoreUnavailable and goes on must not show a log-out."""
    sessions = Sessions(secret=SECRET, store=Down())

    def app(environ: Any, start_response: Any) -> Any:
        try:
            environ["sessile.session"]["n"]
        except StoreUnavailable:
            start_response("200 OK", PLAIN)
        return [b"you are logged out"]

    good = Sessions(secret=SECRET)
    browser = Client(SessionMiddleware(counting, good))
    browser.get("/")
    cookie = browser.get_cookie("connect.sid")
    assert cookie is not None
    browser = Client(SessionMiddleware(app, sessions))
    browser.set_cookie("connect.sid", cookie.value)
    response = browser.get("/")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "10")


def test_changes_after_the_response_are_refused(sessions: Sessions) -> None:
    """When the request is over, a change raises rather than getting lost."""
    kept: list[Session] = []

    def app(environ: Any, start_response: Any) -> Any:
        kept.append(session(environ))
        start_response("200 OK", PLAIN)
        return [b"ok"]

    Client(SessionMiddleware(app, sessions)).get("/")
    with pytest.raises(SessionEnded, match="has been sent"):
        kept[0]["n"] = 1


def test_a_session_of_a_middleware_outside_is_kept(sessions: Sessions) -> None:
    """Of two middlewares around one application, the outer one gives the session."""
    browser = Client(SessionMiddleware(SessionMiddleware(counting, Sessions(secret=SECRET)), sessions))
    browser.get("/")
    assert sessions.count() == 1


def test_mistakes_are_told(sessions: Sessions) -> None:
    """What is missing or wrong is named, with the remedy."""
    with pytest.raises(InvalidOption, match="there is none"):
        SessionMiddleware(counting)
    with pytest.raises(InvalidOption, match="given beside"):
        SessionMiddleware(counting, sessions, name="x")
    with pytest.raises(MissingMiddleware, match="SessionMiddleware"):
        session({})


def test_the_facts_of_a_request() -> None:
    """The path is decoded, the headers are those of HTTP, a peer without an address is None."""
    facts = facts_of(
        {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "/shop",
            "PATH_INFO": "/caf\u00c3\u00a9",
            "wsgi.url_scheme": "https",
            "REMOTE_ADDR": "",
            "HTTP_X_FORWARDED_PROTO": "https",
            "CONTENT_TYPE": "text/plain",
        }
    )
    assert (facts.method, facts.path, facts.scheme, facts.client) == ("POST", "/shop/café", "https", None)
    assert (facts.header("X-Forwarded-Proto"), facts.header("content-type")) == ("https", "text/plain")


def test_an_error_page_does_not_hide_an_outage() -> None:
    """A framework that makes a page of every exception, as Bottle does, makes none of a store that is down: 503."""

    def app(environ: Any, start_response: Any) -> Any:
        try:
            return counting(environ, start_response)
        except StoreUnavailable:
            start_response("500 Internal Server Error", PLAIN, sys.exc_info())
            return [b"sorry"]

    browser = Client(SessionMiddleware(app, Sessions(secret=SECRET, store=Down())))
    cookie = f"connect.sid={Signer([SECRET.encode()]).token('A' * 32)}"
    assert browser.get("/", headers={"Cookie": cookie}).status_code == 503
