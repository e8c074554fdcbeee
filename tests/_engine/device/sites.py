"""One small site, under ASGI, WSGI and Django, and a browser for it that binds sessions to its device."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterable
from typing import Any
from unittest.mock import patch

from sessile import Session, Sessions
from sessile.asgi import SessionMiddleware as Asgi
from sessile.testing import DeviceBrowser
from sessile.wsgi import SessionMiddleware as Wsgi

Lines = list[tuple[str, str]]
Reply = tuple[int, Iterable[tuple[str, str]], bytes]
Send = Callable[[str, str, Lines], Reply]


def act(session: Session, path: str) -> str:
    """What the handlers of the site do."""
    match path:
        case "/login":
            session.login("ada")
        case "/login-as-bob":
            session.login("bob")
        case "/regenerate":
            session.regenerate(keep=True)
        case "/logout":
            session.logout()
        case "/write":
            session["n"] = session.get("n", 0) + 1
    return f"{session.user_id} {session.get('n')} {session.device.registered} {session.device.bound}"


def over_asgi(sessions: Sessions, scheme: str = "https") -> Send:
    """Return what sends requests to the site under ASGI."""

    async def site(scope: Any, receive: Any, send: Any) -> None:
        body = act(scope["session"], scope["path"]).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    app = Asgi(site, sessions)

    def send(method: str, path: str, headers: Lines) -> Reply:
        messages: list[Any] = []

        async def collect(message: Any) -> None:
            messages.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "scheme": scheme,
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        }
        asyncio.run(app(scope, _nothing, collect))  # type: ignore[arg-type]
        lines = [(name.decode(), value.decode()) for name, value in messages[0]["headers"]]
        return messages[0]["status"], lines, messages[1]["body"]

    return send


async def _nothing() -> Any:
    return {"type": "http.request"}


def over_wsgi(sessions: Sessions, scheme: str = "https") -> Send:
    """Return what sends requests to the site under WSGI."""
    return wsgi(wsgi_site(sessions), scheme)


def wsgi_site(sessions: Sessions) -> Wsgi:
    """Return the site as a WSGI application."""

    def site(environ: Any, start_response: Any) -> list[bytes]:
        body = act(environ["sessile.session"], environ["PATH_INFO"]).encode()
        start_response("200 OK", [("Content-Type", "text/html")])
        return [body]

    return Wsgi(site, sessions)


def wsgi(app: Any, scheme: str = "https") -> Send:
    """Return what sends requests to an application under WSGI."""

    def send(method: str, path: str, headers: Lines) -> Reply:
        heads: list[Any] = []
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "443",
            "wsgi.url_scheme": scheme,
            "wsgi.input": io.BytesIO(),
        }
        environ |= {"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers}
        body = b"".join(app(environ, lambda *head: heads.append(head)))
        return int(heads[0][0][:3]), heads[0][1], body

    return send


def over_django(sessions: Sessions, scheme: str = "https") -> Send:
    """Return what sends requests to the site under Django."""
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpResponse
    from django.test import override_settings
    from django.urls import re_path

    import tests.django.conftest  # noqa: F401  The settings.
    from sessile.django import session

    class Urls:
        urlpatterns = [re_path(".*", lambda request: HttpResponse(act(session(request), request.path)))]

    changed = override_settings(
        ROOT_URLCONF=Urls,
        SESSILE={"sessions": sessions},
        SESSION_COOKIE_NAME=sessions.options.name,
        MIDDLEWARE=["sessile.django.SessionMiddleware"],
    )

    def send(method: str, path: str, headers: Lines) -> Reply:
        with changed, patch("django.db.close_old_connections", lambda **_: None):
            return wsgi(WSGIHandler(), scheme)(method, path, headers)

    return send


SITES: dict[str, Callable[..., Send]] = {"asgi": over_asgi, "wsgi": over_wsgi, "django": over_django}


def browser_of(sessions: Sessions, kind: str = "asgi") -> DeviceBrowser:
    """Return a new browser that visits the site."""
    return DeviceBrowser(SITES[kind](sessions), sessions.options.clock)
