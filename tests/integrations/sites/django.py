"""Django under WSGI, with ``sessile.django.SessionMiddleware``."""

from __future__ import annotations

from typing import Any

from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse

from sessile.django import session
from tests.integrations.common import CHUNK, VERBS, Gate, folder
from tests.integrations.sites.django_project import answer, configure, query_of


def verb(name: str) -> Any:
    return lambda request: answer(VERBS[name](session(request), query_of(request)))


def untouched(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


def redirect(request: HttpRequest) -> HttpResponse:
    request.session["from"] = "redirect"
    return HttpResponseRedirect("all")


def status(request: HttpRequest) -> HttpResponse:
    request.session["code"] = request.GET["code"]
    return HttpResponse("page", status=int(request.GET["code"]))


def fail(request: HttpRequest) -> HttpResponse:
    request.session["lost"] = True
    raise RuntimeError("as asked for")


def save_and_fail(request: HttpRequest) -> HttpResponse:
    request.session["saved"] = True
    request.session.save()
    raise RuntimeError("as asked for")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    request.session["stream"] = "begun"

    def chunks() -> Any:
        yield "a"
        if request.path == "/break":
            request.session["stream"] = "broken"
            raise RuntimeError("as asked for")
        yield "b"
        request.session["stream"] = "over"
        yield "c"

    return StreamingHttpResponse(chunks())


def endless(request: HttpRequest) -> StreamingHttpResponse:
    def chunks() -> Any:
        yield CHUNK
        request.session["endless"] = "going"
        while True:
            yield CHUNK

    return StreamingHttpResponse(chunks())


def headers(request: HttpRequest) -> HttpResponse:
    key = request.GET["key"]
    request.session.get(key)
    if "value" in request.GET:
        request.session[key] = request.GET["value"]
    return HttpResponse("ok", headers={"Vary": "Accept, Accept-Language", "Cache-Control": "public, max-age=60"})


def gate(request: HttpRequest) -> HttpResponse:
    request.session.get("key")
    Gate(request.GET["name"], folder()).wait()
    if "key" in request.GET:
        request.session[request.GET["key"]] = request.GET["value"]
    else:
        request.session.flush()
    return HttpResponse("ok")


def clear_slot(request: HttpRequest) -> HttpResponse:
    request.session = None
    return HttpResponse("ok")


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
    "headers": headers,
    "headers-set": headers,
    "gate": gate,
    "clear-slot": clear_slot,
}

configure(ROUTES)
app = get_wsgi_application()
