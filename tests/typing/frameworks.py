"""What type checkers see of the session in each framework. Read by mypy and pyright, never run."""

from __future__ import annotations

from typing import Annotated, Any, assert_type

import aiohttp.web
import falcon
import falcon.asgi
import litestar
import sanic
from django.http import HttpRequest
from fastapi import Depends, FastAPI, WebSocket
from flask import Flask
from litestar.connection import ASGIConnection
from pyramid.request import Request as PyramidRequest
from quart import Quart
from starlette.requests import Request
from tornado.web import RequestHandler
from tornado.websocket import WebSocketHandler

import holdfast.aiohttp
import holdfast.asgi
import holdfast.bottle
import holdfast.django
import holdfast.falcon
import holdfast.fastapi
import holdfast.flask
import holdfast.litestar
import holdfast.pyramid
import holdfast.quart
import holdfast.sanic
import holdfast.starlette
import holdfast.tornado
import holdfast.wsgi
from holdfast import Session, Sessions
from holdfast.http import Exchange

sessions = Sessions(secret="read it from the environment instead")
exchange = Exchange(sessions, b"", lambda: holdfast.wsgi.facts_of({}))
fastapi_app = FastAPI()


async def in_asgi(scope: dict[str, Any]) -> None:
    assert_type(holdfast.asgi.session(scope), Session)
    assert_type(await holdfast.asgi.load(scope), Session)


async def in_starlette(request: Request, socket: WebSocket) -> None:
    assert_type(holdfast.starlette.session(request), Session)
    assert_type(holdfast.starlette.session(socket), Session)
    assert_type(await holdfast.starlette.load(request), Session)


@fastapi_app.get("/")
async def in_fastapi(
    request: Request, session: Annotated[Session, Depends(holdfast.fastapi.session)]
) -> dict[str, Any]:
    assert_type(session, Session)
    assert_type(await holdfast.fastapi.session(request), Session)
    return session


def in_wsgi(environ: dict[str, Any]) -> None:
    assert_type(holdfast.wsgi.session(environ), Session)
    assert_type(holdfast.wsgi.session(environ).user_id, str | int | None)


def in_flask(app: Flask) -> None:
    holdfast.flask.init_app(app, sessions)
    assert_type(holdfast.flask.session, holdfast.flask.Session)
    assert_type(holdfast.flask.session.permanent, bool)
    holdfast.flask.session.permanent = True
    holdfast.flask.session.login("zoe")
    is_ours: Session = holdfast.flask.session
    assert_type(is_ours.user_id, str | int | None)


async def in_quart(app: Quart) -> None:
    holdfast.quart.init_app(app, sessions)
    assert_type(holdfast.quart.session, holdfast.quart.Session)
    assert_type(await holdfast.quart.load(), holdfast.quart.Session)
    assert_type(holdfast.quart.session.permanent, bool)
    is_ours: Session = holdfast.quart.session
    assert_type(is_ours.user_id, str | int | None)


async def in_django(request: HttpRequest) -> None:
    assert_type(holdfast.django.session(request), Session)
    assert_type(await holdfast.django.asession(request), Session)


@litestar.get("/")
async def in_litestar(
    request: litestar.Request[Any, Any, Any], session: holdfast.litestar.CurrentSession
) -> dict[str, Any]:
    assert_type(session, Session)
    assert_type(holdfast.litestar.session(request), Session)
    assert_type(await holdfast.litestar.load(request), Session)
    return session


def in_a_guard_of_litestar(connection: ASGIConnection[Any, Any, Any, Any], handler: object) -> None:
    assert_type(holdfast.litestar.session(connection), Session)


async def in_aiohttp(request: aiohttp.web.Request) -> None:
    assert_type(holdfast.aiohttp.session(request), Session)
    assert_type(await holdfast.aiohttp.load(request), Session)


async def in_sanic(request: sanic.Request) -> None:
    assert_type(holdfast.sanic.session(request), Session)
    assert_type(await holdfast.sanic.load(request), Session)


def in_falcon(req: falcon.Request) -> None:
    assert_type(holdfast.falcon.session(req), Session)
    falcon.App(middleware=[holdfast.falcon.SessionMiddleware(sessions)])


async def in_falcon_asgi(req: falcon.asgi.Request) -> None:
    assert_type(holdfast.falcon.session(req), Session)
    assert_type(await holdfast.falcon.load(req), Session)
    falcon.asgi.App(middleware=[holdfast.falcon.SessionMiddleware(sessions)])


def in_pyramid(request: PyramidRequest) -> None:
    assert_type(holdfast.pyramid.session(request), holdfast.pyramid.Session)
    assert_type(holdfast.pyramid.session(request).new_csrf_token(), str)
    is_ours: Session = holdfast.pyramid.session(request)
    assert_type(is_ours.user_id, str | int | None)


def in_bottle() -> None:
    assert_type(holdfast.bottle.session(), Session)


class InTornado(holdfast.tornado.SessionMixin, RequestHandler):
    async def get(self) -> None:
        assert_type(self.session, Session)
        assert_type(await self.load_session(), Session)
        self.session = None


class InASocketOfTornado(holdfast.tornado.SessionMixin, WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        assert_type(self.session, Session)


async def in_an_integration() -> None:
    assert_type(exchange.load_lazily(), Session)
    assert_type(await exchange.load_async(), Session)
    assert_type(sessions.token_of("an id"), str)
    assert_type(sessions.sid_of("a token"), str | None)
