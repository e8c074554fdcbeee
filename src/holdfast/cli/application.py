# A new command is a module beside this one with one function in it, and one line at the end of this one.
"""The commands, and what they have in common."""

from __future__ import annotations

from typing import Annotated

import typer

from holdfast import __version__
from holdfast.cli import demo, migrate, secret

__all__ = ["application"]

application = typer.Typer(
    name="holdfast",
    help="Server-side sessions for Python web applications.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"holdfast {__version__}")
        raise typer.Exit


@application.callback()
def holdfast(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Server-side sessions for Python web applications."""


application.command("demo")(demo.demo)
application.command("secret")(secret.secret)
application.command("migrate")(migrate.migrate)
