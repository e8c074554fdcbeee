"""Where a request has no session, the message says why: the path, another library, the order, or no middleware."""

from __future__ import annotations

from typing import Any

import bottle
import falcon
import falcon.asgi
import falcon.testing
import flask
import pytest
import quart
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from litestar import Litestar, get
from litestar import Request as LitestarRequest
from litestar.testing import TestClient as LitestarClient
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.sessions import SessionMiddleware as StarlettesMiddleware

import sessile.bottle
import sessile.falcon
import sessile.flask
import sessile.litestar
import sessile.quart
import sessile.starlette
from sessile import CookieOptions, MissingMiddleware, Sessions, asgi, wsgi
from sessile.fastapi import CurrentSession, SessionMiddleware
from tests.asgi import Browser
from tests.conftest import SECRET

OUTSIDE = r"the cookie's path is '/app', and this URL is outside it\. .*path=\"/\""


@pytest.fixture
def narrow() -> Sessions:
    """Sessions of a cookie that is for a part of the site."""
    return Sessions(secret=SECRET, cookie=CookieOptions(path="/app"))


def fastapi_site(*middleware: tuple[Any, dict[str, Any]]) -> FastAPI:
    app = FastAPI()
    for each, options in middleware:
        app.add_middleware(each, **options)

    @app.get("/")
    async def handler(session: CurrentSession) -> None: ...

    @app.get("/sync")
    def sync(request: Request) -> None:
        sessile.starlette.session(request)

    return app


@pytest.mark.parametrize("path", ["/", "/sync"])
def test_fastapi_outside_the_path(narrow: Sessions, path: str) -> None:
    """The middleware is there, so the message does not say to add it."""
    with pytest.raises(MissingMiddleware, match=OUTSIDE):
        TestClient(fastapi_site((SessionMiddleware, {"sessions": narrow}))).get(path)


async def test_asgi_outside_the_path(narrow: Sessions) -> None:
    """session() and aload() say the same."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with pytest.raises(MissingMiddleware, match=OUTSIDE):
            asgi.session(scope)
        await asgi.aload(scope)

    with pytest.raises(MissingMiddleware, match=OUTSIDE):
        await Browser(asgi.SessionMiddleware(app, narrow)).get()


def test_wsgi_outside_the_path(narrow: Sessions) -> None:
    """As under ASGI."""

    def app(environ: Any, start_response: Any) -> Any:
        wsgi.session(environ)

    with pytest.raises(MissingMiddleware, match=OUTSIDE):
        wsgi.SessionMiddleware(app, narrow)(falcon.testing.create_environ("/"), lambda *_: None)  # type: ignore[arg-type]


@pytest.mark.parametrize("application", [falcon.App, falcon.asgi.App])
def test_falcon_outside_the_path(narrow: Sessions, application: Any) -> None:
    """Under WSGI and ASGI."""
    told: list[MissingMiddleware] = []

    def look(req: Any) -> None:
        with pytest.raises(MissingMiddleware, match=OUTSIDE) as caught:
            sessile.falcon.session(req)
        told.append(caught.value)

    class Look:
        def on_get(self, req: Any, resp: Any) -> None:
            look(req)

    class LookAsync:
        async def on_get(self, req: Any, resp: Any) -> None:
            look(req)

    app = application(middleware=[sessile.falcon.SessionMiddleware(narrow)])
    app.add_route("/", Look() if application is falcon.App else LookAsync())
    falcon.testing.TestClient(app).simulate_get("/")
    assert len(told) == 1


def test_bottle_outside_the_path(narrow: Sessions) -> None:
    """The plugin is there."""
    app = bottle.Bottle()
    app.config["catchall"] = False
    app.install(sessile.bottle.SessionPlugin(narrow))
    app.route("/", "GET", lambda: str(sessile.bottle.session()))
    with pytest.raises(MissingMiddleware, match=OUTSIDE):
        app.wsgi(falcon.testing.create_environ("/"), lambda *_: None)


def test_litestar_outside_the_path(narrow: Sessions) -> None:
    """The plugin is there."""

    @get("/")
    async def handler(request: LitestarRequest[Any, Any, Any]) -> str:
        with pytest.raises(MissingMiddleware, match=OUTSIDE):
            sessile.litestar.session(request)
        return "told"

    with LitestarClient(Litestar([handler], plugins=[sessile.litestar.SessionPlugin(narrow)])) as client:
        assert client.get("/").text == "told"


def test_flask_outside_the_path(narrow: Sessions) -> None:
    """The session is empty there. Flask's own message, that there is no secret key, would mislead."""
    app = flask.Flask("narrow")
    app.testing = True
    sessile.flask.init_app(app, narrow)

    @app.get("/")
    def handler() -> str:
        assert not flask.session
        for change in (lambda: flask.session.update(n=1), sessile.flask.session, flask.session.clear):
            with pytest.raises(MissingMiddleware, match=OUTSIDE):
                change()
        return "told"

    assert app.test_client().get("/").text == "told"


async def test_quart_outside_the_path(narrow: Sessions) -> None:
    """As in Flask."""
    app = quart.Quart("narrow")
    app.testing = True
    sessile.quart.init_app(app, narrow)

    @app.get("/")
    async def handler() -> str:
        with pytest.raises(MissingMiddleware, match=OUTSIDE):
            quart.session["n"] = 1
        with pytest.raises(MissingMiddleware, match=OUTSIDE):
            await sessile.quart.aload()
        return "told"

    assert await (await app.test_client().get("/")).get_data(as_text=True) == "told"


@pytest.mark.parametrize("ours_is_outside", [True, False])
def test_a_second_middleware_is_named(ours_is_outside: bool) -> None:
    """Starlette's beside ours, in either order."""
    both: list[tuple[Any, dict[str, Any]]] = [
        (StarlettesMiddleware, {"secret_key": "x"}),
        (SessionMiddleware, {"secret": SECRET}),
    ]
    app = fastapi_site(*(both if ours_is_outside else reversed(both)))
    for path in ("/", "/sync"):
        with pytest.raises(MissingMiddleware, match=r"another library: a .*\. Remove the other session middleware"):
            TestClient(app).get(path)


def test_the_wrong_order_is_told() -> None:
    """A middleware that was added after ours runs before it."""

    class Early(BaseHTTPMiddleware):
        async def dispatch(self, request: Any, call_next: Any) -> Any:
            sessile.starlette.session(request)

    app = fastapi_site((SessionMiddleware, {"secret": SECRET}), (Early, {}))
    with pytest.raises(MissingMiddleware, match="Add sessile's SessionMiddleware last"):
        TestClient(app).get("/")
    with pytest.raises(MissingMiddleware, match=r"Add the middleware: app\.add_middleware"):
        TestClient(fastapi_site((Early, {}))).get("/")


def test_a_session_that_was_let_go_is_told() -> None:
    """Set to None, it is no want of a middleware."""
    app = fastapi_site((SessionMiddleware, {"secret": SECRET}))

    @app.get("/none")
    def let_go(request: Request) -> None:
        request.scope["session"] = None
        sessile.starlette.session(request)

    with pytest.raises(MissingMiddleware, match="set to None"):
        TestClient(app).get("/none")
