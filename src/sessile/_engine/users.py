# What is here is about all sessions of a user at once. A session says itself whose it is (its system fields); the index
# (index.py) says where to look, and is believed in nothing else: what it names is loaded, and counts only if it says so
# too. So nobody is shown, or can end, a session of somebody else, whatever stands in the index.
#
# A revocation cannot be overtaken:
#   1. It begins with a mark on the page, written in one step that compares. Whatever is entered later meets the mark in
#      its own step, and is refused if it is older. So after the mark the page names all there is to end.
#   2. What it names is ended one after the other, following each to the id that it has by now.
#   3. What is entered and not yet made gets a tombstone under the id that it is about to take, and cannot begin.
#   4. A log-in is as old as its request. Clocks may differ by TOLERANCE: what is not plainly later is refused.
#
# All methods with Steps are bodies of code for both kinds of stores (dual.py).
"""The sessions of a user: the list, the limit, and their end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from sessile._engine.forbidden import UNWRITABLE, Permission
from sessile._engine.index import (
    ENTERING,
    LIVES,
    Entry,
    Index,
    Mark,
    Named,
    Page,
    key_of,
    keys_of,
    memberships_of,
    renewal_is_due,
)
from sessile._engine.opening import Opening
from sessile._engine.revocations import REQUEST, begins
from sessile._engine.setup import Setup
from sessile._engine.writes import Writes
from sessile._records.naming import fresh, name_in
from sessile._records.record import INDEXES, JSON, NAME, USER, decode, encode
from sessile._session import data
from sessile._session.session import Session
from sessile._session.state import State
from sessile._session.watched import state_of
from sessile.dual import AnyStore, Steps
from sessile.errors import LoginRefused, StoreUnavailable, TooManySessions
from sessile.events import EventKind
from sessile.lifetime import seconds
from sessile.options import CookieOptions
from sessile.stores.base import Replaced

__all__ = ["Programs", "SessionHandle", "Users"]

#: By how many seconds the clocks of two servers may differ. A log-in whose request began less than that after a
#: revocation is refused, unless this process made the revocation and knows better.
TOLERANCE = 2.0

#: How many sessions one user may have at once where no limit is set, so that their page has a bound. The oldest end.
MOST_SESSIONS = 1000

#: How many sessions a mark can spare.
MOST_SPARED = 100

#: What was entered at most this many seconds ago may be about to be made, and is kept from that.
IN_FLIGHT = 600.0

#: Of how many sessions a process knows when it has compared them with their pages.
MOST_LOOKED = 10_000

#: For how many seconds a mark stands at least: no browser keeps a cookie for longer (RFC 6265bis 5.5).
LONGEST = 400 * 86_400.0


class Programs(Protocol):
    """What opens and ends a session for a handle: ``Sessions``."""

    def open(self, sid: str, /) -> Session | None:
        """Return the session stored under ``sid``, or None."""

    async def aopen(self, sid: str, /) -> Session | None:
        """The async version of ``open``."""

    def revoke(self, sid: str, /) -> bool:
        """End the session ``sid``."""

    async def arevoke(self, sid: str, /) -> bool:
        """The async version of ``revoke``."""


@dataclass(frozen=True)
class SessionHandle:
    """One of a user's sessions, for a page that lists them. It shows no id, and nothing that could be a cookie.

    >>> def devices(sessions, user): return [each.handle for each in sessions.of_user(user)]
    """

    #: Its name as long as it lives, in the log and on the command line too. For a form, to find it in the list again.
    handle: str
    user_id: str | int
    #: When the user logged in, in epoch seconds.
    logged_in_at: float | None
    #: When it was last used, in epoch seconds, to ``touch_after``.
    last_seen: float
    #: When it ends if it is not used any more.
    expires_at: float
    #: What the application gave to ``login()``: the device, the address.
    claims: dict[str, JSON]
    #: Whether it is the one that was given as ``current``.
    is_current: bool

    def __repr__(self) -> str:
        return f"<SessionHandle {self.handle}{' (current)' if self.is_current else ''}>"

    _sid: str = field(repr=False, compare=False)
    _programs: Programs = field(repr=False, compare=False)

    def open(self) -> Session | None:
        """Return the Session itself, or None if it has ended meanwhile."""
        return self._programs.open(self._sid)

    async def aopen(self) -> Session | None:
        """The async version of ``open``."""
        return await self._programs.aopen(self._sid)

    def revoke(self) -> bool:
        """End the session: its next request finds none. Return True if there was one."""
        return self._programs.revoke(self._sid)

    async def arevoke(self) -> bool:
        """The async version of ``revoke``."""
        return await self._programs.arevoke(self._sid)


class Users:
    """Knows the sessions of users, and of whatever else the application has an index of.

    ``restore`` makes an id, as it stands in the store, one that the store takes.
    """

    def __init__(
        self, setup: Setup, opening: Opening, writes: Writes, restore: Callable[[str], str], programs: Programs
    ) -> None:
        self._options = setup.options
        self._calls = setup.calls
        self._events = setup.events
        self._fields = setup.fields
        #: When each session was compared with its pages, by this process.
        self._looked: dict[str, float] = {}
        self._revocations = setup.revocations
        self._opening = opening
        self._writes = writes
        self._index = Index(setup.calls, setup.clock, setup.in_store)
        self._index_of = setup.index_of
        self._permission = Permission(setup.options, setup.fields, setup.clock)
        self._restore = restore
        self._programs = programs

    # For commits.

    def enter(self, store: AnyStore, state: State, sid: str, ttl: float) -> Steps[None]:
        """Enter a session that is about to be stored under ``sid`` for ``ttl`` seconds.

        Raises LoginRefused if it is older than a revocation, and TooManySessions.
        """
        if self._permission.is_missing():
            return
        user = state.system.get(USER)
        of_user = None if user is None else key_of(USER, user)
        try:
            for key, since in memberships_of(state.system, self._options.clock()).items():
                yield from self._enter(store, state, key, since, sid, ttl, is_user=key == of_user)
                self._permission.given()
        except LoginRefused:
            raise
        except StoreUnavailable as error:
            if not self._permission.refused(error):
                raise StoreUnavailable(UNWRITABLE) from error

    def arrive(self, store: AnyStore, session: Session) -> Steps[Session | None]:
        """Enter a session that came under an id which was never entered: another program has given it that.

        Return it, or None if it was revoked, or is one too many; then it has ended.
        """
        if self._fields.believes_all or self._permission.is_missing():
            return session
        state = state_of(session)
        sid, ttl = data.sid_of(state), state.ends - self._options.clock()
        try:
            try:
                if self._fields.is_entered(state.system, sid) and (yield from self._is_known(store, state, sid)):
                    return session
                yield from self.enter(store, state, sid, ttl)
            except (LoginRefused, TooManySessions):
                raise
            except StoreUnavailable as error:
                if self._permission.refused(error):
                    return session
                # It is entered another time. But if it was revoked, that can still be read.
                yield from self.look_again(store, state)
                return session
        except (LoginRefused, TooManySessions):
            if (yield from self._writes.end(store, sid, state.payload or b"")):
                self._events.report(EventKind.REVOKED, sid, "it came under an id of another program", state.facts)
            return None
        contents = decode(state.payload or b"")
        if contents is not None:
            contents.system = self._fields.sealed(state.system, sid)
            payload = encode(contents)
            with suppress(StoreUnavailable):
                answer = yield from self._calls.ask(store.replace, sid, payload, ttl, state.payload)
                if isinstance(answer, Replaced):
                    state.payload, state.system = payload, contents.system
        return session

    def look_is_due(self, system: dict[str, JSON], sid: str) -> bool:
        """Return True if a session is to be compared with its pages again, in a store that evicts."""
        if USER not in system and INDEXES not in system:
            return False
        at = self._looked.get(sid)
        return at is None or not 0 <= self._options.clock() - at < self._options.index_check

    def _is_known(self, store: AnyStore, state: State, sid: str) -> Steps[bool]:
        """Return True if all pages of a session name it still, in a store that evicts.

        Raises LoginRefused if it was revoked, or if a page is gone, and with it perhaps the mark of a revocation.
        """
        while len(self._looked) >= MOST_LOOKED:
            self._looked.pop(next(iter(self._looked)))
        if (yield from self._calls.ask(store.evicts)):
            for key, since in memberships_of(state.system, self._options.clock()).items():
                page = yield from self._index.read(self._index_of(store), key)
                self._admit(page.revoked, state, key, since)
                if self._index.name(sid) not in page.sessions:
                    if page == Page() and self._options.index_lost == "end":
                        raise LoginRefused
                    return False
        self._looked[sid] = self._options.clock()
        return True

    def look_again(self, store: AnyStore, state: State) -> Steps[None]:
        """Raise LoginRefused if a session that was entered has met a revocation since."""
        if self._permission.is_missing():
            return
        for key, since in memberships_of(state.system, self._options.clock()).items():
            page = yield from self._index.read(self._index_of(store), key)
            self._admit(page.revoked, state, key, since)

    def leave(self, store: AnyStore, system: dict[str, JSON], sid: str) -> Steps[None]:
        """Take out ``sid``, which a session with these system fields had."""
        for key in keys_of(system):
            yield from self._index.leave(self._index_of(store), key, {self._index.name(sid)})

    def is_due(self, state: State, ttl: float) -> bool:
        """Return True if a session that gets ``ttl`` seconds from now would outlive its entries."""
        return not self._permission.is_missing() and renewal_is_due(state.ends - ttl, self._options.clock(), ttl)

    def renew(self, store: AnyStore, state: State, ttl: float) -> Steps[None]:
        """Let the entries of a session outlive it. Raises LoginRefused if it was revoked."""
        sid = state.loaded or data.sid_of(state)
        for key, since in memberships_of(state.system, self._options.clock()).items():
            yield from self._enter(store, state, key, since, sid, ttl, is_user=False)

    def name_of(self, state: State) -> str:
        """Return what a session is called, whatever its id."""
        return name_in(state.system, self._index.name(state.loaded or data.sid_of(state)))

    def _admit(self, mark: Mark | None, state: State, key: str, since: float) -> Mark | None:
        """Return ``mark`` if a session that belongs to its page ``since`` then may be entered. Raises LoginRefused."""
        if mark is None:
            return None
        name = self.name_of(state)
        # A log-in by an id that the spared session had before is named as that is, and may be older than the mark.
        if name in mark.spared and state.proof is not EventKind.LOGGED_IN:
            return mark
        is_new = begins(state, key)
        if (state.begun if is_new else since) >= mark.at + TOLERANCE:
            return mark
        is_later = mark.id in state.revocations or self._revocations.is_before(mark.id, state)
        if not (is_new and is_later):
            raise LoginRefused
        return Mark(mark.at, mark.id, (*mark.spared, name)[-MOST_SPARED:])

    def _enter(
        self, store: AnyStore, state: State, key: str, since: float, sid: str, ttl: float, *, is_user: bool
    ) -> Steps[None]:
        """Enter ``sid`` in one page, in the same step in which the mark is looked at and the limit kept."""
        ended: list[str] = []
        name, before = self.name_of(state), self._index.name(state.loaded or "")

        def enter(page: Page) -> Steps[Page]:
            mark = self._admit(page.revoked, state, key, since)
            entered = self._index.with_entry(Page(page.sessions, mark), sid, ttl, name)
            ended.clear()
            if is_user and (
                state.proof is EventKind.LOGGED_IN
                or (before not in page.sessions and (yield from self._goes_on(store, state, sid)))
            ):
                others = {one: each for one, each in entered.sessions.items() if each.name != name and one != before}
                ended.extend((yield from self._excess(store, key, others)))
            return entered

        yield from self._index.change(self._index_of(store), key, enter, LIVES * ttl)
        if ended:
            yield from self._end(store, key, dict.fromkeys(ended), "a log-in went beyond max_sessions_per_user")

    def _goes_on(self, store: AnyStore, state: State, sid: str) -> Steps[bool]:
        """Return False if a session that is to go on as ``sid`` was ended meanwhile: then it is none too many."""
        if (old := state.loaded) in (None, sid):
            return True
        return self._opening.examine(old, (yield from self._calls.ask(store.load, old))) is not None

    def _excess(self, store: AnyStore, key: str, others: Named) -> Steps[list[str]]:
        """Return the ids that have to end, of the ``others`` that a user has, if they are to have one more session."""
        limit = self._options.max_sessions_per_user
        moments = {one: entry.entered for one, entry in others.items()}
        if limit is not None:
            found = yield from self._live(store, key, others)
            # What was entered a moment ago counts too: its record may be about to be made.
            moments = {one: at for one, at in moments.items() if one in found or at > self._young()}
            moments |= {one: session.logged_in_at or 0.0 for one, session in found.items()}
        began: dict[str, float] = {}
        for one, at in moments.items():
            called = others[one].name or one
            began[called] = min(at, began.get(called, at))
        excess = len(began) + 1 - (limit or MOST_SESSIONS)
        if excess <= 0:
            return []
        if limit is not None and self._options.too_many_sessions == "refuse":
            raise TooManySessions(limit, [self._handle(one, other, None) for one, other in found.items()])
        oldest = set(sorted(began, key=lambda called: began[called])[:excess])
        return [one for one in moments if (others[one].name or one) in oldest]

    def _young(self) -> float:
        return self._options.clock() - ENTERING

    # For programs.

    def of(
        self, store: AnyStore, name: str, value: str | int, current: Session | None = None
    ) -> Steps[list[SessionHandle]]:
        """Return the live sessions with ``value`` in the index ``name``, the one that was used last first."""
        key = key_of(name, value)
        page = yield from self._index.read(self._index_of(store), key)
        found = yield from self._live(store, key, page.sessions)
        young = self._young()
        gone = {one for one, entry in page.sessions.items() if one not in found and entry.entered <= young}
        if gone:
            with suppress(StoreUnavailable):  # The list is right without it.
                yield from self._index.leave(self._index_of(store), key, gone)
        handles = [self._handle(one, session, current) for one, session in found.items()]
        return sorted(handles, key=lambda handle: -handle.last_seen)

    def revoke_all(self, store: AnyStore, name: str, value: str | int, keep: Session | None = None) -> Steps[int]:
        """End the sessions with ``value`` in the index ``name``, but for ``keep``. Return how many there were."""
        key, kept = key_of(name, value), None if keep is None else state_of(keep)
        spared = () if kept is None or (kept.loaded is None and NAME not in kept.system) else (self.name_of(kept),)
        asking = REQUEST.get()
        askers = [each for each in (asking, kept) if each is not None]
        if asking is not None and asking is not kept and key in keys_of(asking.system):
            asking.ended_itself = True
        page = yield from self._mark(store, key, fresh(8), spared, askers)
        here = "" if kept is None else self._index.name(kept.loaded or "")
        ended = {one: e for one, e in page.sessions.items() if one != here and (not e.name or e.name not in spared)}
        return (yield from self._end(store, key, ended, spared=spared))

    def _mark(
        self, store: AnyStore, key: str, mark: str, spared: tuple[str, ...], askers: Iterable[State]
    ) -> Steps[Page]:
        """Mark a page as revoked, and return it. ``askers`` are the sessions whose request asks for it."""

        def revoke(page: Page) -> Page:
            # Later than all that is named, whatever the clocks of the servers say that entered it.
            at = max([self._options.clock(), *(entry.entered for entry in page.sessions.values())])
            return Page(page.sessions, Mark(at, mark, spared))

        try:
            page = yield from self._index.change(self._index_of(store), key, revoke, self._longest())
        except StoreUnavailable:
            page = yield from self._index.read(self._index_of(store), key)
            if page.revoked is None or page.revoked.id != mark:  # Otherwise only the answer was lost.
                try:  # The store is there. So perhaps nothing but one answer was lost on the way to the mark.
                    page = yield from self._index.change(self._index_of(store), key, revoke, self._longest())
                except StoreUnavailable:
                    self._events.report(EventKind.REVOCATION_INCOMPLETE, None, "the store refused the mark")
                    return page
        self._revocations.note(mark)
        for asker in askers:
            asker.revocations = (*asker.revocations, mark)
        return page

    def _longest(self) -> float:
        """Return for how many seconds a mark stands: longer than any session lives without a visit."""
        options, lifetime = self._options, self._options.lifetime
        lives = [LONGEST, options.ttl]
        if isinstance(options.cookie, CookieOptions):
            lives.append(options.cookie.lifetime(options.clock()) or 0.0)
        if lifetime is not None:
            lives.extend(seconds(each) or 0.0 for each in (lifetime.idle, lifetime.absolute, lifetime.remember))
        return max(lives)

    def _end(
        self, store: AnyStore, key: str, ended: Mapping[str, Entry | None], detail: str = "", spared: Iterable[str] = ()
    ) -> Steps[int]:
        """End what a page names, one after the other, and take it out. Return how many sessions there were."""
        number, young, names = 0, self._options.clock() - IN_FLIGHT, frozenset(spared)

        def belongs(system: dict[str, JSON]) -> bool:
            return key in keys_of(system) and system.get(NAME) not in names

        gone: set[str] = set()
        try:
            for one, entry in ended.items():
                may_begin = entry is None or entry.entered > young
                sid = self._restore(one)
                if (yield from self._writes.end(store, sid, leaves=False, only=belongs, buries=may_begin)):
                    self._events.report(EventKind.REVOKED, sid, detail)
                    number += 1
                gone.add(one)
        finally:
            if gone:
                with suppress(StoreUnavailable):  # What a page names too much is dropped in its time.
                    yield from self._index.leave(self._index_of(store), key, gone)
        return number

    def _live(self, store: AnyStore, key: str, named: Iterable[str]) -> Steps[dict[str, Session]]:
        found = {}
        for one in named:
            session = yield from self._opening.fetch(store, self._restore(one))
            if session is None:
                continue
            state = state_of(session)
            # One that goes on under another id is named under that.
            if self._index.name(data.sid_of(state)) == one and key in keys_of(state.system):
                found[one] = session
        return found

    def _handle(self, one: str, session: Session, current: Session | None) -> SessionHandle:
        state = state_of(session)
        return SessionHandle(
            self.name_of(state),
            session.user_id or "",
            session.logged_in_at,
            session.last_seen or 0.0,
            session.expires_at or 0.0,
            session.claims,
            current is not None and self.name_of(state) == self.name_of(state_of(current)),
            self._restore(one),
            self._programs,
        )
