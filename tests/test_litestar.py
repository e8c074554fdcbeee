"""Litestar: the plugin, the dependency, and Litestar's own ways with a session."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Litestar, Request, Response, WebSocket, get, post, websocket
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException
from litestar.testing import TestClient

import sessile.litestar
from sessile import Sessions
from sessile.errors import MissingMiddleware
from sessile.litestar import CurrentSession, SessionPlugin
from tests.conftest import SECRET


@get("/")
async def count(session: CurrentSession) -> int:
    session["n"] = int(str(session.get("n", 0))) + 1
    return int(str(session["n"]))


@get("/all")
async def show(request: Request[Any, Any, Any]) -> dict[str, Any]:
    return dict(request.session)


def client(*handlers: Any, sessions: Sessions | None = None, **more: Any) -> TestClient[Litestar]:
    plugin = SessionPlugin(sessions or Sessions(secret=SECRET), lazy=more.pop("lazy", False))
    return TestClient(Litestar([count, show, *handlers], plugins=[plugin], **more))


def test_request_session_and_the_dependency_are_the_session() -> None:
    """And Litestar's test client keeps it."""

    @get("/same")
    async def same(request: Request[Any, Any, Any], session: CurrentSession) -> bool:
        return request.session is session is sessile.litestar.session(request)

    with client(same) as browser:
        assert [browser.get("/").json() for _ in range(2)] == [1, 2]
        assert browser.get("/all").json() == {"n": 2}
        assert browser.get("/same").json() is True


@pytest.mark.parametrize("lazy", [False, True])
def test_the_id_and_routes_that_skip_the_session(lazy: bool) -> None:
    """Litestar's ``get_session_id`` and ``skip_session``."""

    @get("/id")
    async def ids(request: Request[Any, Any, Any], session: CurrentSession) -> list[str | None]:
        session["a"] = 1
        return [request.get_session_id(), session.id]

    @get("/skipped", skip_session=True)
    async def skipped(request: Request[Any, Any, Any]) -> bool:
        return "session" in request.scope

    with client(ids, skipped, lazy=lazy) as browser:
        first = browser.get("/id").json()
        assert first[0] == first[1]
        assert browser.get("/id").json() == first
        assert browser.get("/skipped").json() is False


def test_clear_session_and_set_session() -> None:
    """Litestar's own verbs: the first ends the session, the second replaces what is in it."""

    @get("/set")
    async def replace(request: Request[Any, Any, Any]) -> None:
        request.set_session({"m": 7})

    @get("/clear")
    async def clear(request: Request[Any, Any, Any]) -> None:
        request.clear_session()

    sessions = Sessions(secret=SECRET)
    with client(replace, clear, sessions=sessions) as browser:
        browser.get("/")
        browser.get("/set")
        assert browser.get("/all").json() == {"m": 7}
        assert "Max-Age=0" in browser.get("/clear").headers["set-cookie"]
        assert sessions.count() == 0


def test_a_guard_sees_the_session() -> None:
    """Guards run with the session loaded; what they write before they refuse is stored."""

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _: Any) -> None:
        session = sessile.litestar.session(connection)
        if session.user_id is None:
            session["tries"] = 1
            raise NotAuthorizedException

    @get("/login")
    async def login(session: CurrentSession) -> None:
        session.login("zoe")

    @get("/secret", guards=[guard])
    async def secret(session: CurrentSession) -> str:
        return str(session.user_id)

    with client(login, secret) as browser:
        assert browser.get("/secret").status_code == 401
        assert browser.get("/all").json() == {"tries": 1}
        browser.get("/login")
        assert browser.get("/secret").text == "zoe"


def test_an_exception_handler_makes_a_page() -> None:
    """What a handler of the application takes is a page, and stored; what none takes changes nothing."""

    @get(["/raise/1", "/raise/2"])
    async def fail(session: CurrentSession, request: Request[Any, Any, Any]) -> None:
        session["n"] = int(request.url.path[-1])
        raise LookupError if session["n"] == 1 else ValueError

    def sorry(request: Request[Any, Any, Any], error: Exception) -> Any:
        return Response("sorry", status_code=409)

    with client(fail, exception_handlers={LookupError: sorry}) as browser:
        browser.raise_server_exceptions = False
        assert browser.get("/raise/1").status_code == 409
        assert browser.get("/raise/2").status_code == 500
        assert browser.get("/all").json() == {"n": 1}


def test_a_websocket_has_the_session() -> None:
    """It knows who talks, and what it changes is stored when it is over."""

    @get("/login")
    async def login(session: CurrentSession) -> None:
        session.login("zoe")

    @websocket("/talk")
    async def talk(socket: WebSocket[Any, Any, Any], session: CurrentSession) -> None:
        await socket.accept()
        await socket.send_text(str(session.user_id))
        session["said"] = await socket.receive_text()
        await socket.close()

    with client(login, talk) as browser:
        browser.get("/login")
        with browser.websocket_connect("/talk") as socket:
            assert socket.receive_text() == "zoe"
            socket.send_text("hello")
        assert browser.get("/all").json() == {"said": "hello"}


def test_a_lazy_session_is_loaded_by_the_dependency() -> None:
    """A route without it never asks."""

    @get("/plain")
    async def plain() -> str:
        return "ok"

    with client(plain, lazy=True) as browser:
        assert [browser.get("/").json() for _ in range(2)] == [1, 2]
        assert "vary" not in browser.get("/plain").headers


def test_the_store_is_closed_with_the_application(tmp_path: Any) -> None:
    """When Litestar shuts down."""
    with client(sessions=Sessions(secret=SECRET, store=f"sqlite:///{tmp_path}/sessions.db")) as browser:
        browser.get("/")
    assert not (tmp_path / "sessions.db-wal").exists()


def test_a_missing_plugin_says_what_to_add() -> None:
    """Instead of an AttributeError."""

    @get("/")
    async def handler(request: Request[Any, Any, Any]) -> str:
        with pytest.raises(MissingMiddleware, match="SessionPlugin"):
            sessile.litestar.session(request)
        return "told"

    with TestClient(Litestar([handler])) as browser:
        assert browser.get("/").text == "told"


def test_set_session_changes_the_id() -> None:
    """It is how Litestar logs in, and an id that somebody has planted must not become that of a user."""

    @get("/login")
    async def login(request: Request[Any, Any, Any]) -> None:
        request.set_session({**request.session, "user": "zoe"})

    def visit(browser: TestClient[Litestar], path: str, token: str) -> Any:
        browser.cookies = {"connect.sid": token}
        return browser.get(path)

    with client(login) as browser:
        planted = browser.get("/").cookies["connect.sid"]
        token = visit(browser, "/login", planted).cookies["connect.sid"]
        assert visit(browser, "/all", token).json() == {"n": 1, "user": "zoe"}
        assert visit(browser, "/all", planted).json() == {}
        assert "set-cookie" not in visit(browser, "/login", token).headers


def test_a_page_of_another_origin_changes_nothing() -> None:
    """What it posts is answered with 403 before the handler runs."""
    ran: list[bool] = []

    @post("/post")
    async def change() -> str:
        ran.append(True)
        return "ok"

    with client(change) as browser:
        assert browser.post("/post", headers={"sec-fetch-site": "cross-site"}).status_code == 403
        assert ran == []
        assert browser.post("/post", headers={"sec-fetch-site": "same-origin"}).status_code == 201
