"""``sessile ls``: list the live sessions."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nlargest
from itertools import islice
from operator import attrgetter
from typing import Annotated

import typer
from rich.text import Text

from sessile.cli.handle import Summary, of_user, summary_of
from sessile.cli.output import Json, bytes_of, emit, note, plain, print_table
from sessile.cli.span import DURATION, ago, duration, until
from sessile.cli.target import App, Site, Store, opened

__all__ = ["ls"]


def ls(
    app: App = None,
    store: Store = None,
    user: Annotated[str | None, typer.Option(metavar="ID", help="Only those of this user.")] = None,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Only those in which nobody is logged in.")] = False,
    since: Annotated[
        float | None, typer.Option(parser=duration, metavar=DURATION, help="Only those used within this time.")
    ] = None,
    idle: Annotated[
        float | None, typer.Option(parser=duration, metavar=DURATION, help="Only those not used for as long.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="How many; 0 for all, in the store's order.")] = 50,
    page: Annotated[int, typer.Option(min=1, metavar="N", help="Which page of that size.")] = 1,
    json: Json = False,
) -> None:
    """List the live sessions, the one used last first.

    All are looked at, but for --user; no more are kept in memory than are listed. Ids and data are not shown.
    """
    with opened(app, store) as site:
        now = site.sessions.options.clock()

        def fits(each: Summary) -> bool:
            return (
                (not anonymous or each.user is None)
                and (since is None or now - each.last_seen <= since)
                and (idle is None or now - each.last_seen >= idle)
            )

        found: Iterator[Summary] = filter(fits, _summaries(site, user))
        if limit:
            # One more than is shown tells whether there is another page.
            first = (page - 1) * limit
            found = islice(iter(nlargest(first + limit + 1, found, attrgetter("last_seen"))), first, None)
        more = _print(found, now, limit, json=json)
        if more and not json:
            note(f"There are more: --page {page + 1}, or --limit 0 for all.")
        if site.unreadable():
            note(f"{site.unreadable()} records cannot be read: damaged, or in the form of a codec, which --app knows.")


def _summaries(site: Site, user: str | None) -> Iterator[Summary]:
    for session in site.all() if user is None else of_user(site, user):
        yield summary_of(site, session)


def _print(found: Iterator[Summary], now: float, limit: int, *, json: bool) -> bool:
    """Print up to ``limit`` of what was found. Return whether there is more."""
    shown = islice(found, limit or None)
    if json:
        for each in shown:
            emit(**each.as_json())
        return False
    rows = [
        (
            Text(each.handle),
            plain("-" if each.user is None else each.user),
            Text(ago(each.logged_in_at or each.created_at, now)),
            Text(ago(each.last_seen, now)),
            Text(until(each.expires_at, now)),
            Text(bytes_of(each.size), justify="right"),
        )
        for each in shown
    ]
    if rows:
        print_table(("handle", "user", "begun", "last seen", "ends", "size"), rows, cut=1)
    else:
        note("No sessions.")
    return next(found, None) is not None
