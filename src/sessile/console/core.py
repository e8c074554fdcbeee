# One object answers all requests, whatever server brings them: (method, path, query, form, who) to a page. It knows
# nothing of HTTP but status and headers. What a session says is hostile: every text goes through Jinja2's escaping, and
# characters that move text about are replaced first.
#
# Links are relative, and every page is one level deep. So the pages work below any prefix that a site mounts them at.
#
# The list follows the store's own order, for any other would have to look at all. It stops after a page of what fits,
# or after SCAN sessions, whichever comes first.
"""What the console shows, and what it does."""

from __future__ import annotations

import platform
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Final, Protocol
from urllib.parse import urlencode

from sessile import Session, __version__
from sessile._engine.coded import StoredId
from sessile._records.naming import name_in
from sessile._records.record import encode
from sessile._session.data import contents_of
from sessile._session.watched import state_of
from sessile.console.checks import checks as checks
from sessile.console.checks.checked import Site, findings
from sessile.console.now import watch
from sessile.errors import MissingExtra, SessionError, StoreUnavailable
from sessile.events import EventKind
from sessile.stores.base import Indexed, Iterable, can

try:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
except ImportError as error:
    raise MissingExtra("sessile.console", "console") from error

__all__ = ["PAGE_SIZE", "SCAN", "Answer", "Asked", "Console", "Source"]

HERE = Path(__file__).parent

#: How many sessions stand on a page.
PAGE_SIZE: Final = 50

#: How many sessions are looked at for one page, where few fit the filter.
SCAN: Final = 5000

#: How many handles are known at a time. An older one has to be looked up in the list again.
REMEMBERED: Final = 10_000

#: How many characters of one value are shown.
LONGEST: Final = 2000

#: How many keys of one session are shown.
MOST_KEYS: Final = 200

#: How many sessions of one user, and how many claims of one session, are shown.
MOST_OF_USER: Final = 1000
MOST_CLAIMS: Final = 20

#: How many sessions are looked at for a handle that this process has not shown.
LOOK_UP: Final = 100_000

#: The files that pages ask for, and what they are.
FILES: Final = {"/console.css": "text/css; charset=utf-8", "/console.js": "text/javascript; charset=utf-8"}

#: Whose versions the page "Health" names, where they are installed.
DRIVERS: Final = (
    *("msgspec", "redis", "psycopg", "PyMySQL", "asyncmy", "SQLAlchemy", "pymongo", "boto3", "cryptography"),
    *("Django", "Flask", "starlette", "fastapi"),
)

_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)

HEADERS: Final = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)


class Source(Site, Protocol):
    """Where the sessions are, and how to ask for them from synchronous code."""

    def all(self) -> Iterator[Session]:
        """Yield all live sessions."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. ``who`` is the operator, as events name them; ``read_only`` says that this one may end nothing."""

    method: str
    path: str
    query: Mapping[str, str]
    who: str
    form: Mapping[str, Sequence[str]] = field(default_factory=dict)
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A response."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Row:
    handle: str
    user: str | int | None
    begun: float | None
    seen: float | None
    ends: float | None
    size: int
    claims: Mapping[str, object]


