"""``holdfast demo``: open the demonstration shop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli import require

__all__ = ["demo"]


def demo(
    port: Annotated[
        int, typer.Option("--port", "-p", envvar="PORT", min=0, max=65_535, help="The port; 0 takes any free one.")
    ] = 8000,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    folder: Annotated[
        Path,
        typer.Option(envvar="HOLDFAST_DEMO_FOLDER", file_okay=False, help="Where sessions and users are kept."),
    ] = Path("holdfast-demo"),
) -> None:
    """Open a small shop that remembers its visitors, and shows them how."""
    require("The demonstration", "demo", "fastapi", "uvicorn", "jinja2", "argon2", "python_multipart")
    from holdfast.demo.server import serve

    serve(folder, host, port, _announce)


def _announce(url: str) -> None:
    # Flushed, for whoever waits for this line at the other end of a pipe.
    print(f"The shop is open: {url}  (stop with Ctrl-C)", flush=True)
