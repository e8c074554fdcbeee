"""Every framework is set up in the same two ways, and every framework's module has the same verbs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

import aiohttp.web
import bottle
import falcon
import flask
import pytest
import quart
import tornado.web
from litestar import Litestar
from pyramid.config import Configurator
from sanic import Sanic

import sessile.aiohttp
import sessile.asgi
import sessile.bottle
import sessile.falcon
import sessile.flask
import sessile.litestar
import sessile.pyramid
import sessile.quart
import sessile.sanic
import sessile.tornado
import sessile.wsgi
from sessile import InvalidOption, Sessions
from tests.conftest import SECRET


def _pyramid(**options: Any) -> None:
    settings = {f"sessile.{name}": value for name, value in options.items()}
    Configurator(settings=settings).include("sessile.pyramid")


def _sanic(**options: Any) -> None:
    name = f"ways-{len(Sanic._app_registry)}"
    try:
        sessile.sanic.init_app(Sanic(name), **options)
    finally:
        Sanic._app_registry.pop(name, None)


WAYS: dict[str, Callable[..., Any]] = {
    "asgi": lambda **options: sessile.asgi.SessionMiddleware(lambda scope, receive, send: None, **options),  # type: ignore[arg-type,return-value]
    "wsgi": lambda **options: sessile.wsgi.SessionMiddleware(lambda environ, start_response: [], **options),
    "flask": lambda **options: sessile.flask.init_app(flask.Flask("ways"), **options),
    "quart": lambda **options: sessile.quart.init_app(quart.Quart("ways"), **options),
    "litestar": lambda **options: Litestar(plugins=[sessile.litestar.SessionPlugin(**options)]),
    "aiohttp": lambda **options: sessile.aiohttp.init_app(aiohttp.web.Application(), **options),
    "sanic": _sanic,
    "falcon": lambda **options: falcon.App(middleware=[sessile.falcon.SessionMiddleware(**options)]),
    "pyramid": _pyramid,
    "pyramid's factory": lambda **options: sessile.pyramid.session_factory(**options),
    "bottle": lambda **options: bottle.Bottle().install(sessile.bottle.SessionPlugin(**options)),
    "tornado": lambda **options: sessile.tornado.init_app(tornado.web.Application(), **options),
}


@pytest.mark.parametrize("framework", WAYS)
def test_with_the_manager_or_with_the_options(framework: str) -> None:
    """``sessions=``, or ``secret=..., store=...`` directly; both at once is a mistake that says so."""
    enter = WAYS[framework]
    enter(sessions=Sessions(secret=SECRET))
    enter(secret=SECRET, store="memory://")
    with pytest.raises(InvalidOption, match="beside sessions="):
        enter(sessions=Sessions(secret=SECRET), secret=SECRET)
    with pytest.raises(InvalidOption, match="sessions"):
        enter()


@pytest.mark.parametrize(
    "module", ["asgi", "starlette", "fastapi", "litestar", "aiohttp", "sanic", "falcon", "tornado", "django"]
)
def test_a_module_has_the_two_verbs_of_a_request(module: str) -> None:
    """``session`` gives the session, typed; ``aload``, a coroutine function, loads it first if the middleware is lazy."""
    found = import_module(f"sessile.{module}")
    assert callable(found.session)
    assert not inspect.iscoroutinefunction(found.session)
    assert inspect.iscoroutinefunction(found.aload)
    assert "session" in found.__all__
    assert "aload" in found.__all__


@pytest.mark.parametrize("module", ["wsgi", "flask", "pyramid", "bottle"])
def test_a_synchronous_module_has_one(module: str) -> None:
    """There the first look loads it."""
    found = import_module(f"sessile.{module}")
    assert callable(found.session)
    assert not hasattr(found, "aload")


def test_in_quart_the_session_is_a_proxy_and_aload_a_coroutine_function() -> None:
    """``session``, and ``session()``, as in Flask."""
    assert inspect.iscoroutinefunction(sessile.quart.aload)
    assert sessile.quart.Session.__call__ is sessile.flask.Session.__call__


def test_in_flask_the_session_may_be_called_as_elsewhere() -> None:
    """``session`` and ``session()`` are ``flask.session``, the same object."""
    app = flask.Flask("ways")
    sessile.flask.init_app(app, secret=SECRET)

    @app.get("/")
    def home() -> str:
        sessile.flask.session["n"] = 1
        return str(sessile.flask.session()["n"] + flask.session["n"])

    assert app.test_client().get("/").text == "2"
