# A new command is a module beside this one with one function in it, and one line at the end of this one.
"""The commands, and what they have in common."""

from __future__ import annotations

from typing import Annotated

import typer

from holdfast import __version__
from holdfast.cli import check, decode, demo, ls, migrate, prune, revoke, secret, show, stats, watch

__all__ = ["application"]

application = typer.Typer(
    name="holdfast",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"holdfast {__version__}")
        raise typer.Exit


@application.callback()
def holdfast(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Server-side sessions for Python web applications.

    Most commands have to know which sessions. Say so each time, by --app or --store, or once in the environment:

    - `export HOLDFAST_APP=shop.main:sessions` for the sessions of your program,
    - `export HOLDFAST_STORE=redis://localhost` for a store alone.
    """


_LOOK, _END, _SET_UP = "Look at sessions", "End sessions", "Set up"

application.command("ls", rich_help_panel=_LOOK)(ls.ls)
application.command("show", rich_help_panel=_LOOK)(show.show)
application.command("stats", rich_help_panel=_LOOK)(stats.stats)
application.command("watch", rich_help_panel=_LOOK)(watch.watch)
application.command("decode", rich_help_panel=_LOOK)(decode.decode)
application.command("revoke", rich_help_panel=_END)(revoke.revoke)
application.command("prune", rich_help_panel=_END)(prune.prune)
application.command("check", rich_help_panel=_SET_UP)(check.check)
application.command("migrate", rich_help_panel=_SET_UP)(migrate.migrate)
application.command("secret", rich_help_panel=_SET_UP)(secret.secret)
application.command("demo", rich_help_panel=_SET_UP)(demo.demo)
