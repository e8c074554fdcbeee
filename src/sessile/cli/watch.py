"""``sessile watch``: see sessions begin and end."""

from __future__ import annotations

import time
from typing import Annotated, NamedTuple

import typer

from sessile import StoreUnavailable
from sessile.cli.output import Json, emit, moment, note
from sessile.cli.target import App, Site, Store, opened

__all__ = ["watch"]

_ROW = "{:>8}  {:>9}  {:>9}  {:>7}  {:>7}  {:>8}  {:>8}"


class _Look(NamedTuple):
    at: float
    #: The hashes of their ids.
    sessions: set[int]
    logged_in: int


def watch(
    app: App = None,
    store: Store = None,
    every: Annotated[float, typer.Option(min=0.05, metavar="SECONDS", help="How often to look.")] = 5.0,
    once: Annotated[bool, typer.Option("--once", help="Look once, and stop.")] = False,
    json: Json = False,
) -> None:
    """See sessions begin and end, until Ctrl-C.

    Each look goes through all sessions. A log-in changes the id, so it counts as an end and a beginning. If the store
    stops answering, a line says so, and the next look tries again.
    """
    with opened(app, store) as site:
        try:
            before = None
            if not json:
                typer.echo(_ROW.format("time", "sessions", "logged in", "begun", "ended", "begun/s", "ended/s"))
            while True:
                try:
                    look = _look(site)
                except StoreUnavailable as error:
                    if before is None:  # It may be a wrong URL.
                        raise
                    note(f"{time.strftime('%H:%M:%S')}  {site.place} does not answer: {error}")
                else:
                    _print(look, before, json=json)
                    before = look
                if once:
                    return
                time.sleep(every)
        except KeyboardInterrupt:
            return


def _look(site: Site) -> _Look:
    at, sessions, logged_in = time.time(), set(), 0
    for session in site.all():
        sessions.add(hash(session.id))
        logged_in += session.user_id is not None
    return _Look(at, sessions, logged_in)


def _print(look: _Look, before: _Look | None, *, json: bool) -> None:
    begun = ended = 0
    seconds = 1.0
    if before is not None:
        begun, ended = len(look.sessions - before.sessions), len(before.sessions - look.sessions)
        seconds = max(look.at - before.at, 0.001)
    rates = round(begun / seconds, 2), round(ended / seconds, 2)
    if json:
        emit(
            at=moment(look.at),
            sessions=len(look.sessions),
            logged_in=look.logged_in,
            begun=begun,
            ended=ended,
            begun_per_second=rates[0],
            ended_per_second=rates[1],
        )
        return
    clock = time.strftime("%H:%M:%S", time.localtime(look.at))
    typer.echo(_ROW.format(clock, len(look.sessions), look.logged_in, begun, ended, *rates))
