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

import holdfast.fastapi
import holdfast.starlette
from holdfast import Session, Sessions
from holdfast.schema import typed
from holdfast.testing import FaultyStore, session_of

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
    session: Annotated[Session, Depends(holdfast.fastapi.session)],
    cart: Annotated[Cart, Depends(holdfast.fastapi.typed(Cart))],
    user_id: Annotated[str, Depends(holdfast.fastapi.LoggedIn(sessions))],
) -> None:
    assert_type(session, Session)
    assert_type(cart.items, list[str])
    assert_type(user_id, str)


assert_type(holdfast.fastapi.typed(Cart), Callable[[HTTPConnection], Awaitable[Cart]])
assert_type(holdfast.fastapi.typed(Wish, unfit="reset"), Callable[[HTTPConnection], Awaitable[Wish]])


async def in_starlette(request: HTTPConnection) -> None:
    assert_type(await holdfast.fastapi.session(request), Session)
    assert_type(await holdfast.fastapi.LoggedIn(sessions)(request), str | int)
    assert_type(await holdfast.starlette.typed(request, Profile), Profile)
    assert_type(typed(holdfast.starlette.session(request), Wish, unfit=lambda data: {**data, "thing": None}), Wish)


def in_tests(client: flask.testing.FlaskClient) -> None:
    with session_of(client, sessions) as session:
        assert_type(session, Session)
    assert_type(Sessions(secret="read it from the environment", store=FaultyStore(sessions.store)), Sessions)
