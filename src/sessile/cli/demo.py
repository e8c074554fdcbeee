"""``sessile demo``: open the demonstration shop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sessile.cli.extras import require
from sessile.cli.target import without_password

__all__ = ["demo"]


def demo(
    port: Annotated[
        int, typer.Option("--port", "-p", envvar="PORT", min=0, max=65_535, help="The port; 0 takes any free one.")
    ] = 8000,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    folder: Annotated[
        Path,
        typer.Option(envvar="SESSILE_DEMO_FOLDER", file_okay=False, help="Where sessions and users are kept."),
    ] = Path("sessile-demo"),
    servers: Annotated[int, typer.Option(min=1, max=16, help="How many processes serve it, behind a proxy.")] = 1,
    store: Annotated[
        str | None,
        typer.Option(
            envvar="SESSILE_DEMO_STORE",
            help="The URL of a store for the sessions, such as redis://localhost.",
            callback=without_password,
        ),
    ] = None,
) -> None:
    """Open a small shop that remembers its visitors, and shows them how."""
    require("The demonstration", "demo", "fastapi", "uvicorn", "jinja2", "argon2", "python_multipart")
    from sessile.demo import fleet, server

    if servers == 1:
        server.serve(folder, host, port, _announce, store)
    else:
        fleet.serve(folder, host, port, _announce, store, servers=servers, say=_say)


def _say(line: str) -> None:
    # Flushed, for whoever waits for a line at the other end of a pipe.
    print(line, flush=True)


def _announce(url: str) -> None:
    _say(f"The shop is open: {url}  (stop with Ctrl-C)")
