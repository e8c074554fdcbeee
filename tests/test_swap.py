# Two small applications as they stand in the wild, written for the sessions of their framework, with the tests that they
# came with. Each test runs twice: with those sessions, and with ours, for which one line of the application differs.
"""Applications that were written for Starlette's and Flask's own sessions run on ours, with one line changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import flask
import pytest
import starlette.middleware.sessions
from flask import Flask, flash, g, get_flashed_messages, redirect, render_template_string, request, session, url_for
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

import sessile.flask
import sessile.starlette
from sessile import InvalidOption, Sessions
from tests.conftest import SECRET

# The line, in both forms. --------------------------------------------------------------------------------------------

FLASK: dict[str, Callable[[Flask], Any]] = {
    "theirs": lambda app: app.config.update(SECRET_KEY=SECRET),
    "ours": lambda app: sessile.flask.init_app(app, Sessions(secret=SECRET)),
}

STARLETTE: dict[str, Callable[[Starlette], None]] = {
    "theirs": lambda app: app.add_middleware(starlette.middleware.sessions.SessionMiddleware, secret_key=SECRET),
    "ours": lambda app: app.add_middleware(sessile.starlette.SessionMiddleware, secret=SECRET),
}


# An application of Flask. ---------------------------------------------------------------------------------------------

PAGE = """{% for category, message in get_flashed_messages(with_categories=true) %}[{{ category }}: {{ message }}]
{% endfor %}{{ session.get("cart", [])|length }} things, {{ g.user or "nobody" }}, {{ session.theme }}"""


def shop(add_sessions: Callable[[Flask], Any]) -> Flask:
    """Return a shop: a log-in, a cart, messages."""
    app = Flask("shop")
    app.permanent_session_lifetime = timedelta(days=7)
    add_sessions(app)

    @app.before_request
    def know_the_user() -> None:
        g.user = session.get("user")

    @app.after_request
    def count(response: flask.Response) -> flask.Response:
        session["pages"] = session.get("pages", 0) + 1
        return response

    @app.get("/")
    def index() -> str:
        session.setdefault("theme", "light")
        return render_template_string(PAGE)

    @app.post("/login")
    def login() -> Any:
        session.clear()
        session["user"] = request.form["user"]
        session.permanent = "remember" in request.form
        flash("Welcome.", "success")
        flash("You have mail.")
        return redirect(url_for("index"))

    @app.post("/cart")
    def put() -> Any:
        if "cart" not in session:
            session["cart"] = []
        session["cart"].append({"thing": request.form["thing"], "price": 1.5})
        session.modified = True
        return {"cart": session["cart"], "new": session.new}

    @app.post("/logout")
    def logout() -> Any:
        session.pop("user", None)
        session.pop("cart", None)
        return redirect(url_for("index"))

    @app.get("/fails")
    def fails() -> Any:
        session["failed"] = True
        flask.abort(403)

    return app


@pytest.fixture(params=FLASK)
def app(request: pytest.FixtureRequest) -> Flask:
    """The shop, with either kind of sessions."""
    return shop(FLASK[request.param])


def test_flask_logs_in_and_flashes(app: Flask) -> None:
    """The redirect, the messages with their categories, once, and g."""
    client = app.test_client()
    page = client.post("/login", data={"user": "zoe"}, follow_redirects=True)
    assert page.text.split() == [
        "[success:",
        "Welcome.]",
        "[message:",
        "You",
        "have",
        "mail.]",
        "0",
        "things,",
        "zoe,",
        "light",
    ]
    assert client.get("/").text == "0 things, zoe, light"
    assert client.post("/logout", follow_redirects=True).text == "0 things, nobody, light"


def test_flask_keeps_what_is_in_a_list(app: Flask) -> None:
    """A list in the session grows, and floats and dictionaries come back."""
    client = app.test_client()
    client.get("/")
    for number in (1, 2):
        answer = client.post("/cart", data={"thing": f"pear {number}"})
        assert len(answer.json["cart"]) == number
    assert answer.json["cart"][1] == {"thing": "pear 2", "price": 1.5}
    assert client.get("/").text == "2 things, nobody, light"


def test_flask_remembers_for_a_week(app: Flask) -> None:
    """session.permanent gives the cookie the life of the application's setting."""
    for data, remembered in (({"user": "zoe", "remember": "1"}, True), ({"user": "zoe"}, False)):
        cookie = app.test_client().post("/login", data=data).headers["Set-Cookie"]
        assert ("Expires=" in cookie) is remembered


def test_flask_tests_look_into_the_session(app: Flask) -> None:
    """session_transaction prepares a session and shows it; with the client, it is there after the request."""
    client = app.test_client()
    with client.session_transaction() as prepared:
        prepared["user"] = "zoe"
        prepared["cart"] = [{"thing": "apple"}]
    with client:
        assert client.get("/").text == "1 things, zoe, light"
        assert session["user"] == g.user == "zoe"
        assert session["pages"] == 1
        assert "theme" in session
    with client.session_transaction() as found:
        assert (found["pages"], found["theme"], len(found["cart"])) == (1, "light", 1)
        del found["user"]
    assert "nobody" in client.get("/").text


