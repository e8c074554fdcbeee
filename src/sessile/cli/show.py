"""``sessile show``: show one session."""

from __future__ import annotations

import json as standard_json
from typing import Annotated, Any

import typer
from rich.table import Table

from sessile import Session
from sessile._records.record import JSON, stringify
from sessile.cli.handle import Handle, find, summary_of
from sessile.cli.output import Json, bytes_of, console, emit, grid, moment, plain
from sessile.cli.span import ago, length, until
from sessile.cli.target import App, Store, opened

__all__ = ["show"]


def show(
    name: Handle,
    app: App = None,
    store: Store = None,
    data: Annotated[bool, typer.Option("--data", help="Show the values too, which may be private.")] = False,
    show_id: Annotated[bool, typer.Option("--id", help="Show the id too. With the secret, it is the log-in.")] = False,
    json: Json = False,
) -> None:
    """Show one session.

    Whose it is, its times, its cookie, and what is in it by name, type and size.
    """
    with opened(app, store) as site:
        session = find(site, name)
        summary = summary_of(site, session)
        shown_id = {"id": str(session.id)} if show_id else {}
        if json:
            entries = {key: _entry(value, data) for key, value in session.items()}
            emit(**summary.as_json(), **shown_id, claims=session.claims, cookie=_cookie(session), data=entries)
            return
        now = site.sessions.options.clock()
        facts = grid()
        for title, text in (
            ("handle", summary.handle),
            *shown_id.items(),
            ("user", "-" if summary.user is None else summary.user),
            *((f"  {claim}", value) for claim, value in session.claims.items()),
            ("created", _moment(summary.created_at, ago(summary.created_at, now))),
            ("logged in", _moment(summary.logged_in_at, ago(summary.logged_in_at, now))),
            ("last seen", _moment(summary.last_seen, ago(summary.last_seen, now))),
            ("ends", _moment(summary.expires_at, until(summary.expires_at, now))),
            ("size", bytes_of(summary.size)),
            ("cookie", ", ".join(f"{key} {_said(value)}" for key, value in _cookie(session).items())),
        ):
            facts.add_row(plain(title), plain(text))
        out = console()
        out.print(facts)
        if session:
            out.print()
            out.print(_listed(session, data))


def _moment(at: float | None, relative: str) -> str:
    return relative if at is None else f"{relative} ({moment(at)})"


def _cookie(session: Session) -> dict[str, JSON]:
    cookie = session.cookie
    return {
        "path": cookie.path,
        "domain": cookie.domain,
        "max_age": cookie.original_max_age,
        "secure": cookie.secure,
        "http_only": cookie.http_only,
        "same_site": cookie.same_site,
    }


def _said(value: JSON) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    return length(value) if isinstance(value, float) else str(value)


def _entry(value: JSON, data: bool) -> dict[str, Any]:
    entry = {"type": _type(value), "size": _size(value)}
    return {**entry, "value": value} if data else entry


def _type(value: JSON) -> str:
    if isinstance(value, dict):
        return f"object of {len(value)}"
    if isinstance(value, (list, tuple)):
        return f"list of {len(value)}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "bool", False: "bool"}[value]
    return "text" if isinstance(value, str) else "number"


def _size(value: JSON) -> int:
    return len(stringify(value).encode("utf-8", "surrogatepass"))


def _listed(session: Session, data: bool) -> Table:
    listed = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("key", "type", "size", *(("value",) if data else ())):
        listed.add_column(column, overflow="fold")
    for key, value in session.items():
        shown = (plain(standard_json.dumps(value, ensure_ascii=False)),) if data else ()
        listed.add_row(plain(key), _type(value), bytes_of(_size(value)), *shown)
    return listed
