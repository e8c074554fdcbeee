"""request.session in Bottle: WebTest, mounts, and handlers that yield."""

from __future__ import annotations

from typing import Any

import bottle
import pytest
from bottle import Bottle, request
from webtest import TestApp as Browser

from sessile import CookieOptions, Sessions
from sessile.bottle import SessionPlugin, session
from sessile.errors import MissingMiddleware
from tests.conftest import SECRET


def count() -> str:
    request.session["n"] = request.session.get("n", 0) + 1
    return str(request.session["n"])


def site(sessions: Sessions) -> Bottle:
    """Return an application with the plugin."""
    app = Bottle()
    app.install(SessionPlugin(sessions))
    app.route("/", "GET", count)
    return app


def test_webtest_knows_a_visitor_again(sessions: Sessions) -> None:
    """WebTest, which most tests of Bottle use, keeps the cookie."""
    browser = Browser(site(sessions))
    assert [browser.get("/").text, browser.get("/").text] == ["1", "2"]


def test_a_session_that_a_handler_returns_is_written(sessions: Sessions) -> None:
    """Returning it is looking at it: it is loaded, and caches are told, whichever json Bottle has found."""
    app = site(sessions)
    app.route("/all", "GET", lambda: request.session)
    browser, stranger = Browser(app), Browser(app)
    browser.get("/")
    responses = browser.get("/all"), stranger.get("/all")
    assert [response.json for response in responses] == [{"n": 1}, {}]
    assert [response.headers["Vary"] for response in responses] == ["Cookie"] * 2


def test_the_typed_session_is_the_same(sessions: Sessions) -> None:
    """sessile.bottle.session() is request.session."""
    app = site(sessions)
    app.route("/same", "GET", lambda: str(session() is request.session))
    assert Browser(app).get("/same").text == "True"


def test_without_the_plugin_the_remedy_is_told() -> None:
    """session() says what is missing."""
    app = Bottle()
    app.config["catchall"] = False
    app.route("/", "GET", lambda: str(session()))
    with pytest.raises(MissingMiddleware, match="SessionPlugin"):
        Browser(app).get("/")


def test_outside_the_path_there_is_no_session() -> None:
    """Where the cookie is not sent, request has no session."""
    app = site(Sessions(secret=SECRET, cookie=CookieOptions(path="/app")))
    app.route("/none", "GET", lambda: str(hasattr(request, "session")))
    assert Browser(app).get("/none").text == "False"


def test_a_mounted_application_shares_the_session(sessions: Sessions) -> None:
    """An application that is mounted has the session of the one it is mounted in, whether or not it has a plugin."""
    app = site(sessions)
    app.mount("/plain/", Bottle())
    child, other = Bottle(), site(sessions)
    child.route("/", "GET", count)
    app.mount("/child/", child)
    app.mount("/other/", other)
    browser = Browser(app)
    assert [browser.get(path).text for path in ("/", "/child/", "/other/")] == ["1", "2", "3"]


def test_hooks_and_error_pages_have_the_session(sessions: Sessions) -> None:
    """What a hook or an error page writes is stored: the commit comes after all of them."""
    app = site(sessions)

    @app.hook("after_request")
    def after() -> None:
        request.session["hook"] = True

    @app.error(404)
    def missing(error: Any) -> str:
        request.session["missed"] = request.path
        return "missing"

    app.route("/all", "GET", lambda: dict(request.session))
    browser = Browser(app)
    browser.get("/nowhere", status=404)
    assert browser.get("/all").json == {"hook": True, "missed": "/nowhere"}


def test_a_cookie_of_the_application_stays(sessions: Sessions) -> None:
    """Bottle's own cookies, signed or not, are sent beside ours, and through a redirect."""
    app = site(sessions)

    @app.get("/away")
    def away() -> None:
        request.session["n"] = 7
        bottle.response.set_cookie("theme", "dark", secret="bottle's own")
        bottle.redirect("/")

    browser = Browser(app)
    assert {line.partition("=")[0] for line in browser.get("/away").headers.getall("Set-Cookie")} == {
        "theme",
        "connect.sid",
    }
    assert browser.get("/").text == "8"
