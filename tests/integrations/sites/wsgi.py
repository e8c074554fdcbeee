"""WSGI, without a framework."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import sessile.wsgi
from sessile import Session, Sessions
from tests.integrations.common import CHUNK, FILE, VERBS, Gate, folder, wsgi_app

PLAIN = ("Content-Type", "text/plain; charset=utf-8")


def page(start_response: Any, status: str = "200 OK", *headers: tuple[str, str], body: bytes = b"ok") -> list[bytes]:
    start_response(status, [PLAIN, ("Content-Length", str(len(body))), *headers])
    return [body]


def verb(name: str) -> Any:
    def handle(environ: Any, query: dict[str, str], session: Session, start_response: Any) -> Any:
        return page(start_response, body=json.dumps(VERBS[name](session, query)).encode())

    return handle


def untouched(environ: Any, query: dict[str, str], session: Session, start_response: Any) -> Any:
    return page(start_response)


def redirect(environ: Any, query: dict[str, str], session: Session, start_response: Any) -> Any:
    session["from"] = "redirect"
    return page(start_response, "302 Found", ("Location", "all"))


def status(environ: Any, query: dict[str, str], session: Session, start_response: Any) -> Any:
    session["code"] = query["code"]
    return page(start_response, f"{query['code']} As asked for", body=b"page")


def fail(environ: Any, query: dict[str, str], session: Session, start_response: Any) -> Any:
    session["lost"] = True
    raise RuntimeError("as asked for")


def save_and_fail(environ: Any, query: dict[str, str], session: Session, start_response: Any) -> Any:
    session["saved"] = True
    session.save()
    raise RuntimeError("as asked for")


def stream(environ: Any, query: dict[str, str], session: Session, start_response: Any) -> Any:
    # A generator: it runs, and begins the response, when the server asks for the first chunk.
    session["stream"] = "begun"
    start_response("200 OK", [PLAIN])
    yield b"a"
    if environ["PATH_INFO"] == "/break":
        session["stream"] = "broken"
        raise RuntimeError("as asked for")
    yield b"b"
    session["stream"] = "over"
    yield b"c"


def endless(environ: Any, query: dict[str, str], session: Session, start_response: Any) -> Any:
    start_response("200 OK", [PLAIN])
    yield CHUNK
    session["endless"] = "going"
    while True:
        yield CHUNK


def file(environ: Any, query: dict[str, str], session: Session, start_response: Any) -> Any:
    session["file"] = True
    start_response("200 OK", [PLAIN])
    return environ["wsgi.file_wrapper"](FILE.open("rb"), 4096)


def headers(environ: Any, query: dict[str, str], session: Session, start_response: Any) -> Any:
    session.get(query["key"])
    lines = ("Vary", "Accept"), ("Vary", "Accept-Language"), ("Cache-Control", "public, max-age=60")
    answer = page(start_response, "200 OK", *lines)
    if "value" in query:
        session[query["key"]] = query["value"]
    return answer


def gate(environ: Any, query: dict[str, str], session: Session, start_response: Any) -> Any:
    session.get("key")
    Gate(query["name"], folder()).wait()
    if "key" in query:
        session[query["key"]] = query["value"]
    else:
        session.destroy()
    return page(start_response)


def thread(environ: Any, query: dict[str, str], session: Session, start_response: Any) -> Any:
    session[query["key"]] = query["value"]
    return page(start_response)


def clear_slot(environ: Any, query: dict[str, str], session: Session, start_response: Any) -> Any:
    environ["sessile.session"] = None
    return page(start_response)


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


def application(environ: Any, start_response: Any) -> Any:
    """Answer a request."""
    handle = ROUTES.get(environ["PATH_INFO"].lstrip("/"))
    if handle is None:
        return page(start_response, "404 Not Found", body=b"no such page")
    query = dict(parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
    body = handle(environ, query, environ.get("sessile.session"), start_response)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else body


def make(sessions: Sessions, lazy: bool | None) -> Any:
    """Return the application with these sessions."""
    return sessile.wsgi.SessionMiddleware(application, sessions, lazy=lazy is not False)


app = wsgi_app(make)
