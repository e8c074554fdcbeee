"""``sessile prune``: remove what is left of expired sessions."""

from __future__ import annotations

import typer

from sessile.cli.output import Json, emit
from sessile.cli.target import App, Store, opened

__all__ = ["prune"]


def prune(app: App = None, store: Store = None, json: Json = False) -> None:
    """Remove what is left of expired sessions.

    For stores that do not do so by themselves: from cron, perhaps.
    """
    with opened(app, store) as site:
        removed = site.ask(site.sessions.prune)
        if json:
            emit(removed=removed)
        elif removed is None:
            typer.echo("Nothing to do: this store removes expired sessions by itself.")
        else:
            typer.echo(f"Removed {removed:,} expired session{'' if removed == 1 else 's'}.")
