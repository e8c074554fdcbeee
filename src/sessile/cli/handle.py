# An operator has to name sessions, and must not be shown what names them everywhere. So they go by the name that the
# record gives them (naming.py), or by a part of the digest of what stands in the store for the id: the same with and
# without the secret, and with hashed ids and without.
"""What a session is called on the command line, and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from sessile import Session, SessionError
from sessile._engine.coded import StoredId
from sessile._records.naming import name_in
from sessile._records.record import encode
from sessile._session.data import contents_of
from sessile._session.watched import state_of
from sessile.cli.output import moment
from sessile.cli.target import Site
from sessile.stores.base import Indexed, Iterable, can

__all__ = ["Handle", "Summary", "find", "handle_of", "of_user", "summary_of"]

_HANDLE = re.compile(r"[0-9a-f]{4,12}")
_TOO_SHORT = re.compile(r"[0-9a-f]{1,3}")

Handle = Annotated[
    str, typer.Argument(metavar="HANDLE|ID", help="As `sessile ls` shows it, or the beginning of it, or the whole id.")
]


@dataclass(frozen=True, slots=True)
class Summary:
    """What a list says of a session."""

    handle: str
    user: str | int | None
    created_at: float | None
    logged_in_at: float | None
    last_seen: float
    expires_at: float
    #: In bytes, of the record as JSON.
    size: int

    def as_json(self) -> dict[str, Any]:
        """Return what programs are told."""
        return {
            "handle": self.handle,
            "user": self.user,
            "created_at": moment(self.created_at),
            "logged_in_at": moment(self.logged_in_at),
            "last_seen": moment(self.last_seen),
            "expires_at": moment(self.expires_at),
            "size": self.size,
        }


def handle_of(site: Site, session: Session | str) -> str:
    """Return what ``session`` is called; of one that is no more, only the id is known."""
    sid, system = (session, {}) if isinstance(session, str) else (session.id, state_of(session).system)
    return name_in(system, StoredId.of(sid) if site.sessions.options.hash_ids else sid)


def summary_of(site: Site, session: Session) -> Summary:
    """Return what a list says of ``session``."""
    return Summary(
        handle_of(site, session),
        session.user_id,
        session.created_at,
        session.logged_in_at,
        session.last_seen or 0.0,
        session.expires_at or 0.0,
        len(encode(contents_of(session, state_of(session)))),
    )


def find(site: Site, name: str) -> Session:
    """Return the live session that ``name`` names: a handle, the beginning of one, or an id. Raises SessionError."""
    lists = can(site.sessions.store, Iterable)
    if _HANDLE.fullmatch(name) and lists:
        found: list[Session] = []
        for session in site.all():
            if handle_of(site, session).startswith(name):
                found.append(session)
                if len(found) > 1:
                    raise SessionError("several sessions have a handle that begins so. Give more of it")
        if found:
            return found[0]
    named: Session | None = site.ask(site.sessions.open, name)
    if named is None:
        hint = "" if lists else f". {site.place} cannot list its sessions, so give the whole id"
        if lists and _TOO_SHORT.fullmatch(name):
            hint = ". Give at least four characters of its handle"
        raise SessionError(f"no live session is called so{hint}")
    return named


def of_user(site: Site, user: str) -> Iterator[Session]:
    """Yield the live sessions of ``user``: by the index of the store, or else by looking through all."""
    options, store = site.sessions.options, site.sessions.store
    found = False
    if options.index_users and can(store, Indexed):
        for value in user_ids(user):
            for handle in site.ask(site.sessions.of_user, value):
                session = site.ask(handle.open)
                if session is not None:
                    found = True
                    yield session
        # A store alone does not say whether its program keeps the index.
        if found or site.app or not can(store, Iterable):
            return
    for session in site.all():
        if session.user_id is not None and str(session.user_id) == user:
            yield session


def user_ids(user: str) -> list[str | int]:
    """Return whom ``user`` may be: to a program 7 and "7" are two users, on the command line they look the same."""
    return [user, int(user)] if re.fullmatch(r"-?[1-9]\d{0,17}|0", user) else [user]
