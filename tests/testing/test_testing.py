"""What applications have for their own tests."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django.test
import flask
import httpx
import pytest
import requests
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

import sessile.flask
import sessile.starlette
from sessile import CookieOptions, SessionError, Sessions, StoreUnavailable
from sessile.errors import SessionEnded
from sessile.stores.base import Closable, Connectable, Iterable, Sweepable
from sessile.stores.memory import MemoryStore
from sessile.stores.sqlite import SqliteStore
from sessile.testing import FaultyStore, FrozenClock, session_of
from tests.conftest import SECRET

ROOT = Path(__file__).parents[2]

# The session of a client ----------------------------------------------------------------------------------------------


async def show(request: Request) -> JSONResponse:
    return JSONResponse({"user": sessile.starlette.session(request).user_id, **request.session})


async def count(request: Request) -> JSONResponse:
    request.session["n"] = request.session.get("n", 0) + 1
    return JSONResponse(request.session)


def starlette_app(sessions: Sessions) -> Starlette:
    middleware = [Middleware(sessile.starlette.SessionMiddleware, sessions=sessions)]
    return Starlette(routes=[Route("/show", show), Route("/count", count)], middleware=middleware)


def flask_app(sessions: Sessions) -> flask.Flask:
    app = flask.Flask(__name__)
    sessile.flask.init_app(app, sessions)

    @app.get("/show")
    def show() -> Any:
        return {"user": sessile.flask.session.user_id, **flask.session}

    @app.get("/count")
    def count() -> Any:
        flask.session["n"] = flask.session.get("n", 0) + 1
        return {}

    return app


CLIENTS: dict[str, Callable[[Sessions], Any]] = {
    "TestClient": lambda sessions: TestClient(starlette_app(sessions)),
    "httpx": lambda sessions: httpx.Client(
        transport=httpx.WSGITransport(flask_app(sessions)), base_url="http://site.example"
    ),
    "flask": lambda sessions: flask_app(sessions).test_client(),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_session_is_set_before_a_request_and_read_after_one(client: str, sessions: Sessions) -> None:
    """Through the cookie jar, as a browser has it."""
    browser = CLIENTS[client](sessions)
    with session_of(browser, sessions) as session:
        session.login("zoe")
        session["cart"] = ["rope"]
    answer = browser.get("/show")
    assert (answer.get_json() if client == "flask" else answer.json()) == {"user": "zoe", "cart": ["rope"]}
    browser.get("/count")
    with session_of(browser, sessions) as session:
        assert session == {"cart": ["rope"], "n": 1}
        session["cart"].append("shackle")  # type: ignore[union-attr]
    browser.get("/count")
    with session_of(browser, sessions) as session:
        assert session == {"cart": ["rope", "shackle"], "n": 2}
        session.logout()
    answer = browser.get("/show")
    assert (answer.get_json() if client == "flask" else answer.json()) == {"user": None}
    assert sessions.count() == 0


async def test_a_session_of_an_async_client(sessions: Sessions) -> None:
    """Either kind of block."""
    transport = httpx.ASGITransport(starlette_app(sessions))
    async with httpx.AsyncClient(transport=transport, base_url="http://site.example") as browser:
        async with session_of(browser, sessions) as session:
            session["n"] = 5
        assert (await browser.get("/count")).json() == {"n": 6}
        with session_of(browser, sessions) as session:
            assert session["n"] == 6


@pytest.mark.parametrize("make", [django.test.Client, requests.Session])
def test_other_jars(make: Callable[[], Any], sessions: Sessions) -> None:
    """Django's, and that of requests: a new id takes the place of the old one, and a logout empties the jar."""
    browser = make()
    with session_of(browser, sessions) as session:
        session["n"] = 1
    with session_of(browser, sessions) as session:
        assert session["n"] == 1
        session.regenerate(keep=True)
    assert len(browser.cookies) == 1
    with session_of(browser, sessions) as session:
        assert session["n"] == 1
        session.destroy()
    assert len(browser.cookies) == 0


def test_a_look_changes_nothing(clock: FrozenClock) -> None:
    """No session begins, no life is extended."""
    store = FaultyStore(MemoryStore(clock=clock))
    sessions = Sessions(secret=SECRET, store=store, clock=clock, cookie=CookieOptions(max_age=60))
    browser = TestClient(starlette_app(sessions))
    with session_of(browser, sessions) as session:
        assert session.is_new
    assert (store.calls, len(browser.cookies)) == ([], 0)
    browser.get("/count")
    clock.advance(40)
    with session_of(browser, sessions) as session:
        assert session["n"] == 1
    clock.advance(40)
    with session_of(browser, sessions) as session:
        assert session == {}


def test_a_block_that_fails_changes_nothing(sessions: Sessions) -> None:
    """As a handler that fails."""
    browser = TestClient(starlette_app(sessions))
    with pytest.raises(LookupError), session_of(browser, sessions) as session:
        session["n"] = 1
        raise LookupError
    assert sessions.count() == 0
    with pytest.raises(SessionEnded, match="block of session_of"):
        session["n"] = 2


