# Django's admin wants a token in each form (CSRF). The console's forms have none: it looks at the headers by which a
# browser says whose page has sent a form, and refuses what does not say (mount.py).
"""The entry in Django's admin, which respects its permissions."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from sessile import RequestFacts
from sessile.console.core import Answer
from sessile.console.django.models import Session
from sessile.console.mount import LARGEST_FORM, InThread, Mounted
from sessile.django import sessions

__all__ = ["SessionAdmin"]


@admin.register(Session)
class SessionAdmin(admin.ModelAdmin):  # type: ignore[misc]
    """The console: to look takes the permission ``view_session``, to end one ``delete_session``.

    To let operators look at data, register a subclass with ``show_data = True``.
    """

    #: Whether operators may look at what sessions contain.
    show_data = False

    def has_add_permission(self, request: HttpRequest, *_: object) -> bool:
        """Return False: nobody makes a session here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Return False: nobody changes a session here."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """Return the URLs of the pages."""
        view = self.admin_site.admin_view(_exempt(self._page))
        name = f"{self.opts.app_label}_{self.opts.model_name}_changelist"
        return [path("", view, {"page": ""}, name=name), path("<path:page>", view)]

    def _page(self, request: HttpRequest, page: str) -> HttpResponse:
        mounted, facts = _mounted(self.show_data), _facts(request)
        answer = mounted.refusal(facts)
        if answer is None:
            user = request.user
            who = user.get_username() if self.has_view_permission(request) else None
            length = request.META.get("CONTENT_LENGTH") or "0"
            fits = length.isdecimal() and int(length[:9]) <= LARGEST_FORM
            body = request.body if fits else bytes(LARGEST_FORM + 1)
            query = request.META.get("QUERY_STRING", "")
            read_only = not self.has_delete_permission(request)
            answer = mounted.answer(facts, f"/{page}", query, body, who, read_only=read_only)
        return _response(answer)


def _exempt(view: Any) -> Any:
    def page(request: HttpRequest, page: str) -> HttpResponse:
        response: HttpResponse = view(request, page)
        return response

    page.csrf_exempt = True  # type: ignore[attr-defined]
    return page


@cache
def _mounted_on(made: Any, show_data: bool) -> Mounted:
    return Mounted(InThread(made), show_data=show_data, read_only=False)


def _mounted(show_data: bool) -> Mounted:
    return _mounted_on(sessions(), show_data)


def _facts(request: HttpRequest) -> RequestFacts:
    return RequestFacts(
        method=request.method or "GET",
        path=request.path,
        scheme="https" if request.is_secure() else "http",
        headers=tuple(
            (name.lower().encode(), value.encode("latin-1", "replace")) for name, value in request.headers.items()
        ),
        client=request.META.get("REMOTE_ADDR") or None,
        raw=request.META,
    )


def _response(answer: Answer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status)
    for name, value in answer.headers:
        response.headers[name] = value
    return response
