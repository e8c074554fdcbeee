"""``sessile revoke``: end sessions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from sessile import SessionError
from sessile.cli.handle import find, of_user, summary_of
from sessile.cli.output import Json, emit
from sessile.cli.span import ago
from sessile.cli.target import App, Site, Store, opened
from sessile.cli.wrong import WrongArguments

__all__ = ["revoke"]


def revoke(
    name: Annotated[
        str | None,
        typer.Argument(metavar="HANDLE|ID", help="The session to end: as `sessile ls` shows it, or its id."),
    ] = None,
    app: App = None,
    store: Store = None,
    user: Annotated[str | None, typer.Option(metavar="ID", help="End all sessions of this user.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="End all sessions of the store.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """End a session, those of a user, or all.

    Their next requests find none. It says first how many, and asks. The exit code is 1 if the answer was no, or if no
    session is called so.
    """
    if (name is not None) + (user is not None) + everything != 1:
        raise WrongArguments("which sessions are to end? Give a handle, or --user ID, or --all: one of them")
    with opened(app, store) as site:
        if name is not None:
            what, number, end = _one(site, name)
        elif user is not None:
            what, number, end = _of_user(site, user)
        else:
            what, number, end = _all(site)
        if number:
            _ask(f"This ends {what}. Go on?", yes)
        ended = end() if number else 0
        if json:
            emit(found=number, ended=ended)
        else:
            typer.echo(f"Ended {_counted(ended)}." if number else "There is none to end.")


def _one(site: Site, name: str) -> tuple[str, int, Callable[[], int]]:
    session = find(site, name)
    summary = summary_of(site, session)
    whose = "of nobody" if summary.user is None else f"of user {summary.user!r}"
    seen = ago(summary.last_seen, site.sessions.options.clock())
    what = f"session {summary.handle} {whose}, last seen {seen}"
    return what, 1, lambda: int(site.ask(site.sessions.revoke, session.id))


def _of_user(site: Site, user: str) -> tuple[str, int, Callable[[], int]]:
    def end() -> int:
        # Looked up again: whoever is to be thrown out may log in while the question stands.
        sids = [session.id for session in of_user(site, user)]
        return sum(site.ask(site.sessions.revoke, sid) for sid in sids)

    number = sum(1 for _ in of_user(site, user))
    return f"{_counted(number)} of user {user!r}", number, end


def _all(site: Site) -> tuple[str, int, Callable[[], int]]:
    number = site.ask(site.sessions.count)

    def end() -> int:
        site.ask(site.sessions.clear)
        return int(number)

    return f"all {_counted(number)} of {site.place}", number, end


def _counted(number: int) -> str:
    return f"{number:,} session{'' if number == 1 else 's'}"


def _ask(question: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise SessionError("nothing was ended: there is no terminal to ask at. Give --yes if you are sure")
    typer.confirm(question, abort=True, err=True)
