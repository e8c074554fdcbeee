# What is here is about all sessions of a user at once. A session says itself whose it is (its system fields); the index
# (index.py) says where to look, and is believed in nothing else: what it names is loaded, and counts only if it says so
# too. So nobody is shown, or can end, a session of somebody else, whatever stands in the index.
#
# All methods are bodies of code in both colours (dual.py).
"""The sessions of a user: the list, the limit, and their end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from holdfast.commits import Commits
from holdfast.dual import Steps
from holdfast.errors import StoreUnavailable, TooManySessions
from holdfast.events import Events, Happening
from holdfast.index import ENTERING, Index, Named, key_of, keys_of, renewal_is_due
from holdfast.options import Options
from holdfast.record import JSON, USER
from holdfast.session import Session

__all__ = ["SessionHandle", "Users"]

_UNWRITABLE = (
    "the index of a user's sessions cannot be written. If the store may have no room beside the sessions, because it "
    "may make no table or use no other keys, set index_users=False"
)


@dataclass(frozen=True)
class SessionHandle:
    """One of a user's sessions, for a page that lists them. It shows no id, and nothing that could be a cookie."""

    #: Names the session in a form: of no use but to find it in the list again.
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
    _sid: str = field(repr=False, compare=False)
    _open: Callable[[str], Any] = field(repr=False, compare=False)
    _revoke: Callable[[str], Any] = field(repr=False, compare=False)

    def open(self) -> Any:
        """Return the Session itself, or None if it has ended meanwhile. Await it under asyncio."""
        return self._open(self._sid)

    def revoke(self) -> Any:
        """End the session: its next request finds none. Await it under asyncio. Returns whether there was one."""
        return self._revoke(self._sid)


class Users:
    """Knows the sessions of users, and of whatever else the application has an index of.

    ``restore`` makes an id, as it stands in the store, one that the store takes; ``open`` and ``revoke`` are for
    handles.
    """

    def __init__(
        self,
        options: Options,
        events: Events,
        commits: Commits,
        index: Index,
        restore: Callable[[str], str],
        open: Callable[[str], Any],
        revoke: Callable[[str], Any],
    ) -> None:
        self._options = options
        self._events = events
        self._commits = commits
        self._index = index
        self._restore = restore
        self._open = open
        self._revoke = revoke
        self._key = hashlib.sha256(b"holdfast handles" + options.secrets()[-1]).digest()

    # For commits.

    def enter(self, store: Any, session: Session, sid: str, ttl: float) -> Steps[None]:
        """Enter ``session``, which is about to be stored under ``sid`` for ``ttl`` seconds. Raises TooManySessions."""
        limit, user = self._options.max_sessions_per_user, session._system.get(USER)
        of_user = None if limit is None or user is None else key_of(USER, user)
        try:
            for key in keys_of(session._system):
                if limit is not None and key == of_user:
                    yield from self._enter_limited(store, session, key, sid, ttl, limit)
                else:
                    yield from self._index.enter(store.index(), key, sid, ttl)
        except StoreUnavailable as error:
            raise StoreUnavailable(_UNWRITABLE) from error

    def leave(self, store: Any, system: dict[str, JSON], sid: str) -> Steps[None]:
        """Take out ``sid``, which a session with these system fields had."""
        for key in keys_of(system):
            yield from self._index.leave(store.index(), key, {self._index.name(sid)})

    def is_due(self, session: Session, ttl: float) -> bool:
        """Tell whether ``session``, which gets ``ttl`` seconds from now, would outlive its entries."""
        return renewal_is_due(session._ends - ttl, self._options.clock(), ttl)

    def renew(self, store: Any, session: Session, ttl: float) -> Steps[None]:
        """Let the entries of ``session`` outlive it."""
        for key in keys_of(session._system):
            yield from self._index.renew(store.index(), key, session._loaded or session.sid(), ttl)

    def _enter_limited(self, store: Any, session: Session, key: str, sid: str, ttl: float, limit: int) -> Steps[None]:
        ended: list[str] = []

        def enter(named: Named) -> Steps[Named]:
            found = yield from self._live(store, key, named)
            others = {one: other for one, other in found.items() if one != self._index.name(session._loaded or "")}
            excess = len(others) + 1 - limit
            ended.clear()
            if excess > 0:
                if self._options.too_many_sessions == "refuse":
                    raise TooManySessions(limit, [self._handle(one, other, None) for one, other in others.items()])
                oldest = sorted(others, key=lambda one: others[one].logged_in_at or 0.0)
                ended.extend(oldest[:excess])
            kept = {one: at for one, at in named.items() if one in found or at > self._young()}
            return {**kept, self._index.name(sid): self._options.clock()}

        yield from self._index.change(store.index(), key, enter, ttl)
        yield from self._end(store, key, ended, "a log-in went beyond max_sessions_per_user")

    def _young(self) -> float:
        return self._options.clock() - ENTERING

    # For programs.

    def of(self, store: Any, name: str, value: str | int, current: Session | None = None) -> Steps[list[SessionHandle]]:
        """Return the live sessions with ``value`` in the index ``name``, the one that was used last first."""
        found = yield from self._members(store, key_of(name, value))
        handles = [self._handle(one, session, current) for one, session in found.items()]
        return sorted(handles, key=lambda handle: -handle.last_seen)

    def revoke_all(self, store: Any, name: str, value: str | int, keep: Session | None = None) -> Steps[int]:
        """End the sessions with ``value`` in the index ``name``, but for ``keep``. Return how many there were."""
        key = key_of(name, value)
        kept = None if keep is None else self._index.name(keep._loaded or "")
        found = yield from self._members(store, key)
        return (yield from self._end(store, key, [one for one in found if one != kept]))

    def _end(self, store: Any, key: str, ended: Iterable[str], detail: str = "") -> Steps[int]:
        number = 0
        gone = set(ended)
        for one in gone:
            if (yield from self._commits.end(store, self._restore(one), leaves=False)):
                self._events.tell(Happening.REVOKED, self._restore(one), detail)
                number += 1
        if gone:
            yield from self._index.leave(store.index(), key, gone)
        return number

    def _members(self, store: Any, key: str) -> Steps[dict[str, Session]]:
        """Return the live sessions of an index, and take out of it what is none."""
        named = yield from self._index.named(store.index(), key)
        found = yield from self._live(store, key, named)
        gone = {one for one, at in named.items() if one not in found and at <= self._young()}
        if gone:
            yield from self._index.leave(store.index(), key, gone)
        return found

    def _live(self, store: Any, key: str, named: Named) -> Steps[dict[str, Session]]:
        found = {}
        for one in named:
            session = yield from self._commits.fetch(store, self._restore(one))
            # One that goes on under another id is named under that.
            if session is not None and self._index.name(session.sid()) == one and key in keys_of(session._system):
                found[one] = session
        return found

    def _handle(self, one: str, session: Session, current: Session | None) -> SessionHandle:
        return SessionHandle(
            hashlib.blake2b(one.encode("utf-8", "replace"), key=self._key, digest_size=16).hexdigest(),
            session.user_id or "",
            session.logged_in_at,
            session.last_seen or 0.0,
            session.expires_at or 0.0,
            session.claims,
            current is not None and one == self._index.name(current._loaded or ""),
            self._restore(one),
            self._open,
            self._revoke,
        )
