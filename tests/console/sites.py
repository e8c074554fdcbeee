"""Sites that have mounted the console: ``python -m tests.console.sites fastapi URL-OF-A-STORE``

/login?user=NAME logs in, /me says who is. "zoe" may enter the console, and in Django "lena" may look, and end nothing.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request

from sessile import RequestFacts, Session, Sessions
from tests.conftest import SECRET

#: Where each site has its console.
PREFIXES = {"fastapi": "/console/", "flask": "/console/", "django": "/admin/sessile_console/session/"}


def administrator(session: Session, request: RequestFacts) -> str | None:
    return "zoe" if session.user_id == "zoe" else None


def announce(port: int) -> None:
    print(f"The site is open: http://localhost:{port}", flush=True)


def by_fastapi(store: str) -> None:
    import uvicorn
    from fastapi.responses import PlainTextResponse

    from sessile.console.asgi import console
    from sessile.fastapi import SessionMiddleware, session

    sessions = Sessions(secret=SECRET, store=store)
    app = FastAPI()

    @app.get("/login")
    async def log_in(request: Request, user: str) -> PlainTextResponse:
        session(request).login(user, device="Firefox on Linux")
        return PlainTextResponse("welcome")

    @app.get("/me")
    async def me(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(session(request).user_id))

    app.mount("/console", console(sessions, who=administrator))
    app.add_middleware(SessionMiddleware, sessions=sessions)
    listener = socket.create_server(("127.0.0.1", 0))
    announce(listener.getsockname()[1])
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


def serve(app: Any) -> None:
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: Any) -> None:
            pass

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    announce(server.port)
    server.serve_forever()


def by_flask(store: str) -> None:
    from flask import Flask, request
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    from sessile.console.wsgi import console
    from sessile.flask import init_app, session

    sessions = Sessions(secret=SECRET, store=store)
    app = Flask(__name__)
    init_app(app, sessions)

    @app.get("/login")
    def log_in() -> str:
        session().login(request.args["user"], device="Firefox on Linux")
        return "welcome"

    @app.get("/me")
    def me() -> str:
        return str(session().user_id)

    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/console": console(sessions, who=administrator)})  # type: ignore[method-assign]
    serve(app)


def by_django(store: str) -> None:
    import django
    from django.conf import settings

    from tests.django.usual import MIDDLEWARE, TEMPLATES

    database = store.removeprefix("sqlite:///") + ".django"
    settings.configure(
        ALLOWED_HOSTS=["localhost"],
        SECRET_KEY=SECRET,
        ROOT_URLCONF=__name__,
        SESSION_ENGINE="sessile.django",
        SESSILE={"store": store},
        INSTALLED_APPS=[
            *(f"django.contrib.{name}" for name in ("admin", "auth", "contenttypes", "messages", "sessions")),
            *("sessile.django", "sessile.console.django"),
        ],
        MIDDLEWARE=MIDDLEWARE,
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        TEMPLATES=TEMPLATES,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()
    from django.contrib import admin, auth
    from django.contrib.auth.models import Permission, User
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpRequest, HttpResponse
    from django.urls import path

    call_command("migrate", verbosity=0)
    User.objects.create_superuser("zoe")
    User.objects.create_user("max")
    User.objects.create_user("tom", is_staff=True)
    lena = User.objects.create_user("lena", is_staff=True)
    lena.user_permissions.add(
        Permission.objects.get(codename="view_session", content_type__app_label="sessile_console")
    )

    def log_in(request: HttpRequest) -> HttpResponse:
        auth.login(request, User.objects.get(username=request.GET["user"]))
        return HttpResponse("welcome")

    def me(request: HttpRequest) -> HttpResponse:
        return HttpResponse(request.user.get_username() or "None")

    global urlpatterns
    urlpatterns = [path("login", log_in), path("me", me), path("admin/", admin.site.urls)]
    serve(get_wsgi_application())


urlpatterns: list[Any] = []

SITES: dict[str, Callable[[str], None]] = {"fastapi": by_fastapi, "flask": by_flask, "django": by_django}


if __name__ == "__main__":
    SITES[sys.argv[1]](sys.argv[2])
