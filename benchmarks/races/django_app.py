"""Django's sessions, with the engine given: "db" (SQLite), "cached_db" or "file".

What ``django.contrib.auth`` does: ``cycle_key`` at the login, ``flush`` at the logout. Only where the engine keeps its
records is set; the cache of "cached_db" is the default one, in memory.
"""

from __future__ import annotations

import os
import sys

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from gate import wait
from server import serve_wsgi


def login(request: HttpRequest) -> HttpResponse:
    request.session.cycle_key()
    request.session["user"] = "zoe"
    return HttpResponse("")


def logout(request: HttpRequest) -> HttpResponse:
    request.session.flush()
    return HttpResponse("")


def me(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"user": request.session.get("user"), **dict(request.session.items())})


def write(request: HttpRequest) -> HttpResponse:
    request.session["b"] = 1
    return HttpResponse("")


def slow_read(request: HttpRequest) -> HttpResponse:
    user = request.session.get("user")
    wait()
    return HttpResponse(str(user))


def slow_write(request: HttpRequest) -> HttpResponse:
    user = request.session.get("user")
    wait()
    request.session["a"] = 1
    return HttpResponse(str(user))


urlpatterns = [
    path("login", login),
    path("logout", logout),
    path("me", me),
    path("write", write),
    path("slow-read", slow_read),
    path("slow-write", slow_write),
]

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    SECRET_KEY="a secret that is long enough for tests!",
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.sessions"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(os.environ["FOLDER"], "db")}},
    SESSION_ENGINE=f"django.contrib.sessions.backends.{sys.argv[1]}",
    SESSION_FILE_PATH=os.environ["FOLDER"],
)
django.setup()
call_command("migrate", verbosity=0)
serve_wsgi(get_wsgi_application())
