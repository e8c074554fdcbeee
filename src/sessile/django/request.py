"""A request of Django, as the engine wants it; and the answer to what a browser sends by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from django.http import HttpRequest, HttpResponse

from sessile import asgi, cookies, wsgi
from sessile.django import configuration
from sessile.facts import RequestFacts

if TYPE_CHECKING:
    from sessile._engine.device.endpoints import Answer

__all__ = ["aanswer", "answer", "facts_of", "header_of"]


def header_of(request: HttpRequest) -> bytes:
    """Return the header that says whose session a request wants."""
    scope, reads = getattr(request, "scope", None), configuration.sessions().engine.reads
    if scope is not None:
        return cookies.header_of(scope, reads)
    value: str = request.META.get(wsgi.key_of(reads), "")
    return value.encode("latin-1")


def facts_of(request: HttpRequest) -> RequestFacts:
    """Return the facts of a request."""
    scope = getattr(request, "scope", None)
    facts = wsgi.facts_of(request.META) if scope is None else asgi.facts_of(scope)
    # Django has a setting that says whom to believe, SECURE_PROXY_SSL_HEADER.
    return msgspec.structs.replace(facts, scheme="https") if request.is_secure() else facts


def answer(request: HttpRequest) -> HttpResponse | None:
    """Return the answer for a session that is bound to a device, or None where a view is to answer."""
    engine = configuration.sessions().engine
    if engine.endpoints is None or request.path not in engine.endpoints.paths:
        return None
    return _whole(engine.run(engine.endpoints.answer, header_of(request), facts_of(request)))


async def aanswer(request: HttpRequest) -> HttpResponse | None:
    """The async version of ``answer``."""
    engine = configuration.sessions().engine
    if engine.endpoints is None or request.path not in engine.endpoints.paths:
        return None
    return _whole(await engine.arun(engine.endpoints.answer, header_of(request), facts_of(request)))


def _whole(answer: Answer) -> HttpResponse:
    return HttpResponse(answer.body, status=answer.status, headers=dict(answer.lines))
