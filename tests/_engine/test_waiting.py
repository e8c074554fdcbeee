"""A synchronous verb on a thread whose event loop runs does its work, and says once that it holds the loop up."""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path
from typing import Any

import flask
import pytest

import sessile.flask
from sessile import BlockingWarning, SessionError, Sessions
from sessile._engine import waiting
from sessile.stores.memory import MemoryStore
from tests.conftest import SECRET


class Remote(MemoryStore):
    """A store as one on a server is: there is another form of it for coroutines."""

    def asynchronous(self) -> Any:
        return _Awaitable(self)


class _Awaitable:
    """The verbs of a store, each to be awaited."""

    def __init__(self, inner: MemoryStore) -> None:
        self._inner = inner

    def __getattr__(self, verb: str) -> Any:
        call = getattr(self._inner, verb)

        async def answer(*arguments: Any) -> Any:
            return call(*arguments)

        return answer


@pytest.fixture(autouse=True)
def _nobody_was_warned() -> Any:
    waiting._warned.clear()
    yield
    waiting._warned.clear()


async def test_it_does_its_work_and_names_the_other_verb_once() -> None:
    sessions = Sessions(secret=SECRET, store=Remote())
    with pytest.warns(BlockingWarning, match=r"await sessions\.acount\(\)"):
        assert sessions.count() == 0
    assert sessions.count() == 0  # Warnings are errors here, and there is none.


async def test_so_do_the_verbs_of_a_session() -> None:
    sessions = Sessions(secret=SECRET, store=Remote())
    session = sessions.engine.blank()
    session["n"] = 1
    with pytest.warns(BlockingWarning, match=r"await session\.asave\(\)"):
        assert session.save() is True
    with pytest.warns(BlockingWarning, match=r"use `async with session\.lock\(\)`"), session.lock():
        session["n"] = 2
    with pytest.warns(BlockingWarning, match="use `async for`"):
        assert [dict(each) for each in sessions.all()] == [{"n": 2}]


async def test_what_waits_for_no_network_says_nothing(tmp_path: Path) -> None:
    for url in ("memory://", f"sqlite:///{tmp_path}/s.db", f"file:///{tmp_path}/folder"):
        sessions = Sessions(secret=SECRET, store=url)
        assert sessions.count() == 0
        sessions.close()


def test_without_a_loop_it_says_nothing() -> None:
    assert Sessions(secret=SECRET, store=Remote()).count() == 0


async def test_the_warning_points_at_the_line_that_called() -> None:
    sessions = Sessions(secret=SECRET, store=Remote())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sessions.revoke_user("zoe")
        sessions.engine.blank().save()
    assert [warning.filename for warning in caught] == [__file__] * 2


async def test_a_store_for_coroutines_alone_is_refused_with_the_remedy() -> None:
    class OnlyAsync:
        async def load(self, sid: str) -> None:
            return None

        create = replace = touch = delete = load

    sessions = Sessions(secret=SECRET, store=OnlyAsync())  # type: ignore[arg-type]
    with pytest.raises(SessionError, match="await"):
        sessions.open("sid")
    assert await sessions.aopen("sid") is None


def test_a_synchronous_framework_is_synchronous_on_a_running_loop_too() -> None:
    """Flask's test client in an async test, a notebook, Playwright's sync API, eventlet's asyncio hub."""
    app = flask.Flask(__name__)
    sessions = Sessions(secret=SECRET, store=Remote())
    sessile.flask.init_app(app, sessions)

    @app.get("/log-in")
    def log_in() -> str:
        sessile.flask.session.login("zoe")
        return repr(sessile.flask.session.save())

    @app.get("/revoke")
    def revoke() -> str:
        return repr((sessions.count(), sessions.revoke_user("zoe"), sessions.count()))

    async def drive() -> list[str]:
        client = app.test_client()
        return [client.get("/log-in").text, client.get("/revoke").text, client.get("/revoke").text]

    assert asyncio.run(drive()) == ["True", "(1, 1, 0)", "(0, 0, 0)"]
