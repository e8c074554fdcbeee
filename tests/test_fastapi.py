"""In FastAPI: a typed dependency, beside ``request.session``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request, WebSocket, WebSocketDisconnect
from pydantic import BaseModel
from starlette.responses import JSONResponse, StreamingResponse
from starlette.testclient import TestClient

import sessile
import sessile.fastapi
from sessile import CookieOptions, InvalidOption, Sessions
from sessile.errors import MissingMiddleware
from sessile.stores.memory import MemoryStore
from sessile.testing import FaultyStore
from tests.conftest import SECRET

CurrentSession = sessile.fastapi.CurrentSession


def application(**options: Any) -> FastAPI:
    app = FastAPI()
    app.add_middleware(sessile.asgi.SessionMiddleware, secret=SECRET, **options)

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


# Typed sessions -------------------------------------------------------------------------------------------------------


class Cart(msgspec.Struct):
    items: list[str] = []
    total: int = 0


class Profile(BaseModel):
    name: str = "nobody"


CurrentCart = Annotated[Cart, Depends(sessile.fastapi.typed(Cart))]
CurrentProfile = Annotated[Profile, Depends(sessile.fastapi.typed(Profile))]


def shop(**options: Any) -> FastAPI:
    app = FastAPI()
    app.add_middleware(sessile.asgi.SessionMiddleware, secret=SECRET, **options)

    @app.get("/async/{item}")
    async def put(item: str, cart: CurrentCart) -> dict[str, Any]:
        cart.items.append(item)
        return {"items": cart.items}

    @app.get("/sync/{item}")
    def put_in_a_thread(item: str, cart: CurrentCart) -> dict[str, Any]:
        cart.items.append(item)
        return {"items": cart.items}

    @app.get("/spoil")
    async def spoil(session: CurrentSession) -> str:
        session.update(total="plenty", name=["zoe"], other=True)
        return "spoiled"

    @app.get("/both")
    async def both(cart: CurrentCart, profile: CurrentProfile, session: CurrentSession) -> dict[str, Any]:
        return {"total": cart.total, "name": profile.name, "stored": dict(session)}

    @app.websocket("/ws")
    async def talk(socket: WebSocket, cart: CurrentCart) -> None:
        await socket.accept()
        async for item in socket.iter_text():
            cart.items.append(item)
            await socket.send_json(cart.items)

    @app.get("/static")
    async def static() -> str:
        return "static"

    return app


@pytest.mark.parametrize("lazy", [False, True])
def test_a_typed_session_is_stored(lazy: bool) -> None:
    """From async routes, from sync ones, and from WebSockets, when they are over; lazy or not."""
    site = TestClient(shop(lazy=lazy))
    assert site.get("/async/rope").json() == {"items": ["rope"]}
    assert site.get("/sync/shackle").json() == {"items": ["rope", "shackle"]}
    with site.websocket_connect("/ws") as socket:
        socket.send_text("cleat")
        assert socket.receive_json() == ["rope", "shackle", "cleat"]
    assert site.get("/async/line").json() == {"items": ["rope", "shackle", "cleat", "line"]}


def test_what_changes_after_the_response_began_is_stored() -> None:
    """In a background task, in a stream, in what a dependency does at its end."""
    app = FastAPI()
    app.add_middleware(sessile.asgi.SessionMiddleware, secret=SECRET)

    async def closing(cart: CurrentCart) -> AsyncIterator[None]:
        yield
        cart.items.append("closing")

    @app.get("/", dependencies=[Depends(closing)])
    async def stream(cart: CurrentCart, session: CurrentSession, tasks: BackgroundTasks) -> StreamingResponse:
        session["begun"] = True
        tasks.add_task(cart.items.append, "task")

        async def lines() -> AsyncIterator[str]:
            yield "line"
            cart.items.append("stream")

        return StreamingResponse(lines(), background=tasks)

    @app.get("/cart")
    async def show(cart: CurrentCart) -> list[str]:
        return cart.items

    site = TestClient(app)
    assert site.get("/").text == "line"
    assert set(site.get("/cart").json()) == {"stream", "task", "closing"}


@pytest.mark.parametrize("lazy", [False, True])
def test_a_typed_session_that_was_left_alone_is_not_stored(lazy: bool) -> None:
    """Its defaults are nobody's data. A route without it asks the store for nothing, if the middleware is lazy."""
    store = FaultyStore(MemoryStore())
    site = TestClient(shop(lazy=lazy, store=store))
    assert "set-cookie" not in site.get("/both").headers
    site.get("/async/rope")
    store.calls.clear()
    site.get("/static")
    assert store.calls == ([] if lazy else ["load", "touch"])


def test_a_stored_value_that_does_not_fit_is_no_error() -> None:
    """Each field that does not fit has its default; two schemas share a session."""
    told: list[str] = []
    site = TestClient(shop(on_event=lambda event: told.append(event.detail)))
    site.get("/spoil")
    stored = {"total": "plenty", "name": ["zoe"], "other": True}
    assert site.get("/both").json() == {"total": 0, "name": "nobody", "stored": stored}
    assert {"Cart: total", "Profile: name"} <= set(told)


