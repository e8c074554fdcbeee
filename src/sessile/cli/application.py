# A new command is a module beside this one with one function in it, and one line at the end of this one.
"""The commands, and what they have in common."""

from __future__ import annotations

from typing import Annotated

import typer

from sessile import __version__
from sessile.cli import check, console, decode, demo, ls, migrate, prune, revoke, secret, show, stats, watch
from sessile.cli.dashed import NamesSession
from sessile.cli.flags import Command, Group

__all__ = ["application"]

application = typer.Typer(
    name="sessile",
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sessile {__version__}")
        raise typer.Exit


@application.callback()
def sessile(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Server-side sessions for Python web applications.

    Most commands have to know which sessions. Say so each time, by --app or --store, or once in the environment:

    - `export SESSILE_APP=shop.main:sessions` for the sessions of your program,
    - `export SESSILE_STORE=redis://localhost` for a store alone.
    """


_LOOK, _END, _SET_UP = "Look at sessions", "End sessions", "Set up"

application.command("ls", cls=Command, rich_help_panel=_LOOK)(ls.ls)
application.command("show", cls=NamesSession, rich_help_panel=_LOOK)(show.show)
application.command("stats", cls=Command, rich_help_panel=_LOOK)(stats.stats)
application.command("watch", cls=Command, rich_help_panel=_LOOK)(watch.watch)
application.command("console", cls=Command, rich_help_panel=_LOOK)(console.console)
application.command("decode", cls=Command, rich_help_panel=_LOOK)(decode.decode)
application.command("revoke", cls=NamesSession, rich_help_panel=_END)(revoke.revoke)
application.command("prune", cls=Command, rich_help_panel=_END)(prune.prune)
application.command("check", cls=Command, rich_help_panel=_SET_UP)(check.check)
application.command("migrate", cls=Command, rich_help_panel=_SET_UP)(migrate.migrate)
application.command("secret", cls=Command, rich_help_panel=_SET_UP)(secret.secret)
application.command("demo", cls=Command, rich_help_panel=_SET_UP)(demo.demo)
