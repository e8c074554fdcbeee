"""What type checkers see of the session in each framework. Read by mypy and pyright, never run."""

from __future__ import annotations

from typing import Any, assert_type

import aiohttp.web
import falcon
import falcon.asgi
import litestar
import sanic
from django.http import HttpRequest
from fastapi import FastAPI, WebSocket
from flask import Flask
from litestar.connection import ASGIConnection
from pyramid.request import Request as PyramidRequest
from quart import Quart
from starlette.requests import Request
from tornado.web import RequestHandler
from tornado.websocket import WebSocketHandler

import sessile.aiohttp
import sessile.asgi
import sessile.bottle
import sessile.django
import sessile.falcon
import sessile.fastapi
import sessile.flask
import sessile.litestar
import sessile.pyramid
import sessile.quart
import sessile.sanic
import sessile.starlette
import sessile.tornado
import sessile.wsgi
from sessile import Session, Sessions
from sessile.http import Exchange

sessions = Sessions(secret="read it from the environment instead")
exchange = Exchange(sessions, b"", lambda: sessile.wsgi.facts_of({}))
fastapi_app = FastAPI()


async def in_asgi(scope: dict[str, Any]) -> None:
    assert_type(sessile.asgi.session(scope), Session)
    assert_type(await sessile.asgi.aload(scope), Session)


async def in_starlette(request: Request, socket: WebSocket) -> None:
    assert_type(sessile.starlette.session(request), Session)
    assert_type(sessile.starlette.session(socket), Session)
    assert_type(await sessile.starlette.aload(request), Session)


@fastapi_app.get("/")
async def in_fastapi(request: Request, session: sessile.fastapi.CurrentSession) -> dict[str, Any]:
    assert_type(session, Session)
    assert_type(sessile.fastapi.session(request), Session)
    assert_type(await sessile.fastapi.aload(request), Session)
    return session


def in_wsgi(environ: dict[str, Any]) -> None:
    assert_type(sessile.wsgi.session(environ), Session)
    assert_type(sessile.wsgi.session(environ).user_id, str | int | None)


def in_flask(app: Flask) -> None:
    sessile.flask.init_app(app, sessions)
    assert_type(sessile.flask.session, sessile.flask.Session)
    assert_type(sessile.flask.session.permanent, bool)
    sessile.flask.session.permanent = True
    sessile.flask.session.login("zoe")
    is_ours: Session = sessile.flask.session
    assert_type(is_ours.user_id, str | int | None)


async def in_quart(app: Quart) -> None:
    sessile.quart.init_app(app, sessions)
    assert_type(sessile.quart.session, sessile.quart.Session)
    assert_type(await sessile.quart.aload(), sessile.quart.Session)
    assert_type(sessile.quart.session.permanent, bool)
    is_ours: Session = sessile.quart.session
    assert_type(is_ours.user_id, str | int | None)


async def in_django(request: HttpRequest) -> None:
    assert_type(sessile.django.session(request), Session)
    assert_type(await sessile.django.aload(request), Session)


@litestar.get("/")
async def in_litestar(
    request: litestar.Request[Any, Any, Any], session: sessile.litestar.CurrentSession
) -> dict[str, Any]:
    assert_type(session, Session)
    assert_type(sessile.litestar.session(request), Session)
    assert_type(await sessile.litestar.aload(request), Session)
    return session


def in_a_guard_of_litestar(connection: ASGIConnection[Any, Any, Any, Any], handler: object) -> None:
    assert_type(sessile.litestar.session(connection), Session)


async def in_aiohttp(request: aiohttp.web.Request) -> None:
    assert_type(sessile.aiohttp.session(request), Session)
    assert_type(await sessile.aiohttp.aload(request), Session)


async def in_sanic(request: sanic.Request) -> None:
    assert_type(sessile.sanic.session(request), Session)
    assert_type(await sessile.sanic.aload(request), Session)


def in_falcon(req: falcon.Request) -> None:
    assert_type(sessile.falcon.session(req), Session)
    falcon.App(middleware=[sessile.falcon.SessionMiddleware(sessions)])


async def in_falcon_asgi(req: falcon.asgi.Request) -> None:
    assert_type(sessile.falcon.session(req), Session)
    assert_type(await sessile.falcon.aload(req), Session)
    falcon.asgi.App(middleware=[sessile.falcon.SessionMiddleware(sessions)])


def in_pyramid(request: PyramidRequest) -> None:
    assert_type(sessile.pyramid.session(request), sessile.pyramid.Session)
    assert_type(sessile.pyramid.session(request).new_csrf_token(), str)
    is_ours: Session = sessile.pyramid.session(request)
    assert_type(is_ours.user_id, str | int | None)


def in_bottle() -> None:
    assert_type(sessile.bottle.session(), Session)


class InTornado(sessile.tornado.SessionMixin, RequestHandler):
    async def get(self) -> None:
        assert_type(self.session, Session)
        assert_type(await self.load_session(), Session)
        self.session = None


class InASocketOfTornado(sessile.tornado.SessionMixin, WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        assert_type(self.session, Session)


async def in_an_integration() -> None:
    assert_type(exchange.load_lazily(), Session)
    assert_type(await exchange.load_async(), Session)
    assert_type(sessions.token_of("an id"), str)
    assert_type(sessions.sid_of("a token"), str | None)
