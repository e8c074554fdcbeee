"""The pages of the project."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib import admin, auth, messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from sessile.django import aload, session, sessions
from sessile.errors import TooManySessions

#: What happens in the middle of /slow: another request, as a rule.
meanwhile: list[Callable[[], Any]] = []


def ok(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


def public(request: HttpRequest) -> HttpResponse:
    return HttpResponse("body {}", headers={"Cache-Control": "public, max-age=3600"})


def everything(request: HttpRequest) -> JsonResponse:
    return JsonResponse(dict(request.session.items()))


def write(request: HttpRequest) -> HttpResponse:
    for key, value in request.GET.items():
        request.session[key] = value
    return HttpResponse(str(request.session.session_key))


def nested(request: HttpRequest) -> HttpResponse:
    if "cart" not in request.session:
        request.session["cart"] = []
    else:
        request.session["cart"].append("item")
    return HttpResponse("ok")


def slow(request: HttpRequest) -> HttpResponse:
    request.session.get("key")
    meanwhile.pop()()
    request.session["slow"] = True
    return HttpResponse("page")


def key(request: HttpRequest) -> HttpResponse:
    if not request.session.session_key:
        request.session.create()
    return HttpResponse(request.session.session_key)


def expiry(request: HttpRequest) -> HttpResponse:
    request.session.set_expiry(int(request.GET["seconds"]))
    return HttpResponse("ok")


def login(request: HttpRequest) -> HttpResponse:
    auth.login(request, auth.get_user_model().objects.get(username=request.GET["user"]))
    if "fail" in request.GET:
        raise RuntimeError("as asked for")
    return HttpResponse("ok")


def logout(request: HttpRequest) -> HttpResponse:
    auth.logout(request)
    return HttpResponse("ok")


def me(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.user.get_username())


def password(request: HttpRequest) -> HttpResponse:
    request.user.set_password(request.GET["new"])
    request.user.save()
    auth.update_session_auth_hash(request, request.user)
    if "revoke" in request.GET:
        ended = sessions().revoke_user(str(request.user.pk), keep=session(request))
        return HttpResponse(str(ended))
    return HttpResponse("ok")


def devices(request: HttpRequest) -> JsonResponse:
    listed = sessions().of_user(str(request.user.pk), current=session(request))
    return JsonResponse([[each.is_current, each.logged_in_at, each.claims] for each in listed], safe=False)


def device(request: HttpRequest) -> HttpResponse:
    user = auth.get_user_model().objects.get(username=request.GET["user"])
    auth.login(request, user)
    session(request).login(str(user.pk), device=request.GET["device"])
    return HttpResponse("ok")


def tenant(request: HttpRequest) -> HttpResponse:
    session(request).index("tenant", 5)
    return HttpResponse("ok")


def forget(request: HttpRequest) -> HttpResponse:
    del request.session[auth.SESSION_KEY]
    return HttpResponse("ok")


def known(request: HttpRequest) -> JsonResponse:
    ours = session(request)
    if "user" in request.GET:
        login(request)
    return JsonResponse([ours.user_id, ours.logged_in_at, ours.is_fresh(60)], safe=False)


def limited(request: HttpRequest) -> HttpResponse:
    login(request)
    try:
        request.session.save()
    except TooManySessions as error:
        request.session.flush()
        return HttpResponse(f"{len(error.sessions)} already")
    return HttpResponse("ok")


def say(request: HttpRequest) -> HttpResponse:
    messages.success(request, request.GET["text"])
    return HttpResponse("ok")


def said(request: HttpRequest) -> JsonResponse:
    return JsonResponse([str(each) for each in messages.get_messages(request)], safe=False)


def verbs(request: HttpRequest) -> JsonResponse:
    ours = session(request)
    ours.login("zoe")
    return JsonResponse({"user": ours.user_id, "count": ours.incr("n")})


async def averbs(request: HttpRequest) -> JsonResponse:
    ours = await aload(request)
    ours.login("zoe")
    return JsonResponse({"user": ours.user_id, "count": await ours.aincr("n")})


async def awrite(request: HttpRequest) -> HttpResponse:
    for key, value in request.GET.items():
        await request.session.aset(key, value)
    await request.session.acycle_key()
    return HttpResponse("ok")


async def alogin(request: HttpRequest) -> HttpResponse:
    await auth.alogin(request, await auth.get_user_model().objects.aget(username=request.GET["user"]))
    return HttpResponse("ok")


async def alogout(request: HttpRequest) -> HttpResponse:
    await auth.alogout(request)
    return HttpResponse("ok")


async def apassword(request: HttpRequest) -> HttpResponse:
    user = await request.auser()
    await request.session.acycle_key()
    return HttpResponse(str(await sessions().arevoke_user(str(user.pk), keep=await aload(request))))


async def adevices(request: HttpRequest) -> JsonResponse:
    user = str((await request.auser()).pk)
    listed = await sessions().aof_user(user, current=await aload(request))
    return JsonResponse([each.is_current for each in listed], safe=False)


async def ame(request: HttpRequest) -> HttpResponse:
    return HttpResponse((await request.auser()).get_username())


def replaced(request: HttpRequest) -> HttpResponse:
    """What django-allauth does at each social log-in, and what others do by hand."""
    request.session["a"] = 1
    request.session.save()
    engine = import_module(settings.SESSION_ENGINE).SessionStore
    store = request.session.__class__ if request.GET["by"] == "class" else engine
    request.session = store(request.session.session_key)
    if "rotate" in request.GET:
        request.session.cycle_key()
    request.session["b"] = 2
    return HttpResponse()


VIEWS = (replaced, public, ok, everything, write, nested, slow, key, expiry, login, logout, me, password, say, said)
AUTH_VIEWS = (devices, device, tenant, forget, known, limited)
ASYNC_VIEWS = (verbs, averbs, awrite, alogin, alogout, ame, adevices, apassword)

urlpatterns = [
    path("admin/", admin.site.urls),
    *(path(view.__name__, view) for view in VIEWS + AUTH_VIEWS + ASYNC_VIEWS),
]