class Console:
    """Shows the sessions of ``source``, and what happens to them in this process.

    ``show_data`` allows a look at what sessions contain. ``read_only`` allows no end of any. Safe in threads.
    """

    def __init__(self, source: Source, *, show_data: bool = False, read_only: bool = False) -> None:
        self._source = source
        self._lock = Lock()
        self._watch = watch(source.sessions)
        self._show_data = show_data
        self._read_only = read_only
        self._sids: OrderedDict[str, str] = OrderedDict()
        self._pages = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._pages.filters.update(text=_text, moment=_moment)
        self._pages.globals.update(show_data=show_data, place=source.place)

    def answer(self, asked: Asked) -> Answer:
        """Return the page that ``asked`` asks for. A store that does not answer is a page with 503."""
        try:
            return self._answer(asked)
        except StoreUnavailable as error:
            return self.message(503, "The store does not answer", str(error))
        except SessionError as error:
            return self.message(400, "This does not work here", str(error))

    def message(self, status: int, title: str, words: str) -> Answer:
        """Return a page that says one thing."""
        return self._render("message.html", status, title=title, words=words)

    def _answer(self, asked: Asked) -> Answer:
        if asked.method == "POST":
            return self._post(asked)
        if asked.method not in ("GET", "HEAD"):
            return self.message(405, "Not allowed", "This page answers to GET and POST.")
        if asked.path in FILES:
            content = (HERE / "static" / asked.path[1:]).read_bytes()
            return Answer(200, content, (("Content-Type", FILES[asked.path]), *HEADERS))
        match asked.path:
            case "/":
                return self._list(asked)
            case "/now":
                return self._now()
            case "/user":
                return self._user(asked)
            case "/session":
                return self._session(asked)
            case "/health":
                return self._render("health.html", title="Health", notes=findings(self._source), versions=_versions())
        return self.message(404, "No such page", "Begin with the list of sessions.")

    # Looking --------------------------------------------------------------------------------------------------------

    def _now(self) -> Answer:
        counts = can(self._source.sessions.store, Iterable)
        live = self._watch.live(lambda: self._source.ask(self._source.sessions.count)) if counts else None
        plots = self._watch.plots()
        return self._render("now.html", title="Now", live=live, plots=plots, begun=self._watch.begun)

    def _user(self, asked: Asked) -> Answer:
        user = asked.query.get("user", "")
        looked = islice(self._of(user), SCAN)
        found = islice((session for session in looked if str(session.user_id) == user), MOST_OF_USER)
        rows = sorted((self._row(session) for session in found), key=lambda row: row.seen or 0.0, reverse=True)
        self._report(None, asked.who, "looked at the sessions of a user")
        return self._render("user.html", title=f"User {user}", user=user, rows=rows, read_only=self._only_reads(asked))

    def _list(self, asked: Asked) -> Answer:
        user, show = asked.query.get("user", "").strip(), asked.query.get("show", "all")
        start = _number(asked.query.get("from", ""))
        now = self._source.sessions.options.clock()
        found = islice(self._of(user), start, None)
        rows: list[_Row] = []
        looked, more = 0, False
        for session in found:
            if len(rows) == PAGE_SIZE or looked == SCAN:
                more = True
                break
            looked += 1
            if _fits(session, user, show, now):
                rows.append(self._row(session))
        following = {"user": user, "show": show, "from": start + looked}
        self._report(None, asked.who, "looked at the list of sessions")
        return self._render(
            "sessions.html",
            title="Sessions",
            rows=rows,
            user=user,
            show=show,
            first=start == 0,
            following=urlencode(following) if more else "",
            read_only=self._only_reads(asked),
        )

    def _of(self, user: str) -> Iterator[Session]:
        if not user:
            if not can(self._source.sessions.store, Iterable):
                raise SessionError(f"{self._source.place} cannot list its sessions. Ask for those of a user")
            yield from self._source.all()
            return
        sessions, found = self._source.sessions, False
        if sessions.options.index_users and can(sessions.store, Indexed):
            for value in _user_ids(user):
                for handle in self._source.ask(sessions.of_user, value):
                    session = self._source.ask(handle.open)
                    if session is not None:
                        found = True
                        yield session
            if self._source.app:
                return
        # A store alone does not say whether its program keeps the index.
        if not found and can(sessions.store, Iterable):
            yield from self._source.all()

    def _session(self, asked: Asked) -> Answer:
        handle = asked.query.get("handle", "")
        self._look_up([handle])
        session = self._open(handle)
        if session is None:
            return self._gone()
        row = self._row(session)
        data = asked.query.get("data") == "show"
        if data and not self._show_data:
            return self.message(403, "Data is not shown", "Start the console with --show-data to look at it.")
        self._report(session.id, asked.who, "looked at its data" if data else "looked at it")
        sizes = [
            (key, len(repr(value)), repr(value) if data else "") for key, value in islice(session.items(), MOST_KEYS)
        ]
        return self._render(
            "session.html",
            title=f"Session {row.handle}",
            row=row,
            logged_in_at=session.logged_in_at,
            keys=sizes,
            left_out=max(0, len(session) - MOST_KEYS),
            data=data,
            read_only=self._only_reads(asked),
        )

    def _row(self, session: Session) -> _Row:
        state = state_of(session)
        handle = self._handle(session)
        begun = session.logged_in_at or session.created_at
        size = len(encode(contents_of(session, state)))
        claims = dict(islice(session.claims.items(), MOST_CLAIMS))
        return _Row(handle, session.user_id, begun, session.last_seen, session.expires_at, size, claims)

    def _handle(self, session: Session) -> str:
        hashed = self._source.sessions.options.hash_ids
        handle = name_in(state_of(session).system, StoredId.of(session.id) if hashed else session.id)
        with self._lock:
            self._sids[handle] = session.id
            self._sids.move_to_end(handle)
            while len(self._sids) > REMEMBERED:
                self._sids.popitem(last=False)
        return handle

    def _look_up(self, handles: Sequence[str]) -> None:
        """Learn the ids of handles that another process of the site has shown, or that were forgotten."""
        wanted = set(handles) - self._sids.keys()
        if wanted and can(self._source.sessions.store, Iterable):
            for session in islice(self._source.all(), LOOK_UP):
                wanted.discard(self._handle(session))
                if not wanted:
                    return

    def _open(self, handle: str) -> Session | None:
        sid = self._sids.get(handle)
        return None if sid is None else self._source.ask(self._source.sessions.open, sid)

    def _gone(self) -> Answer:
        return self.message(404, "No such session", "It has ended, or has a new id. Look it up in the list again.")

    # Ending ---------------------------------------------------------------------------------------------------------

    def _post(self, asked: Asked) -> Answer:
        if self._only_reads(asked):
            return self.message(403, "Read-only", "This console only shows sessions. You may end none here.")
        if asked.path == "/confirm":
            return self._confirm(asked)
        if asked.path != "/end":
            return self.message(404, "No such page", "Nothing was changed.")
        handles, user = list(asked.form.get("handle", ())), next(iter(asked.form.get("user", ())), "")
        self._look_up(handles)
        ended = sum(self._end(handle, asked.who) for handle in handles)
        if user:
            ended += self._end_user(user)
            self._report(None, asked.who, f"ended all sessions of a user: {ended}")
        return self.message(200, "Ended", f"{ended} session{'' if ended == 1 else 's'} ended.")

    def _only_reads(self, asked: Asked) -> bool:
        return self._read_only or asked.read_only

    def _end_user(self, user: str) -> int:
        sessions, ended = self._source.sessions, 0
        if sessions.options.index_users and can(sessions.store, Indexed):
            ended = sum(self._source.ask(sessions.revoke_user, value) for value in _user_ids(user))
        if not (ended or self._source.app):
            left = [session.id for session in self._of(user) if str(session.user_id) == user]
            ended = sum(self._source.ask(sessions.revoke, sid) for sid in left)
        return ended

    def _confirm(self, asked: Asked) -> Answer:
        handles, user = list(asked.form.get("handle", ())), next(iter(asked.form.get("user", ())), "")
        if not handles and not user:
            return self.message(400, "Nothing is selected", "Go back and select a session. Nothing was changed.")
        return self._render("confirm.html", title="End sessions?", handles=handles[:PAGE_SIZE], user=user)

    def _end(self, handle: str, who: str) -> bool:
        session = self._open(handle)
        if session is None:
            return False
        ended = self._source.ask(self._source.sessions.revoke, session.id)
        self._report(session.id, who, "ended it" if ended else "tried to end it, and it had ended")
        return ended

    def _report(self, sid: str | None, who: str, what: str) -> None:
        self._source.sessions.engine.setup.events.report(EventKind.OPERATED, sid, f"{_text(who)} {what}")

    def _render(self, template: str, status: int = 200, **context: object) -> Answer:
        context = {"read_only": self._read_only, **context}
        body = self._pages.get_template(template).render(context).encode("utf-8", "replace")
        return Answer(status, body, (("Content-Type", "text/html; charset=utf-8"), *HEADERS))


