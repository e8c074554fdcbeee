"""Pyramid."""

from __future__ import annotations

from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound, exception_response
from pyramid.response import FileResponse, Response

from sessile import Sessions
from tests.integrations.common import CHUNK, FILE, VERBS, Gate, folder, wsgi_app


def verb(name: str) -> Any:
    return lambda request: Response(json=VERBS[name](request.session, dict(request.GET)))


def untouched(request: Any) -> Response:
    return Response("ok")


def redirect(request: Any) -> None:
    request.session["from"] = "redirect"
    raise HTTPFound("all")


def status(request: Any) -> None:
    request.session["code"] = request.GET["code"]
    raise exception_response(int(request.GET["code"]))


def fail(request: Any) -> None:
    request.session["lost"] = True
    raise RuntimeError("as asked for")


def save_and_fail(request: Any) -> None:
    request.session["saved"] = True
    request.session.save()
    raise RuntimeError("as asked for")


def stream(request: Any) -> Response:
    session = request.session
    session["stream"] = "begun"

    def chunks() -> Any:
        yield b"a"
        if request.path.endswith("/break"):
            session["stream"] = "broken"
            raise RuntimeError("as asked for")
        yield b"b"
        session["stream"] = "over"
        yield b"c"

    return Response(app_iter=chunks())


def endless(request: Any) -> Response:
    def chunks() -> Any:
        yield CHUNK
        request.session["endless"] = "going"
        while True:
            yield CHUNK

    request.session.get("key")
    return Response(app_iter=chunks())


def file(request: Any) -> FileResponse:
    request.session["file"] = True
    return FileResponse(FILE, request)


def headers(request: Any) -> Response:
    request.session.get(request.GET["key"])
    if "value" in request.GET:
        request.session[request.GET["key"]] = request.GET["value"]
    response = Response("ok", headers={"Vary": "Accept", "Cache-Control": "public, max-age=60"})
    response.headers.add("Vary", "Accept-Language")
    return response


def gate(request: Any) -> Response:
    request.session.get("key")
    Gate(request.GET["name"], folder()).wait()
    if "key" in request.GET:
        request.session[request.GET["key"]] = request.GET["value"]
    else:
        request.session.destroy()
    return Response("ok")


def thread(request: Any) -> Response:
    request.session[request.GET["key"]] = request.GET["value"]
    return Response("ok")


def clear_slot(request: Any) -> Response:
    request.session.touch()  # A session that nobody has asked for is not there to be let go of.
    request.session = None
    return Response("ok")


ROUTES = {
    **{name: verb(name) for name in VERBS},
    "flash": lambda request: Response(json=request.session.flash(request.GET["message"])),
    "flashes": lambda request: Response(json=request.session.pop_flash()),
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


def make(sessions: Sessions, lazy: bool | None) -> Any:
    """Return the application with these sessions."""
    config = Configurator(settings={"sessile.sessions": sessions, "sessile.lazy": lazy is not False})
    config.include("sessile.pyramid")
    for path, handle in ROUTES.items():
        config.add_route(path, f"/{path}")
        config.add_view(handle, route_name=path)
    return config.make_wsgi_app()


app = wsgi_app(make)
