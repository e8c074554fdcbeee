"""Falcon, as WSGI."""

from __future__ import annotations

import json
from typing import Any

import falcon

import sessile.falcon
from sessile import Sessions
from sessile.falcon import session
from tests.integrations.common import CHUNK, FILE, VERBS, Gate, folder, wsgi_app


def verb(name: str) -> Any:
    def handle(req: Any, resp: Any) -> None:
        resp.text = json.dumps(VERBS[name](session(req), req.params))

    return handle


def untouched(req: Any, resp: Any) -> None:
    resp.text = "ok"


def redirect(req: Any, resp: Any) -> None:
    req.context.session["from"] = "redirect"
    raise falcon.HTTPFound("all")


def status(req: Any, resp: Any) -> None:
    req.context.session["code"] = req.params["code"]
    raise falcon.HTTPError(int(req.params["code"]))


def fail(req: Any, resp: Any) -> None:
    req.context.session["lost"] = True
    raise RuntimeError("as asked for")


def save_and_fail(req: Any, resp: Any) -> None:
    req.context.session["saved"] = True
    req.context.session.save()
    raise RuntimeError("as asked for")


def stream(req: Any, resp: Any) -> None:
    session = req.context.session
    session["stream"] = "begun"

    def chunks() -> Any:
        yield b"a"
        if req.path == "/break":
            session["stream"] = "broken"
            raise RuntimeError("as asked for")
        yield b"b"
        session["stream"] = "over"
        yield b"c"

    resp.stream = chunks()


def endless(req: Any, resp: Any) -> None:
    def chunks() -> Any:
        yield CHUNK
        req.context.session["endless"] = "going"
        while True:
            yield CHUNK

    resp.stream = chunks()


def file(req: Any, resp: Any) -> None:
    req.context.session["file"] = True
    resp.set_stream(FILE.open("rb"), FILE.stat().st_size)


def headers(req: Any, resp: Any) -> None:
    req.context.session.get(req.params["key"])
    if "value" in req.params:
        req.context.session[req.params["key"]] = req.params["value"]
    resp.set_headers({"Vary": "Accept", "Cache-Control": "public, max-age=60"})
    resp.append_header("Vary", "Accept-Language")
    resp.text = "ok"


def gate(req: Any, resp: Any) -> None:
    session = req.context.session
    session.get("key")
    Gate(req.params["name"], folder()).wait()
    if "key" in req.params:
        session[req.params["key"]] = req.params["value"]
    else:
        session.destroy()


def thread(req: Any, resp: Any) -> None:
    req.context.session[req.params["key"]] = req.params["value"]


def clear_slot(req: Any, resp: Any) -> None:
    req.context.session = None


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


class Resource:
    """A page of ``ROUTES``, for GET and HEAD."""

    def __init__(self, handle: Any) -> None:
        self.on_get = self.on_head = lambda req, resp: handle(req, resp)


def make(sessions: Sessions, lazy: bool | None) -> falcon.App[Any, Any]:
    """Return the application with these sessions."""
    app = falcon.App(middleware=[sessile.falcon.SessionMiddleware(sessions, lazy=lazy)])
    app.req_options.auto_parse_qs_csv = False
    app.req_options.keep_blank_qs_values = True
    for path, handle in ROUTES.items():
        app.add_route(f"/{path}", Resource(handle))
    return app


app = wsgi_app(make)
