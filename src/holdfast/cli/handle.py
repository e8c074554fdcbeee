# An operator has to name sessions, and must not be shown what names them everywhere. So they go by a part of the digest
# of what stands in the store for the id: the same with and without the secret, and with hashed ids and without.
"""What a session is called on the command line, and what is said of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from holdfast import Session, SessionError
from holdfast.cli.output import moment
from holdfast.cli.target import Site
from holdfast.coded import StoredId
from holdfast.record import encode
from holdfast.stores.base import Indexed, Iterable, can

__all__ = ["Handle", "Summary", "find", "handle_of", "of_user", "summary_of"]

#: 48 bits: of a hundred thousand sessions hardly two share one, and who shares one is told.
LETTERS = 12

_HANDLE = re.compile(r"[0-9a-f]{4,12}")

Handle = Annotated[
    str, typer.Argument(metavar="HANDLE|ID", help="As `holdfast ls` shows it, or the beginning of it, or the whole id.")
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


def handle_of(site: Site, sid: str) -> str:
    """Return what the session ``sid`` is called."""
    stored = StoredId.of(sid) if site.sessions.options.hash_ids else sid
    return hashlib.sha256(stored.encode("utf-8", "surrogatepass")).hexdigest()[:LETTERS]


def summary_of(site: Site, session: Session) -> Summary:
    """Return what a list says of ``session``."""
    return Summary(
        handle_of(site, session.id),
        session.user_id,
        session.created_at,
        session.logged_in_at,
        session.last_seen or 0.0,
        session.expires_at or 0.0,
        len(encode(session.contents())),
    )


def find(site: Site, name: str) -> Session:
    """Return the live session that ``name`` names: a handle, the beginning of one, or an id. Raises SessionError."""
    lists = can(site.sessions.store, Iterable)
    if _HANDLE.fullmatch(name) and lists:
        found: list[Session] = []
        for session in site.all():
            if handle_of(site, session.id).startswith(name):
                found.append(session)
                if len(found) > 1:
                    raise SessionError("several sessions have a handle that begins so. Give more of it")
        if found:
            return found[0]
    named: Session | None = site.ask(site.sessions.open, name)
    if named is None:
        hint = "" if lists else f". {site.place} cannot list its sessions, so give the whole id"
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
