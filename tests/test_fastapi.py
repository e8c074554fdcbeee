"""In FastAPI: a typed dependency, beside ``request.session``."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Request, WebSocket
from starlette.testclient import TestClient

import holdfast
import holdfast.fastapi
from holdfast import Session
from holdfast.errors import MissingMiddleware
from tests.conftest import SECRET

CurrentSession = Annotated[Session, Depends(holdfast.fastapi.session)]


def application(**options: Any) -> FastAPI:
    app = FastAPI()
    app.add_middleware(holdfast.asgi.SessionMiddleware, secret=SECRET, **options)

    @app.get("/async")
    async def count(session: CurrentSession) -> dict[str, Any]:
        session["n"] = session.get("n", 0) + 1
        return session

    @app.get("/sync")
    def count_in_a_thread(session: CurrentSession) -> dict[str, Any]:
        session["n"] = session.get("n", 0) + 1
        session.save()
        return session

    @app.get("/request")
    async def through_the_request(request: Request) -> dict[str, Any]:
        return dict(request.session)

    @app.get("/static")
    async def static() -> str:
        return "static"

    @app.websocket("/ws")
    async def talk(socket: WebSocket, session: CurrentSession) -> None:
        await socket.accept()
        await socket.send_json(dict(session))
        session["ws"] = True
        await socket.close()

    return app


@pytest.mark.parametrize("lazy", [False, True])
def test_the_dependency_is_the_session(lazy: bool) -> None:
    """In async routes, in sync ones, and in WebSockets; lazy or not."""
    site = TestClient(application(lazy=lazy))
    assert site.get("/async").json() == {"n": 1}
    assert site.get("/sync").json() == {"n": 2}
    with site.websocket_connect("/ws") as socket:
        assert socket.receive_json() == {"n": 2}
    assert site.get("/async").json() == {"n": 3, "ws": True}


def test_request_session_is_the_same_session() -> None:
    """Code written for Starlette's middleware goes on working."""
    site = TestClient(application())
    site.get("/async")
    assert site.get("/request").json() == {"n": 1}


def test_a_route_without_the_dependency_costs_the_lazy_nothing() -> None:
    """No header tells that there is a session at all."""
    site = TestClient(application(lazy=True))
    site.get("/async")
    assert "vary" not in site.get("/static").headers


def test_a_missing_middleware_says_what_to_add() -> None:
    """Instead of a 500 that speaks of a scope."""
    app = FastAPI()

    @app.get("/")
    async def handler(session: CurrentSession) -> None: ...

    with pytest.raises(MissingMiddleware, match="app.add_middleware"):
        TestClient(app).get("/")


def test_the_dependency_stays_out_of_the_schema() -> None:
    """A session is no parameter of the API."""
    schema = application().openapi()
    assert "parameters" not in schema["paths"]["/async"]["get"]
