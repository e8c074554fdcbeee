# A commit carries out one plan (lifecycle.py) on one store. Every write says what it expects to find, so it either
# happens as planned, or finds out in the same step that somebody was first: then the two changes are joined, and the
# write is tried again, after a pause if that was no accident. Somebody made progress each time, so this ends; MAX_TRIES
# is the patience of one request, and guards against a broken store.
#
# All methods are bodies of code in both colours (dual.py).
"""Carry out what the rules have decided."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import random
from typing import Any

from holdfast import lifecycle
from holdfast.border import Border
from holdfast.dual import Pause, Steps
from holdfast.errors import RetriesExhausted, SessionConflict, SessionError, SessionGone
from holdfast.events import Events, Happening
from holdfast.lifecycle import Operation, Plan
from holdfast.merge import merge
from holdfast.options import Options
from holdfast.record import JSON, decode, encode
from holdfast.session import Session
from holdfast.stores.base import Conflict, Missing, Replaced

__all__ = ["Commits"]

MAX_TRIES = 60
#: How often a write is tried again at once. Then it waits a little, and ever longer up to LONGEST_PAUSE seconds.
QUICK_TRIES = 4
LONGEST_PAUSE = 0.05

#: What stands in the place of a record between the moment its id dies and its removal.
TOMBSTONE = b'{"cookie":{"originalMaxAge":null,"expires":null},"holdfast":{"rotated":true}}'
TOMBSTONE_TTL = 60.0


def _pause(tries: int) -> Pause:
    """Return how long to wait before the next try: a time that no two requests have in common."""
    return Pause(random() * min(LONGEST_PAUSE, 0.001 * 2 ** (tries - QUICK_TRIES)))  # noqa: S311


class Commits:
    """Writes sessions to a store."""

    def __init__(
        self,
        options: Options,
        border: Border,
        events: Events,
        make_id: Callable[[Session], Steps[str]],
        examine: Callable[[str, Any], Session | None],
    ) -> None:
        self._options = options
        self._border = border
        self._events = events
        self._make_id = make_id
        self._examine = examine
        #: Joins the changes of two requests as the options say.
        self.join = partial(merge, depth=options.merge_depth, functions=options.merge)

    def carry_out(self, store: Any, session: Session, plan: Plan, strict: bool = False) -> Steps[Plan | None]:
        """Do what ``plan`` says. Return the plan as it was carried out, or None if the session is no more.

        ``strict`` raises SessionConflict rather than overwrite a key that somebody else changed too.
        """
        operation = plan.operation
        if operation is Operation.NOTHING:
            return plan
        if operation is Operation.TOUCH:
            there = yield from self._border.ask(store.touch, plan.sid, plan.ttl)
            session._renewed = True
            session._ends = self._options.clock() + plan.ttl
            return plan if there else self.gone(session, plan)
        if operation is Operation.DELETE:
            return (yield from self._delete(store, session, plan))
        if operation is Operation.REPLACE:
            return (yield from self._replace(store, session, plan, strict))
        if operation is Operation.ROTATE and plan.old_sid is not None:
            return (yield from self._rotate(store, session, plan, plan.old_sid))
        return (yield from self._create(store, session, plan))

    def gone(self, session: Session, plan: Plan) -> Plan | None:
        """Note that somebody else ended the session. Returns None: nothing was done, and nothing is to be."""
        session.lose()
        if plan.operation is not Operation.TOUCH:
            self._events.tell(Happening.DROPPED, plan.old_sid, "the session is no more; its changes were dropped")
        return None

    def _create(self, store: Any, session: Session, plan: Plan) -> Steps[Plan]:
        for _ in range(3):
            if session._id is None:
                session._id = yield from self._make_id(session)
            if (yield from self._border.ask(store.create, session._id, plan.payload, plan.ttl)):
                self._events.tell(Happening.CREATED, session._id)
                session.stored_as(session._id, plan.payload, plan.cookie, plan.ttl)
                return plan
            session._id = None
        raise SessionError("genid returned ids that are in use already; it must return a new one each time")

    def _delete(self, store: Any, session: Session, plan: Plan) -> Steps[Plan | None]:
        if not plan.sid:
            return None
        there = yield from self._border.ask(store.delete, plan.sid)
        session._loaded = None
        self._events.tell(Happening.DESTROYED, plan.sid)
        return plan if there else None

    def _replace(self, store: Any, session: Session, plan: Plan, strict: bool) -> Steps[Plan | None]:
        written = yield from self._swap(store, session, plan, plan.sid, strict)
        if written is None:
            if self._options.conflict == "overwrite":
                return (yield from self._create(store, session, plan))
            return self.gone(session, plan)
        if written is plan:
            session.stored_as(plan.sid, plan.payload, plan.cookie, plan.ttl)
        else:
            session.adopt(plan.sid, written.payload, written.ttl)
        self._events.tell(Happening.SAVED, plan.sid)
        return written

    def _rotate(self, store: Any, session: Session, plan: Plan, old_sid: str) -> Steps[Plan | None]:
        # Data that lives on is taken over from the old record in one atomic step, which also kills the old id: what
        # others wrote before it is kept, what they write after it meets a tombstone and is dropped. If this process
        # dies between the steps, the visitor is logged out; never is one session alive under two ids.
        if plan.kept:
            taken = yield from self._swap(store, session, plan, old_sid, False, TOMBSTONE)
            if taken is None:
                return self.gone(session, plan)
            plan = taken
            yield from self._create(store, session, plan)
            yield from self._border.ask(store.delete, old_sid)
            session.adopt(session.sid(), plan.payload, plan.ttl)
        else:
            yield from self._border.ask(store.delete, old_sid)
            yield from self._create(store, session, plan)
        self._events.tell(Happening.ROTATED, old_sid)
        return plan

    def _swap(
        self, store: Any, session: Session, plan: Plan, sid: str, strict: bool, tombstone: bytes | None = None
    ) -> Steps[Plan | None]:
        """Put the plan's payload, or a tombstone, in the place of the record ``sid``.

        Return the plan as it was written, joined with what others changed, or None if there is no such session.
        """
        current = plan
        for tries in range(MAX_TRIES):
            if tries >= QUICK_TRIES:
                yield _pause(tries)
            payload, ttl = (current.payload, current.ttl) if tombstone is None else (tombstone, TOMBSTONE_TTL)
            answer = yield from self._border.ask(store.replace, sid, payload, ttl, current.expected)
            if isinstance(answer, Replaced):
                return current
            # Each time anew from the plan as it was: what others changed in between is no change of ours.
            joined = None if isinstance(answer, Missing) else self._join(session, plan, answer, strict)
            if joined is None:
                return None
            current = joined
        raise RetriesExhausted(MAX_TRIES)

    def _join(self, session: Session, plan: Plan, answer: Conflict, strict: bool) -> Plan | None:
        joined = lifecycle.resolve(
            plan,
            answer.current,
            self._options,
            own_cookie=session.cookie_changed or plan.operation is Operation.ROTATE,
            now=self._options.clock(),
        )
        if joined is None:
            return None
        mode = self._options.conflict
        if mode == "error" or (strict and joined.collisions):
            raise SessionConflict(joined.base, joined.mine, joined.theirs)
        if mode == "overwrite":
            return lifecycle.insist(plan, answer.current)
        self._events.tell(Happening.MERGED, plan.sid)
        if joined.collisions:
            self._events.tell(Happening.COLLIDED, plan.sid, "one key was changed by two requests; the later one won")
        return joined.plan

    def find(self, store: Any, session: Session) -> Steps[Session]:
        """Return ``session`` as the store has it now. Raises SessionGone."""
        if session._loaded is not None:
            record = yield from self._border.ask(store.load, session._loaded)
            found = self._examine(session._loaded, record)
            if found is not None:
                return found
        raise SessionGone("the store has no such session: it was ended, or never saved")

    def pop_once(self, store: Any, session: Session, key: str, default: JSON) -> Steps[JSON]:
        """Take ``key`` out of the stored record, so that of all who try one gets its value."""

        def take(data: dict[str, JSON]) -> JSON:
            return data.pop(key, default)

        return (yield from self._at_once(store, session, take))

    def incr(self, store: Any, session: Session, key: str, by: float) -> Steps[JSON]:
        """Add ``by`` to ``key`` in the stored record."""

        def count(data: dict[str, JSON]) -> JSON:
            value = data.get(key, 0)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TypeError(f"session[{key!r}] is a {type(value).__name__}: incr() needs a number there")
            data[key] = value + by
            return data[key]

        return (yield from self._at_once(store, session, count))

    def _at_once(self, store: Any, session: Session, change: Callable[[dict[str, JSON]], JSON]) -> Steps[JSON]:
        """Apply ``change`` to the stored record, and to the session here. Return what it returned there."""
        session.writable()
        if session._payload is None:
            return session.apply(change)
        for tries in range(MAX_TRIES):
            if tries >= QUICK_TRIES:
                yield _pause(tries)
            stored = yield from self.find(store, session)
            session.rebase(stored, self.join)
            contents = decode(stored._payload or b"")
            if contents is None:
                break
            before = encode(contents)
            result = change(contents.data)
            payload = encode(contents)
            if payload == before:
                return result
            ttl = lifecycle.lifetime(contents.cookie or {}, self._options, self._options.clock())
            if not session.extends:
                ttl = stored._ends - self._options.clock()
            answer = yield from self._border.ask(store.replace, stored.sid(), payload, ttl, stored._payload)
            if isinstance(answer, Replaced):
                session._payload = payload
                session.apply(change)
                return result
        raise RetriesExhausted(MAX_TRIES)
