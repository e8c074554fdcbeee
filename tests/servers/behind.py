"""What a server says of its visitors: the same page by WSGI and ASGI, for any ``proxy`` that a path names."""

from __future__ import annotations

from typing import Any

from sessile import Sessions
from sessile.asgi import SessionMiddleware as Asgi
from sessile.wsgi import SessionMiddleware as Wsgi
from tests.conftest import SECRET

PROXIES: dict[str, Any] = {"/none": None, "/nobody": False, "/listed": ["127.0.0.1"]}


def _wsgi_page(environ: Any, start_response: Any) -> list[bytes]:
    environ["sessile.session"]["n"] = 1
    start_response("200 OK", [("Content-Length", "0")])
    return [b""]


async def _asgi_page(scope: Any, receive: Any, send: Any) -> None:
    scope["session"]["n"] = 1
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


_managers = {path: Sessions(secret=SECRET, proxy=proxy) for path, proxy in PROXIES.items()}
_by_wsgi = {path: Wsgi(_wsgi_page, sessions) for path, sessions in _managers.items()}
_by_asgi = {path: Asgi(_asgi_page, sessions) for path, sessions in _managers.items()}


def wsgi(environ: Any, start_response: Any) -> Any:
    """Answer by WSGI."""
    return _by_wsgi[environ["PATH_INFO"]](environ, start_response)


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """Answer by ASGI."""
    if scope["type"] == "http":
        await _by_asgi[scope["path"]](scope, receive, send)
