"""What type checkers see of the session in each framework. Read by mypy and pyright, never run."""

from __future__ import annotations

from typing import Any, assert_type

from fastapi import Request
from flask import Flask

import holdfast.flask
import holdfast.starlette
import holdfast.wsgi
from holdfast import Session, Sessions
from holdfast.http import Exchange

sessions = Sessions(secret="read it from the environment instead")
exchange = Exchange(sessions, b"", lambda: holdfast.wsgi.facts_of({}))


async def in_starlette(request: Request) -> None:
    assert_type(holdfast.starlette.session(request), Session)
    assert_type(await holdfast.starlette.load(request), Session)


def in_wsgi(environ: dict[str, Any]) -> None:
    assert_type(holdfast.wsgi.session(environ), Session)
    assert_type(holdfast.wsgi.session(environ).user_id, str | int | None)


def in_flask(app: Flask) -> None:
    holdfast.flask.init_app(app, sessions)
    assert_type(holdfast.flask.session, holdfast.flask.Session)
    assert_type(holdfast.flask.session.permanent, bool)
    holdfast.flask.session.permanent = True
    holdfast.flask.session.login("zoe")


async def in_an_integration() -> None:
    assert_type(exchange.load_lazily(), Session)
    assert_type(await exchange.load_async(), Session)
