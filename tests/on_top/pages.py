"""The pages of the project, those of the packages among them."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import include, path
from two_factor.urls import urlpatterns as two_factor


def home(request: HttpRequest) -> JsonResponse:
    """Say who is there, and what is in the session but for what log-ins and wizards keep there."""
    own = {key: value for key, value in request.session.items() if not key.startswith(("_", "wizard_"))}
    return JsonResponse({"user": request.user.get_username(), "session": own})


def put(request: HttpRequest) -> HttpResponse:
    """Put what the query says into the session."""
    request.session.update(request.GET.dict())
    return HttpResponse("ok")


def remember(request: HttpRequest) -> HttpResponse:
    """Let the session live for an hour."""
    request.session.set_expiry(3600)
    return HttpResponse("ok")


def verified(request: HttpRequest) -> JsonResponse:
    """Say whether the second factor was shown."""
    return JsonResponse(request.user.is_verified(), safe=False)


urlpatterns = [
    path("", home),
    path("put/", put),
    path("remember/", remember),
    path("verified/", verified),
    path("hijack/", include("hijack.urls")),
    path("", include(two_factor)),
    path("cms/", include("wagtail.admin.urls")),
    path("documents/", include("wagtail.documents.urls")),
    path("site/", include("wagtail.urls")),
]