def test_a_typed_session_stays_out_of_the_schema() -> None:
    """It is no parameter and no body of the API."""
    operation = shop().openapi()["paths"]["/both"]["get"]
    assert "parameters" not in operation
    assert "requestBody" not in operation


def test_a_schema_that_cannot_be_used_is_refused_at_once() -> None:
    """When the application is made, not when a visitor comes."""
    with pytest.raises(InvalidOption, match="Give a class with a default for each field"):
        sessile.fastapi.typed(int)
    with pytest.raises(InvalidOption, match="unfit"):
        sessile.fastapi.typed(Cart, unfit="ignore")  # type: ignore[arg-type]


def test_typed_sessions_in_starlette() -> None:
    """The same, with the request."""

    async def handle(request: Request) -> JSONResponse:
        cart = await sessile.starlette.typed(request, Cart)
        cart.total += 1
        return JSONResponse(cart.total)

    app = FastAPI()
    app.add_middleware(sessile.asgi.SessionMiddleware, secret=SECRET, lazy=True)
    app.add_route("/", handle)
    site = TestClient(app)
    assert [site.get("/").json(), site.get("/").json()] == [1, 2]


# Who is logged in -----------------------------------------------------------------------------------------------------


def members(lazy: bool = False, **options: Any) -> FastAPI:
    sessions = Sessions(secret=SECRET, **options)
    app = FastAPI()
    app.add_middleware(sessile.asgi.SessionMiddleware, sessions=sessions, lazy=lazy)
    logged_in = sessile.fastapi.LoggedIn(sessions)

    @app.get("/login")
    async def log_in(session: CurrentSession) -> str:
        session.login("zoe")
        return "welcome"

    @app.get("/me")
    def me(user_id: str = Depends(logged_in)) -> str:
        return user_id

    @app.get("/inside", dependencies=[Depends(logged_in)])
    async def inside() -> str:
        return "inside"

    @app.websocket("/ws")
    async def talk(socket: WebSocket, user_id: str = Depends(logged_in)) -> None:
        await socket.accept()
        await socket.send_text(user_id)
        await socket.close()

    return app


@pytest.mark.parametrize("lazy", [False, True])
def test_who_is_not_logged_in_is_refused(lazy: bool) -> None:
    """With 401, which says what to come with; at a WebSocket with 1008. No session begins by that."""
    site = TestClient(members(lazy))
    for path in ("/me", "/inside"):
        response = site.get(path)
        assert (response.status_code, response.headers["www-authenticate"]) == (401, "APIKey")
        assert "set-cookie" not in response.headers
    with pytest.raises(WebSocketDisconnect) as refused, site.websocket_connect("/ws"):
        pass
    assert refused.value.code == 1008


@pytest.mark.parametrize("lazy", [False, True])
def test_who_is_logged_in_is_known(lazy: bool) -> None:
    """In sync and async routes, and in WebSockets."""
    site = TestClient(members(lazy))
    site.get("/login")
    assert site.get("/me").json() == "zoe"
    assert site.get("/inside").json() == "inside"
    with site.websocket_connect("/ws") as socket:
        assert socket.receive_text() == "zoe"


@pytest.mark.parametrize(
    ("options", "scheme"),
    [
        ({}, {"type": "apiKey", "in": "cookie", "name": "connect.sid"}),
        ({"name": "__Host-id"}, {"type": "apiKey", "in": "cookie", "name": "__Host-id"}),
        ({"transport": "header"}, {"type": "apiKey", "in": "header", "name": "X-Session-Token"}),
        ({"transport": "bearer"}, {"type": "http", "scheme": "bearer"}),
    ],
)
def test_openapi_knows_where_the_session_is(options: Any, scheme: Any) -> None:
    """The routes for those who are logged in have the security scheme, the others have none."""
    if options.get("name"):
        options = {**options, "cookie": CookieOptions(secure=True)}
    schema = members(**options).openapi()
    assert schema["components"]["securitySchemes"] == {"session": scheme}
    assert schema["paths"]["/me"]["get"]["security"] == [{"session": []}]
    assert schema["paths"]["/inside"]["get"]["security"] == [{"session": []}]
    assert "security" not in schema["paths"]["/login"]["get"]


# Outages --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("handler", ["/async", "/sync"])
def test_an_outage_is_answered_alike_lazy_or_not(handler: str, lazy: bool) -> None:
    """503, or no session, as the options say."""
    for policy, status in (("unavailable", 503), ("anonymous", 200)):
        store = FaultyStore(MemoryStore())
        site = TestClient(application(lazy=lazy, store=store, on_store_error=policy))
        site.get("/async")
        store.fail()
        if handler == "/sync" and policy == "anonymous":
            continue  # It saves at once, which nothing can make up for.
        response = site.get(handler)
        assert (response.status_code, "set-cookie" in response.headers) == (status, False)
        store.mend()
        assert site.get("/async").json() == {"n": 2}