def _versions() -> list[tuple[str, str]]:
    found = [("sessile", __version__), ("Python", platform.python_version())]
    for name in DRIVERS:
        with suppress(PackageNotFoundError):
            found.append((name, version(name)))
    return found


def _fits(session: Session, user: str, show: str, now: float) -> bool:
    if user and str(session.user_id) != user:
        return False
    match show:
        case "anonymous":
            return session.user_id is None
        case "users":
            return session.user_id is not None
        case "hour":
            return (session.last_seen or 0.0) >= now - 3600
        case "idle":
            return (session.last_seen or 0.0) < now - 86_400
    return True


def _user_ids(user: str) -> list[str | int]:
    """Return whom ``user`` may be: to a program 7 and "7" are two users, in a form they look the same."""
    return [user, int(user)] if re.fullmatch(r"-?[1-9]\d{0,17}|0", user) else [user]


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"\d{1,9}", text, re.ASCII) else 0


def _text(value: object) -> str:
    """Return ``value`` for a page: no control characters, none that turn the direction of text, and not too long."""
    text = str(value)
    shown = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text[:LONGEST])
    return f"{shown}…" if len(text) > LONGEST else shown


def _moment(at: float | None) -> str:
    if at is None:
        return "-"
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError, OSError):
        return "-"
