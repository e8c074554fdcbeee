"""quart.session: as Flask's, under asyncio."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import quart
from quart import Quart, websocket

import sessile.quart
from sessile import Sessions
from sessile.errors import StoreUnavailable
from sessile.quart import session
from tests.conftest import SECRET


def site(sessions: Sessions, *, lazy: bool = False) -> Quart:
    """Return an application without a SECRET_KEY."""
    app = Quart("site")
    app.config.update(TESTING=True, PERMANENT_SESSION_LIFETIME=timedelta(days=7))
    sessile.quart.init_app(app, sessions, lazy=lazy)

    @app.get("/")
    async def count() -> str:
        session["n"] = int(str(session.get("n", 0))) + 1
        return str(session["n"])

    return app


async def test_quart_session_is_the_session(sessions: Sessions) -> None:
    """quart.session has all of ours, and what Quart expects; a test client keeps it."""
    app = site(sessions)

    @app.get("/kind")
    async def kind() -> str:
        return repr((isinstance(quart.session._get_current_object(), sessile.quart.Session), session.new))  # type: ignore[attr-defined]

    browser = app.test_client()
    assert [await (await browser.get("/")).get_data() for _ in range(2)] == [b"1", b"2"]
    assert await (await browser.get("/kind")).get_data() == b"(True, False)"


async def test_a_nested_change_is_noticed(sessions: Sessions) -> None:
    """Without session.modified."""
    app = site(sessions)

    @app.get("/<item>")
    async def put(item: str) -> Any:
        session.setdefault("cart", {"items": []})["items"].append(item)  # type: ignore[index,union-attr,call-overload]
        return session["cart"]

    browser = app.test_client()
    await browser.get("/apple")
    assert await (await browser.get("/pear")).get_json() == {"items": ["apple", "pear"]}
    assert await (await browser.get("/plum")).get_json() == {"items": ["apple", "pear", "plum"]}


async def test_permanent_and_flashing(sessions: Sessions) -> None:
    """permanent = True gives the cookie app.permanent_session_lifetime; flash() survives one page."""
    app = site(sessions)

    @app.get("/flash")
    async def flash() -> str:
        session.permanent = True
        await quart.flash("Saved.")
        return "ok"

    @app.get("/flashes")
    async def flashes() -> str:
        return repr(quart.get_flashed_messages())

    browser = app.test_client()
    assert "Max-Age=604800" in (await browser.get("/flash")).headers["Set-Cookie"]
    assert await (await browser.get("/flashes")).get_data() == b"['Saved.']"
    assert await (await browser.get("/flashes")).get_data() == b"[]"


async def test_a_test_looks_at_the_session_after_the_response(sessions: Sessions) -> None:
    """``async with app.test_client() as browser`` keeps the context: what is taken out there stays in the store."""
    app = site(sessions)

    @app.get("/flash")
    async def flash() -> str:
        await quart.flash("Please log in")
        return "ok"

    @app.get("/flashes")
    async def flashes() -> Any:
        return quart.get_flashed_messages()

    browser = app.test_client()
    async with browser:
        await browser.get("/flash")
        with pytest.warns(UserWarning, match="the response has been sent"):
            assert quart.get_flashed_messages() == ["Please log in"]
    assert await (await browser.get("/flashes")).get_json() == ["Please log in"]


async def test_session_transaction(sessions: Sessions) -> None:
    """Quart's test client can prepare a session, and look at it afterwards."""
    app = site(sessions)
    browser = app.test_client()
    async with browser.session_transaction() as prepared:
        prepared["n"] = 7
    assert await (await browser.get("/")).get_data() == b"8"
    async with browser.session_transaction() as left:
        assert dict(left) == {"n": 8}


async def test_a_websocket_has_the_session(sessions: Sessions) -> None:
    """It knows who talks, and what it changes is stored when the visitor leaves."""
    app = site(sessions)

    @app.get("/login")
    async def login() -> str:
        session.login("zoe")
        return "ok"

    @app.get("/all")
    async def show() -> Any:
        return dict(session)

    @app.websocket("/talk")
    async def talk() -> None:
        await websocket.send(str(session.user_id))
        session["said"] = await websocket.receive()
        await websocket.send("stored")

    browser = app.test_client()
    await browser.get("/login")
    async with browser.websocket("/talk") as talking:
        assert await talking.receive() == "zoe"
        await talking.send("hello")
        assert await talking.receive() == "stored"
    assert await (await browser.get("/all")).get_json() == {"said": "hello"}


async def test_a_lazy_session_is_loaded_on_demand(sessions: Sessions) -> None:
    """With load()."""
    app = site(sessions, lazy=True)

    @app.get("/lazy")
    async def lazy() -> str:
        loaded = await sessile.quart.aload()
        loaded["n"] = int(str(loaded.get("n", 0))) + 1
        return str(session["n"])

    browser = app.test_client()
    assert [await (await browser.get("/lazy")).get_data() for _ in range(2)] == [b"1", b"2"]


async def test_the_application_may_answer_an_outage() -> None:
    """An error handler of the application for StoreUnavailable, where a handler meets the outage."""
    app = site(Sessions(secret=SECRET))

    @app.errorhandler(StoreUnavailable)
    async def sorry(error: Exception) -> Any:
        return "back soon", 503

    @app.get("/down")
    async def down() -> str:
        raise StoreUnavailable("down")

    assert await (await app.test_client().get("/down")).get_data() == b"back soon"


async def test_the_store_is_closed_with_the_application(tmp_path: Any) -> None:
    """When Quart shuts down."""
    app = site(Sessions(secret=SECRET, store=f"sqlite:///{tmp_path}/sessions.db"))
    async with app.test_app() as running:
        await running.test_client().get("/")
    assert not (tmp_path / "sessions.db-wal").exists()
