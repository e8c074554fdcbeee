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

from holdfast.demo.app import create_app
from holdfast.errors import SessionError

__all__ = ["CannotListen", "serve"]


class CannotListen(SessionError):
    """Tells the user why the shop cannot be opened at the address asked for."""


class _Server(uvicorn.Server):
    """A server that says when it is ready."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()


def serve(folder: Path, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve the shop in ``folder`` until it is interrupted. Call ``announce`` with its URL when it is ready.

    ``port`` 0 takes any free one. Raises CannotListen if there is no listening at this address.
    """
    with _listen(host, port) as listener, suppress(KeyboardInterrupt):
        url = f"http://{_readable(host)}:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            create_app(folder), log_level="warning", access_log=False, lifespan="on", timeout_graceful_shutdown=3
        )
        _Server(config, lambda: announce(url)).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            another = port + 1 if port < 65_535 else 8000
            why = f"Port {port} is in use. Take another: PORT={another} make demo, or holdfast demo --port {another}"
        else:
            why = f"Cannot listen at {host}, port {port}: {error.strerror}"
        raise CannotListen(why) from error


def _readable(host: str) -> str:
    if host in ("127.0.0.1", "0.0.0.0", "::1", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host else host
