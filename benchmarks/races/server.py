"""Serve an application on a free port of loopback, and print the port."""

from __future__ import annotations

import socket
from typing import Any


def serve_asgi(app: Any) -> None:
    """Serve with uvicorn."""
    import uvicorn

    uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off")).run([listener()])


def serve_starlette(middleware: Any, *handlers: Any) -> None:
    """Serve handlers with Starlette, each at the path of its name: who only reads by GET, the others by POST."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    reads = ("me", "slow_read")
    routes = [
        Route(
            f"/{handler.__name__.replace('_', '-')}", handler, methods=["GET" if handler.__name__ in reads else "POST"]
        )
        for handler in handlers
    ]
    serve_asgi(Starlette(routes=routes, middleware=[middleware]))


def serve_wsgi(app: Any) -> None:
    """Serve with waitress: a pool of threads, so that requests overlap."""
    import waitress

    waitress.serve(app, sockets=[listener()], threads=8, _quiet=True)


def listener() -> socket.socket:
    """Return a socket that listens already, so that nobody has to wait for the server."""
    made = socket.create_server(("127.0.0.1", 0))
    # Connections inherit it. Without it, each second packet waits 40 ms for the first one's acknowledgement.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(made.getsockname()[1], flush=True)
    return made
