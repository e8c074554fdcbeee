# A few verbs cannot wait for the commit: a value that one request may have, a number that several count up, a lock.
# Each reads the record, changes it, and writes it back if it is still what was read; else once more. What the request
# has changed itself stays what it is: changes for the commit.
#
# All methods are bodies of code in both colours (dual.py).
"""What a request does to the stored session at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from holdfast import lifecycle
from holdfast.border import Border
from holdfast.commits import Commits
from holdfast.dual import Steps
from holdfast.errors import RetriesExhausted, SessionError, SessionGone, SessionLocked
from holdfast.events import Events, Happening
from holdfast.locks import lock_in, with_lock, without_lock
from holdfast.options import Options
from holdfast.patience import MAX_TRIES, QUICK_TRIES, pause_before
from holdfast.record import JSON, Contents, decode, encode
from holdfast.session import Session
from holdfast.stores.base import Replaced

__all__ = ["AtOnce"]

T = TypeVar("T")


class AtOnce:
    """Changes stored sessions while their requests run."""

    def __init__(self, options: Options, border: Border, events: Events, commits: Commits) -> None:
        self._options = options
        self._border = border
        self._events = events
        self._commits = commits

    def reload(self, store: Any, session: Session) -> Steps[None]:
        """Load the session again. See ``Session.reload``."""
        session.become((yield from self._find(store, session)))

    def begin(self, store: Any, session: Session) -> Steps[Session]:
        """Bring the session up to what is stored, keeping what was changed here. See ``Session.transaction``."""
        session.writable()
        if session.lost:
            raise SessionGone("the session was ended by another request")
        if session._payload is not None:
            session.rebase((yield from self._find(store, session)), self._commits.join)
        return session

    def pop_once(self, store: Any, session: Session, key: str, default: JSON) -> Steps[JSON]:
        """Take ``key`` out of the stored record, so that of all who try one gets its value."""

        def take(data: dict[str, JSON]) -> JSON:
            return data.pop(key, default)

        try:
            return (yield from self._change(store, session, take))
        except SessionGone:
            return default

    def incr(self, store: Any, session: Session, key: str, by: float) -> Steps[JSON]:
        """Add ``by`` to ``key`` in the stored record."""

        def count(data: dict[str, JSON]) -> JSON:
            value = data.get(key, 0)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TypeError(f"session[{key!r}] is a {type(value).__name__}: incr() needs a number there")
            data[key] = value + by
            return data[key]

        return (yield from self._change(store, session, count))

    def lock(self, store: Any, session: Session, ttl: float, wait: float) -> Steps[int]:
        """Take the session's lock, once nobody else holds it, and return the holder's number. See ``Session.lock``."""
        session.writable()
        if session._pocket is not None:
            raise SessionError("sessions that travel in their cookie have no lock: no two requests share one")
        if session.lost:
            raise SessionGone("the session was ended by another request")
        if session.fence:
            raise SessionError("this request holds the lock of its session already")
        until = time.monotonic() + wait
        tries = QUICK_TRIES
        while True:
            fence: int | None = yield from self._take_lock(store, session, ttl)
            if fence is not None:
                session.fence = fence
                return fence
            if time.monotonic() >= until:
                raise SessionLocked(wait)
            yield from pause_before(tries)
            tries += QUICK_TRIES

    def _take_lock(self, store: Any, session: Session, ttl: float) -> Steps[int | None]:
        """Take the lock if it is there to be taken, and return the holder's number."""
        now = self._options.clock()

        def take(contents: Contents) -> int | None:
            if lock_in(contents.system).until > now:
                return None
            contents.system = with_lock(contents.system, now, ttl)
            return lock_in(contents.system).fence

        if session._payload is None:  # Nobody else can know of it.
            return lock_in(with_lock({}, now, ttl)).fence
        fence, _ = yield from self._rewrite(store, session, take, counts=False)
        return fence

    def unlock(self, store: Any, session: Session) -> Steps[None]:
        """Give the lock back, if it stands in the record still."""
        fence, session.fence = session.fence, 0

        def give_back(contents: Contents) -> None:
            if lock_in(contents.system) == (fence, lock_in(contents.system).until):
                contents.system = without_lock(contents.system)

        stored = decode(session._payload or b"")
        if stored is not None and lock_in(stored.system).until:
            with suppress(SessionGone):
                yield from self._rewrite(store, session, give_back, counts=False)

    def _change(self, store: Any, session: Session, change: Callable[[dict[str, JSON]], JSON]) -> Steps[JSON]:
        """Apply ``change`` to the data of the stored record, and of the session here. Return what it returned there."""
        session.writable()
        if session._payload is None:
            return session.apply(change)
        result, written = yield from self._rewrite(
            store, session, lambda contents: change(contents.data), counts=session.extends
        )
        if written:
            session.apply(change)
            self._events.tell(Happening.SAVED, session._loaded, facts=session._facts)
        return result

    def _rewrite(
        self, store: Any, session: Session, change: Callable[[Contents], T], *, counts: bool
    ) -> Steps[tuple[T, bool]]:
        """Apply ``change`` to the stored record. Return what it returned, and whether that changed anything.

        ``counts``: the life of the session begins anew. The session here gets what others have stored.
        """
        for tries in range(MAX_TRIES):
            if tries:
                self._events.count("retries")
                yield from pause_before(tries)
            stored = yield from self._find(store, session)
            session.rebase(stored, self._commits.join)
            contents = decode(stored._payload or b"")
            if contents is None:
                break
            before = encode(contents)
            result = change(contents)
            payload = encode(contents)
            if payload == before:
                return result, False
            now = self._options.clock()
            ttl = stored._ends - now
            if counts:
                ttl = lifecycle.life_of(contents.system, contents.cookie or {}, self._options, now)
            answer = yield from self._border.ask(store.replace, stored.sid(), payload, ttl, stored._payload)
            if isinstance(answer, Replaced):
                session.rewritten(payload, stored._system, contents.system, now + ttl)
                return result, True
            self._events.count("conflicts")
        raise RetriesExhausted(MAX_TRIES)

    def _find(self, store: Any, session: Session) -> Steps[Session]:
        """Return ``session`` as the store has it now. Raises SessionGone."""
        if session._loaded is not None:
            found = yield from self._commits.fetch(store, session._loaded)
            if found is not None:
                return found
        raise SessionGone("the store has no such session: it was ended, or never saved")
