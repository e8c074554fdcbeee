"""Bottle."""

from __future__ import annotations

import json
from typing import Any

import bottle
from bottle import Bottle, HTTPError, request, response

import sessile.bottle
from sessile import Sessions
from sessile.bottle import session
from tests.integrations.common import CHUNK, FILE, VERBS, Gate, folder, wsgi_app


def verb(name: str) -> Any:
    return lambda: json.dumps(VERBS[name](session(), dict(request.query.decode().items())))


def untouched() -> str:
    return "ok"


def redirect() -> None:
    request.session["from"] = "redirect"
    bottle.redirect("all", 302)


def status() -> None:
    request.session["code"] = request.query.code
    raise HTTPError(int(request.query.code), "page")


def fail() -> None:
    request.session["lost"] = True
    raise RuntimeError("as asked for")


def save_and_fail() -> None:
    request.session["saved"] = True
    request.session.save()
    raise RuntimeError("as asked for")


def stream() -> Any:
    session, path = request.session, request.path
    session["stream"] = "begun"
    yield "a"
    if path == "/break":
        session["stream"] = "broken"
        raise RuntimeError("as asked for")
    yield "b"
    session["stream"] = "over"
    yield "c"


def endless() -> Any:
    session = request.session
    yield CHUNK
    session["endless"] = "going"
    while True:
        yield CHUNK


def file() -> Any:
    request.session["file"] = True
    return bottle.static_file(FILE.name, FILE.parent)


def headers() -> str:
    request.session.get(request.query.key)
    if "value" in request.query:
        request.session[request.query.key] = request.query.value
    response.set_header("Vary", "Accept")
    response.add_header("Vary", "Accept-Language")
    response.set_header("Cache-Control", "public, max-age=60")
    return "ok"


def gate() -> str:
    request.session.get("key")
    Gate(request.query.name, folder()).wait()
    if "key" in request.query:
        request.session[request.query.key] = request.query.value
    else:
        request.session.destroy()
    return "ok"


def thread() -> str:
    request.session[request.query.key] = request.query.value
    return "ok"


def clear_slot() -> str:
    request.environ["sessile.session"] = None
    return "ok"


ROUTES = {
    **{name: verb(name) for name in VERBS},
    "untouched": untouched,
    "redirect": redirect,
    "status": status,
    "raise": fail,
    "save-and-raise": save_and_fail,
    "stream": stream,
    "break": stream,
    "endless": endless,
    "file": file,
    "headers": headers,
    "headers-set": headers,
    "gate": gate,
    "thread": thread,
    "clear-slot": clear_slot,
}


def make(sessions: Sessions, lazy: bool | None) -> Bottle:
    """Return the application with these sessions."""
    app = Bottle()
    app.install(sessile.bottle.SessionPlugin(sessions, lazy=lazy is not False))
    for path, handle in ROUTES.items():
        app.route(f"/{path}", "GET", handle)
    return app


app = wsgi_app(make)
