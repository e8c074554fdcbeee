"""Flask."""

from __future__ import annotations

from typing import Any

import flask
from flask import Flask, Response, jsonify, request

import sessile.flask
from sessile import Sessions
from sessile.flask import session
from tests.integrations.common import CHUNK, FILE, VERBS, Gate, folder, wsgi_app


def verb(name: str) -> Any:
    return lambda: jsonify(VERBS[name](session, request.args.to_dict()))


def untouched() -> str:
    return "ok"


def redirect() -> Any:
    session["from"] = "redirect"
    return flask.redirect("all")


def status() -> Any:
    session["code"] = request.args["code"]
    return "page", int(request.args["code"])


def fail() -> Any:
    session["lost"] = True
    raise RuntimeError("as asked for")


def save_and_fail() -> Any:
    session["saved"] = True
    session.save()
    raise RuntimeError("as asked for")


def stream() -> Any:
    session["stream"] = "begun"

    @flask.stream_with_context
    def chunks() -> Any:
        yield "a"
        if request.path == "/break":
            session["stream"] = "broken"
            raise RuntimeError("as asked for")
        yield "b"
        session["stream"] = "over"
        yield "c"

    return chunks()


def endless() -> Any:
    @flask.stream_with_context
    def chunks() -> Any:
        yield CHUNK
        session["endless"] = "going"
        while True:
            yield CHUNK

    return Response(chunks())


def file() -> Any:
    session["file"] = True
    return flask.send_file(FILE)


def headers() -> Any:
    session.get(request.args["key"])
    if "value" in request.args:
        session[request.args["key"]] = request.args["value"]
    return "ok", {"Vary": ["Accept", "Accept-Language"], "Cache-Control": "public, max-age=60"}


def gate() -> Any:
    session.get("key")
    Gate(request.args["name"], folder()).wait()
    if "key" in request.args:
        session[request.args["key"]] = request.args["value"]
    else:
        session.destroy()
    return "ok"


def thread() -> Any:
    session[request.args["key"]] = request.args["value"]
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
}


def make(sessions: Sessions, lazy: bool | None) -> Flask:
    """Return the application with these sessions."""
    app = Flask(__name__)
    sessile.flask.init_app(app, sessions, lazy=lazy is not False)
    for path, handle in ROUTES.items():
        app.add_url_rule(f"/{path}", path, handle)
    return app


app = wsgi_app(make)