def test_sessions_that_travel_in_their_cookie() -> None:
    """They have a jar as well."""
    sessions = Sessions(secret=SECRET, store="cookie://")
    browser = TestClient(starlette_app(sessions))
    with session_of(browser, sessions) as session:
        session["n"] = 1
    assert browser.get("/count").json() == {"n": 2}


def test_what_the_client_would_not_send_is_told() -> None:
    """A secure cookie and a client that goes by http; give it the url by which it goes."""
    sessions = Sessions(secret=SECRET, cookie=CookieOptions(secure=True))
    browser = TestClient(starlette_app(sessions))
    with pytest.raises(SessionError, match="goes by http"), session_of(browser, sessions) as session:
        session["n"] = 1
    with session_of(browser, sessions, url="https://testserver") as session:
        session["n"] = 1
    assert browser.get("https://testserver/count").json() == {"n": 2}


def test_what_has_no_jar_is_refused(sessions: Sessions) -> None:
    """And sessions that travel in a header are in none."""
    with pytest.raises(SessionError, match="a dict has no jar"):
        session_of({}, sessions)
    with pytest.raises(SessionError, match="travel in a header"):
        session_of(httpx.Client(), Sessions(secret=SECRET, transport="header"))


# A store that fails ---------------------------------------------------------------------------------------------------


def test_a_verb_fails_as_often_as_the_test_says() -> None:
    store = FaultyStore(MemoryStore())
    store.fail("load", "touch", times=1)
    for verb, arguments in (("load", ("a",)), ("touch", ("a", 60))):
        with pytest.raises(StoreUnavailable, match=f"the test wants {verb} to fail"):
            getattr(store, verb)(*arguments)
    assert store.load("a") is None
    assert store.create("a", b"a", 60)
    assert store.calls == ["load", "touch", "load", "create"]


def test_an_answer_may_be_lost() -> None:
    """The store has done it, and nobody knows."""
    store = FaultyStore(MemoryStore())
    store.fail("create", after=True, error=ConnectionResetError("in that moment"))
    with pytest.raises(ConnectionResetError):
        store.create("a", b"a", 60)
    store.mend()
    assert store.load("a").payload == b"a"


async def test_a_verb_may_be_slow_in_both_colours() -> None:
    """It waits in the colour of its caller."""
    store = FaultyStore(MemoryStore())
    store.delay(seconds=0.001)
    answer = store.asynchronous().load("a")
    assert hasattr(answer, "__await__")
    assert await answer is None
    assert store.load("a") is None
    store.mend("load")
    assert store.asynchronous().load("a") is None


def test_it_can_what_the_store_can(tmp_path: Path) -> None:
    """Abilities are those of the store within."""
    store = FaultyStore(SqliteStore(tmp_path / "sessions.db"))
    assert all(isinstance(store, ability) for ability in (Iterable, Sweepable, Closable, Connectable))
    sessions = Sessions(secret=SECRET, store=store)
    assert (sessions.count(), sessions.prune(), list(sessions.all())) == (0, 0, [])
    store.fail("count")
    with pytest.raises(StoreUnavailable):
        sessions.count()
    sessions.close()
    assert not isinstance(FaultyStore(object()), Iterable)


def test_a_store_that_is_not_connected() -> None:
    """As a driver that says so itself."""
    store = FaultyStore(MemoryStore())
    browser = TestClient(starlette_app(Sessions(secret=SECRET, store=store)))
    browser.get("/count")
    store.ready = False
    store.calls.clear()
    assert (browser.get("/count").status_code, store.calls) == (503, [])


def test_a_fault_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="'lode' is no verb of a store"):
        FaultyStore(MemoryStore()).fail("lode")


# The plugin of pytest -------------------------------------------------------------------------------------------------


def run_pytest(folder: Path, test: str, *arguments: str) -> str:
    (folder / "test_it.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "sessile_pytest", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # Wherever it is installed, it is there once.
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_the_fixtures_of_the_plugin(tmp_path: Path) -> None:
    """A clock that stands still, a store in memory that fails at will, and sessions by both."""
    outcome = run_pytest(
        tmp_path,
        """
def test_sessions(sessile_sessions, sessile_store, sessile_clock):
    session = sessile_sessions.open("none")
    assert session is None and sessile_store.calls == ["load"]
    assert sessile_sessions.engine.now() == sessile_clock()

def test_each_test_has_its_own(sessile_sessions, sessile_store):
    assert sessile_store.calls == []
""",
        "-W",
        "error",
    )
    assert "2 passed" in outcome, outcome


def test_the_plugin_costs_others_nothing(tmp_path: Path) -> None:
    """It is found by its entry point, stands outside the package, and imports nothing of it until it is asked for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["pytest11"] == {"sessile": "sessile_pytest"}
    assert "src/sessile_pytest.py" in project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    outcome = run_pytest(
        tmp_path,
        "import sys\ndef test_it(): assert not [name for name in sys.modules if name in ('sessile', 'msgspec')]\n",
    )
    assert "1 passed" in outcome, outcome
