"""What type checkers see of typed sessions. Read by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, assert_type

import flask.testing
import msgspec
from fastapi import Depends, FastAPI
from fastapi.requests import HTTPConnection
from pydantic import BaseModel

import sessile.fastapi
import sessile.starlette
from sessile import Session, Sessions
from sessile.schema import typed
from sessile.testing import FaultyStore, session_of

sessions = Sessions(secret="read it from the environment instead")
app = FastAPI()


class Cart(msgspec.Struct):
    items: list[str] = []


@dataclass
class Profile:
    name: str = "nobody"


class Wish(BaseModel):
    thing: str | None = None


@app.get("/")
async def in_fastapi(
    session: sessile.fastapi.CurrentSession,
    cart: Annotated[Cart, Depends(sessile.fastapi.typed(Cart))],
    user_id: Annotated[str, Depends(sessile.fastapi.LoggedIn(sessions))],
) -> None:
    assert_type(session, Session)
    assert_type(cart.items, list[str])
    assert_type(user_id, str)


assert_type(sessile.fastapi.typed(Cart), Callable[[HTTPConnection], Awaitable[Cart]])
assert_type(sessile.fastapi.typed(Wish, unfit="reset"), Callable[[HTTPConnection], Awaitable[Wish]])


async def in_starlette(request: HTTPConnection) -> None:
    assert_type(sessile.fastapi.session(request), Session)
    assert_type(await sessile.fastapi.aload(request), Session)
    assert_type(await sessile.fastapi.LoggedIn(sessions)(request), str | int)
    assert_type(await sessile.starlette.typed(request, Profile), Profile)
    assert_type(typed(sessile.starlette.session(request), Wish, unfit=lambda data: {**data, "thing": None}), Wish)


def in_tests(client: flask.testing.FlaskClient) -> None:
    with session_of(client, sessions) as session:
        assert_type(session, Session)
    assert_type(Sessions(secret="read it from the environment", store=FaultyStore(sessions.store)), Sessions)
