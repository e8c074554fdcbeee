"""The Django project of a site: its settings, and what both kinds of views share."""

from __future__ import annotations

import json
from typing import Any

import django
from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponse
from django.urls import path

from sessile.stores.sqlite import SqliteStore
from tests.integrations.common import FILE, SECRET, VARIANTS, Clock, Watched, folder, the_variant

urlpatterns: list[Any] = []


def answer(value: Any) -> HttpResponse:
    return HttpResponse(json.dumps(value), content_type="application/json")


def query_of(request: HttpRequest) -> dict[str, str]:
    query: dict[str, str] = request.GET.dict()
    return query


def file(request: HttpRequest) -> FileResponse:
    request.session["file"] = True
    return FileResponse(FILE.open("rb"))


def thread(request: HttpRequest) -> HttpResponse:
    request.session[request.GET["key"]] = request.GET["value"]
    return HttpResponse("ok")


def configure(routes: dict[str, Any]) -> None:
    """Make this process the site of its variant: Django has one configuration for all."""
    urlpatterns[:] = [path(name, handle) for name, handle in {"file": file, "thread": thread, **routes}.items()]
    variant = the_variant()
    options = dict(VARIANTS[variant])
    clock = Clock(folder() / "clock")
    if "store" not in options:
        options["store"] = Watched(SqliteStore(folder() / f"{variant}.db", clock=clock), folder(), variant)
    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="Django's own, which sessions have no use for here",
        ROOT_URLCONF=__name__,
        MIDDLEWARE=["sessile.django.SessionMiddleware"],
        SESSION_ENGINE="sessile.django",
        SESSION_COOKIE_NAME=options.pop("name", "connect.sid"),
        SESSION_EXPIRE_AT_BROWSER_CLOSE=True,
        SESSION_SAVE_EVERY_REQUEST=not options.pop("lazy", True),
        SESSILE={"secret": SECRET, "clock": clock, "rolling": False, **options},
        LOGGING_CONFIG=None,
    )
    django.setup()
