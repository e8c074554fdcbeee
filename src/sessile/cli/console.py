"""``sessile console``: look at sessions in a browser, and end them."""

from __future__ import annotations

import errno
import getpass
import logging
import time
from contextlib import suppress
from typing import Annotated

import typer

from sessile.cli.extras import require
from sessile.cli.target import App, Store, opened
from sessile.errors import SessionError

__all__ = ["console"]


def console(
    app: App = None,
    store: Store = None,
    port: Annotated[int, typer.Option("--port", "-p", min=0, max=65_535, help="The port; 0 takes any free one.")] = 0,
    read_only: Annotated[bool, typer.Option("--read-only", help="Show sessions, and end none.")] = False,
    show_data: Annotated[
        bool, typer.Option("--show-data", help="Allow a look at what sessions contain. Each look is an event.")
    ] = False,
) -> None:
    """Look at sessions in a browser on this machine, and end them.

    The address that is printed works once, for ten minutes. No other machine can reach the console. What the operator
    looks at and ends is written to standard error, with their name.
    """
    require("The console", "console", "jinja2")
    from sessile.console.core import Console
    from sessile.console.door import Door
    from sessile.console.server import Local, listen

    with opened(app, store) as site:
        pages = Console(site, show_data=show_data, read_only=read_only)
        doors: list[Door] = []

        def make(found: int) -> Local:
            doors.append(Door(f"sessile-console-{found}", time.monotonic))
            return Local(pages, doors[0], _who())

        try:
            server = listen(port, make)
        except OSError as error:
            why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be listened at: {error.strerror}"
            raise SessionError(f"port {port} {why}. Take another: --port 0") from error
        _log()
        with server:
            address = f"http://127.0.0.1:{server.server_port}/enter?token={doors[0].token}"
            print(f"The console is open: {address}  (stop with Ctrl-C)", flush=True)
            with suppress(KeyboardInterrupt):
                server.serve_forever()


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


def _log() -> None:
    logger, handler = logging.getLogger("sessile"), logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    handler.addFilter(lambda record: getattr(record, "event", "") in ("operated", "revoked", "revocation_incomplete"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
