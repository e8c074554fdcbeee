# A few verbs cannot wait for the commit: a value that one request may have, a number that several count up, a lock.
# Each reads the record, changes it, and writes it back if it is still what was read; else once more. What the request
# has changed itself stays what it is: changes for the commit.
#
# All methods are bodies of code for both kinds of stores (dual.py).
"""What a request does to the stored session at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from sessile._engine.committer import Committer, in_turn
from sessile._engine.opening import Opening
from sessile._engine.patience import MAX_TRIES, QUICK_TRIES, pause_before
from sessile._engine.setup import Setup
from sessile._engine.writes import Writes
from sessile._records.locks import lock_in, with_lock, without_lock
from sessile._records.record import JSON, Contents, decode, encode
from sessile._records.taken import with_taken
from sessile._session import data, lifecycle
from sessile._session.plan import check_size
from sessile._session.session import Session
from sessile._session.state import State
from sessile._session.watched import state_of
from sessile.dual import AnyStore, Steps
from sessile.errors import RetriesExhausted, SessionEnded, SessionError, SessionGone, SessionLocked
from sessile.events import EventKind
from sessile.stores.base import Replaced

__all__ = ["AtOnce"]

T = TypeVar("T")


class AtOnce:
    """Changes stored sessions while their requests run."""

    def __init__(self, setup: Setup, opening: Opening, writes: Writes, committer: Committer) -> None:
        self._options = setup.options
        self._calls = setup.calls
        self._events = setup.events
        self._fields = setup.fields
        self._opening = opening
        self._writes = writes
        self._committer = committer

    def save(self, store: AnyStore, session: Session) -> Steps[bool]:
        """Commit the session. See ``Session.save``."""
        return in_turn(state_of(session), self._save(store, session, strict=False))

    def _save(self, store: AnyStore, session: Session, *, strict: bool) -> Steps[bool]:
        state = state_of(session)
        _check_writable(state)
        plan = self._committer.plan(session, asked=True)
        if plan is not None:
            yield from self._committer.commit(store, session, plan, strict)
        return not state.is_lost()

    def reload(self, store: AnyStore, session: Session) -> Steps[None]:
        """Load the session again. See ``Session.reload``."""
        state = state_of(session)
        data.become(session, (yield from in_turn(state, self._find(store, state))))

    def begin(self, store: AnyStore, session: Session) -> Steps[Session]:
        """Bring the session up to what is stored, keeping what was changed here. See ``Session.transaction``."""
        return in_turn(state_of(session), self._begin(store, session))

    def _begin(self, store: AnyStore, session: Session) -> Steps[Session]:
        state = state_of(session)
        _check_writable(state)
        if state.is_lost():
            raise SessionGone("the session was ended by another request")
        if state.payload is not None:
            data.rebase(session, (yield from self._find(store, state)), self._writes.join)
        return session

    def finish(self, store: AnyStore, session: Session, kept: bool) -> Steps[None]:
        """Commit a transaction: like ``save``, but a key that somebody else changed too is not overwritten."""
        state = state_of(session)
        if kept and not (yield from in_turn(state, self._save(store, session, strict=True))):
            raise SessionGone("the session was ended while the transaction ran; nothing was written")

    def pop_once(self, store: AnyStore, session: Session, key: str, default: JSON) -> Steps[JSON]:
        """Take ``key`` out of the stored record, so that of all who try one gets its value."""

        def take(data: dict[str, JSON]) -> JSON:
            return data.pop(key, default)

        try:
            return (yield from in_turn(state_of(session), self._change(store, session, take, taken=key)))
        except SessionGone:
            return default

    def incr(self, store: AnyStore, session: Session, key: str, by: float) -> Steps[float]:
        """Add ``by`` to ``key`` in the stored record."""

        def count(data: dict[str, JSON]) -> float:
            value = data.get(key, 0)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TypeError(f"session[{key!r}] is a {type(value).__name__}: incr() needs a number there")
            data[key] = total = value + by
            return total

        return (yield from in_turn(state_of(session), self._change(store, session, count)))

    def lock(self, store: AnyStore, session: Session, ttl: float, wait: float) -> Steps[int]:
        """Take the session's lock, once nobody else holds it, and return the holder's number. See ``Session.lock``."""
        state = state_of(session)
        _check_writable(state)
        if state.own_store is not None:
            raise SessionError("sessions that travel in their cookie have no lock: no two requests share one")
        if state.is_lost():
            raise SessionGone("the session was ended by another request")
        if state.fence:
            raise SessionError("this request holds the lock of its session already")
        until = time.monotonic() + wait
        tries = QUICK_TRIES
        while True:
            fence: int | None = yield from in_turn(state, self._take_lock(store, session, ttl))
            if fence is not None:
                state.fence = fence
                return fence
            if time.monotonic() >= until:
                raise SessionLocked(wait)
            yield from pause_before(tries)
            tries += QUICK_TRIES

    def _take_lock(self, store: AnyStore, session: Session, ttl: float) -> Steps[int | None]:
        """Take the lock if it is there to be taken, and return the holder's number."""
        now = self._options.clock()

        def take(contents: Contents) -> int | None:
            if lock_in(contents.system).until > now:
                return None
            contents.system = with_lock(contents.system, now, ttl)
            return lock_in(contents.system).fence

        if state_of(session).payload is None:  # Nobody else can know of it.
            return lock_in(with_lock({}, now, ttl)).fence
        fence, _ = yield from self.rewrite(store, session, take, counts=False)
        return fence

    def unlock(self, store: AnyStore, session: Session, kept: bool) -> Steps[None]:
        """Commit what was done under the lock, and give it back, in one step if that can be."""
        return in_turn(state_of(session), self._unlock(store, session, kept))

    def _unlock(self, store: AnyStore, session: Session, kept: bool) -> Steps[None]:
        state = state_of(session)
        try:
            if kept and state.ended is None:
                state.system = without_lock(state.system)
                if not (yield from self._save(store, session, strict=False)):
                    raise SessionGone("the session was ended while the lock was held; nothing was written")
        finally:
            yield from self._give_back(store, session)

    def _give_back(self, store: AnyStore, session: Session) -> Steps[None]:
        """Give the lock back, if it stands in the record still."""
        state = state_of(session)
        fence, state.fence = state.fence, 0

        def give_back(contents: Contents) -> None:
            if lock_in(contents.system) == (fence, lock_in(contents.system).until):
                contents.system = without_lock(contents.system)

        stored = decode(state.payload or b"")
        if stored is not None and lock_in(stored.system).until:
            with suppress(SessionGone):
                yield from self.rewrite(store, session, give_back, counts=False)

    def _change(
        self, store: AnyStore, session: Session, change: Callable[[dict[str, JSON]], T], taken: str | None = None
    ) -> Steps[T]:
        """Apply ``change`` to the data of the stored record, and of the session here. Return what it returned there.

        ``taken`` is the key that it takes out for good.
        """
        state = state_of(session)
        _check_writable(state)
        if state.payload is None:
            return data.apply(session, change)

        def rewrite(contents: Contents) -> T:
            if taken in contents.data and self._options.conflict == "overwrite":
                contents.system = with_taken(contents.system, taken, self._options.clock())
            return change(contents.data)

        result, written = yield from self.rewrite(store, session, rewrite, counts=session.keep_alive)
        if written:
            data.apply(session, change)
            self._events.report(EventKind.SAVED, state.loaded, facts=state.facts)
        return result

    def rewrite(
        self, store: AnyStore, session: Session, change: Callable[[Contents], T], *, counts: bool
    ) -> Steps[tuple[T, bool]]:
        """Apply ``change`` to the stored record. Return what it returned, and whether that changed anything.

        ``counts``: the life of the session begins anew. The session here gets what others have stored.
        """
        state = state_of(session)
        for tries in range(MAX_TRIES):
            if tries:
                self._events.count("retries")
                yield from pause_before(tries)
            stored = yield from self._find(store, state)
            theirs = state_of(stored)
            data.rebase(session, stored, self._writes.join)
            contents = decode(theirs.payload or b"")
            if contents is None:
                break
            contents.system = theirs.system
            before = encode(contents)
            result = change(contents)
            contents.system = self._fields.sealed_again(contents.system)
            payload = encode(contents)
            if payload == before:
                return result, False
            check_size(payload, contents.data, self._options, len(before) + (0 if counts else lifecycle.GROWTH))
            now = self._options.clock()
            ttl = theirs.ends - now
            if counts:
                ttl = lifecycle.life_of(contents.system, contents.cookie or {}, self._options, now)
            answer = yield from self._calls.ask(store.replace, data.sid_of(theirs), payload, ttl, theirs.payload)
            if isinstance(answer, Replaced):
                data.rewritten(state, payload, theirs.system, contents.system, now + ttl)
                return result, True
            self._events.count("conflicts")
        raise RetriesExhausted(MAX_TRIES)

    def _find(self, store: AnyStore, state: State) -> Steps[Session]:
        """Return the session as the store has it now. Raises SessionGone."""
        if state.loaded is not None:
            found = yield from self._opening.fetch(store, state.loaded)
            if found is not None:
                return found
        raise SessionGone("the store has no such session: it was ended, or never saved")


def _check_writable(state: State) -> None:
    """Raise SessionEnded if nothing would store a change."""
    state.accessed = state.written = True
    state.complained = False
    if state.ended is not None:
        raise SessionEnded(state.ended)
