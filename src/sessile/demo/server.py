# The address is bound before the server starts, so that "port in use" is our one line and not a traceback; and it is
# announced after the server has started, so that whoever reads the line can open it.
"""Serve the shop on this machine."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from sessile import Sessions
from sessile.demo.app import create_app
from sessile.errors import SessionError, StoreRefused, StoreUnavailable

__all__ = ["CannotListen", "Server", "listen", "see_whether_it_answers", "serve", "url_of"]


class CannotListen(SessionError):
    """Tells the user why the shop cannot be opened at the address asked for."""


class Server(uvicorn.Server):
    """A server that says when it is ready."""

    def __init__(self, app: FastAPI, announce: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(app, log_level="warning", access_log=False, lifespan="on", timeout_graceful_shutdown=3)
        )
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()


def serve(folder: Path, host: str, port: int, announce: Callable[[str], None], store: str | None = None) -> None:
    """Serve the shop in ``folder`` until it is interrupted. Call ``announce`` with its URL when it is ready.

    ``port`` 0 takes any free one. ``store`` is the URL of the store with the sessions; None: a file in the folder.
    Raises CannotListen if there is no listening at this address, and StoreUnavailable if the store does not answer.
    """
    with listen(host, port) as listener, suppress(KeyboardInterrupt):
        app = create_app(folder, store=store)
        see_whether_it_answers(app)
        url = url_of(listener, host)
        Server(app, lambda: announce(url)).run(sockets=[listener])


def see_whether_it_answers(app: FastAPI) -> None:
    """Ask the store of the shop for something. Raises StoreUnavailable: a wrong address is not for visitors to find."""
    sessions: Sessions = app.state.sessions
    try:
        sessions.open("is anybody there")
        sessions.close()
    except StoreRefused as error:
        raise StoreUnavailable(f"The store {app.state.store} answers, and refused: {error.reason}.") from error
    except StoreUnavailable as error:
        raise StoreUnavailable(f"The store {app.state.store} does not answer ({error}). Is it running?") from error


def url_of(listener: socket.socket, host: str) -> str:
    """Return the URL of what listens at ``host``."""
    return f"http://{_readable(host)}:{listener.getsockname()[1]}"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises CannotListen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            another = port + 1 if port < 65_535 else 8000
            why = f"Port {port} is in use. Take another: PORT={another} make demo, or sessile demo --port {another}"
        else:
            why = f"Cannot listen at {host}, port {port}: {error.strerror}"
        raise CannotListen(why) from error


def _readable(host: str) -> str:
    if host in ("127.0.0.1", "0.0.0.0", "::1", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host else host