def test_flask_has_a_session_in_a_context_of_its_own(app: Flask) -> None:
    """test_request_context has one that can be written to, and flashed into."""
    with app.test_request_context("/"):
        session["user"] = "zoe"
        flash("Once.")
        assert get_flashed_messages() == ["Once."]
        assert (session["user"], bool(session.permanent)) == ("zoe", False)


def test_flask_stores_what_an_error_page_leaves(app: Flask) -> None:
    """abort() is a page, and what was written before it stays."""
    client = app.test_client()
    assert client.get("/fails").status_code == 403
    with client.session_transaction() as found:
        assert found["failed"] is True


def test_flask_knows_visitors_apart(app: Flask) -> None:
    """Each client has its own session."""
    one, two = app.test_client(), app.test_client()
    one.post("/login", data={"user": "one"})
    two.post("/login", data={"user": "two"})
    assert "one" in one.get("/").text
    assert "two" in two.get("/").text


@pytest.mark.parametrize("name", ["SESSION_COOKIE_SECURE", "SESSION_COOKIE_DOMAIN", "SESSION_COOKIE_NAME"])
def test_a_setting_that_is_not_read_is_told(sessions: Sessions, name: str) -> None:
    """Flask's own settings of the cookie are not ours: one that was changed is named."""
    app = Flask("shop")
    app.config[name] = "something"
    with pytest.warns(UserWarning, match=name):
        sessile.flask.init_app(app, sessions)


# An application of Starlette. -----------------------------------------------------------------------------------------


async def start(request: Request) -> Response:
    request.session.setdefault("visits", 0)
    request.session["visits"] += 1
    user = request.session.get("user")
    messages = request.session.pop("messages", [])
    return HTMLResponse(f"{messages} {user} {request.session['visits']}")


async def log_in(request: Request) -> Response:
    request.session.clear()
    request.session.update({"user": request.query_params["user"], "messages": ["Welcome."]})
    return RedirectResponse("/", 303)


async def log_out(request: Request) -> Response:
    request.session.clear()
    return RedirectResponse("/", 303)


async def everything(request: Request) -> Response:
    return JSONResponse(request.session)


async def talk(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_json({"user": socket.session.get("user"), "has": "user" in socket.session})
    await socket.close()


def blog(add_sessions: Callable[[Starlette], None]) -> Starlette:
    """Return a blog: a log-in, messages, a WebSocket."""
    pages: dict[str, Any] = {"/": start, "/in": log_in, "/out": log_out, "/all": everything}
    app = Starlette(routes=[*(Route(path, page) for path, page in pages.items()), WebSocketRoute("/talk", talk)])
    add_sessions(app)
    return app


@pytest.fixture(params=STARLETTE)
def visitor(request: pytest.FixtureRequest) -> TestClient:
    """A visitor of the blog, with either kind of sessions."""
    return TestClient(blog(STARLETTE[request.param]))


def test_starlette_knows_who_is_there(visitor: TestClient) -> None:
    """Log-in, redirect, message, log-out."""
    assert visitor.get("/").text == "[] None 1"
    assert visitor.get("/in?user=zoe").text == "['Welcome.'] zoe 1"
    assert visitor.get("/").text == "[] zoe 2"
    assert visitor.get("/all").json() == {"user": "zoe", "visits": 2}
    assert visitor.get("/out").text == "[] None 1"


def test_starlette_has_it_in_a_websocket(visitor: TestClient) -> None:
    """socket.session is there too."""
    visitor.get("/in?user=zoe")
    with visitor.websocket_connect("/talk") as socket:
        assert socket.receive_json() == {"user": "zoe", "has": True}


def test_starlette_sets_no_cookie_for_nothing(visitor: TestClient) -> None:
    """Who only looks gets none."""
    assert visitor.get("/all").json() == {}
    assert not visitor.cookies


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"secret_key": SECRET}, "'secret'"),
        ({"secret": SECRET, "session_cookie": "session"}, "'name'"),
        ({"secret": SECRET, "max_age": 60}, "CookieOptions(max_age=...)"),
        ({"secret": SECRET, "same_site": "strict"}, "CookieOptions(same_site=...)"),
        ({"secret": SECRET, "https_only": True}, "CookieOptions(secure=...)"),
        ({"secret": SECRET, "domain": "shop.example"}, "CookieOptions(domain=...)"),
    ],
)
def test_the_words_of_starlette_are_understood(options: dict[str, Any], remedy: str) -> None:
    """Who changes the import and leaves the arguments is told what each is called here."""
    with pytest.raises(InvalidOption) as error:
        sessile.starlette.SessionMiddleware(blog(lambda app: None), **options)
    assert remedy in str(error.value)
