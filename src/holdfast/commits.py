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
from holdfast.errors import LockLost, RetriesExhausted, SessionConflict, SessionError
from holdfast.events import Events, Happening
from holdfast.lifecycle import Moved, Operation, Plan
from holdfast.locks import lock_in
from holdfast.merge import merge
from holdfast.options import Options
from holdfast.record import Contents
from holdfast.session import Session
from holdfast.stores.base import Conflict, Missing, Replaced
from holdfast.tombstone import TOMBSTONE, bury, found_in

__all__ = ["MAX_TRIES", "Commits", "pause_before"]

MAX_TRIES = 60
#: How often a write is tried again at once. Then it waits a little, and ever longer up to LONGEST_PAUSE seconds.
QUICK_TRIES = 4
LONGEST_PAUSE = 0.05

#: How long a tombstone stands at least: longer than a request is in flight.
TOMBSTONE_TTL = 60.0

#: How many times in a row a request that comes by an old id is sent on.
MOST_HOPS = 4


def pause_before(tries: int) -> Steps[None]:
    """Wait before another try, ever longer: a time that no two requests have in common."""
    if tries >= QUICK_TRIES:
        yield Pause(random() * min(LONGEST_PAUSE, 0.001 * 2 ** min(tries - QUICK_TRIES, 10)))  # noqa: S311


class Commits:
    """Writes sessions to a store."""

    def __init__(
        self,
        options: Options,
        border: Border,
        events: Events,
        make_id: Callable[[Session], Steps[str]],
        examine: Callable[[str, Any], Session | Moved | None],
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
        sid = yield from self._add(store, session, plan)
        self._events.tell(Happening.CREATED, sid)
        session.stored_as(sid, plan.payload, plan.cookie, plan.ttl)
        return plan

    def _add(self, store: Any, session: Session, plan: Plan) -> Steps[str]:
        """Store the plan's payload under an id of its own, and return that."""
        for _ in range(3):
            if session._id is None:
                session._id = yield from self._make_id(session)
            if (yield from self._border.ask(store.create, session._id, plan.payload, plan.ttl)):
                return session._id
            session._id = None
        raise SessionError("genid returned ids that are in use already; it must return a new one each time")

    def _delete(self, store: Any, session: Session, plan: Plan) -> Steps[Plan | None]:
        if not plan.sid:
            return None
        there = yield from self.end(store, plan.sid, session._payload or b"")
        session._loaded = None
        self._events.tell(Happening.DESTROYED, plan.sid)
        return plan if there else None

    def end(self, store: Any, sid: str, payload: bytes = b"") -> Steps[bool]:
        """End the session that has the id ``sid``, or had it until just now. Return whether there was one.

        ``payload`` is what the record is thought to hold.
        """
        # Another request may be at work on giving the session a new id. So the record is not just deleted: it is
        # replaced in one step by a tombstone, which that request will find, or tells that it was first, and where to.
        for _ in range(MAX_TRIES):
            answer = yield from self._border.ask(store.replace, sid, TOMBSTONE, TOMBSTONE_TTL, payload)
            if isinstance(answer, Missing):
                return False
            if isinstance(answer, Replaced):
                break
            stone = found_in(sid, answer.current)
            if stone is None:
                payload = answer.current
            elif stone.successor:
                sid, payload = stone.successor, b""
            else:
                return False
        return bool((yield from self._border.ask(store.delete, sid)))

    def _replace(self, store: Any, session: Session, plan: Plan, strict: bool) -> Steps[Plan | None]:
        written = yield from self._swap(store, session, plan, plan.sid, strict)
        if written is None:
            if self._options.conflict == "overwrite":
                return (yield from self._create(store, session, plan))
            return self.gone(session, plan)
        if written is plan:
            session.stored_as(plan.sid, plan.payload, plan.cookie, plan.ttl)
        else:
            session.sent_on = session.sent_on or written.sid != plan.sid
            session.adopt(written.sid, written.payload, written.ttl)
        self._events.tell(Happening.SAVED, written.sid)
        return written

    def _rotate(self, store: Any, session: Session, plan: Plan, old_sid: str) -> Steps[Plan | None]:
        if not plan.kept and not plan.grace:
            yield from self.end(store, old_sid, plan.expected)
            created = yield from self._create(store, session, plan)
            self._events.tell(Happening.ROTATED, old_sid)
            return created
        # First the new record, of which nobody knows yet. Then one atomic step kills the old id and says where the
        # session goes on: what others wrote before it is kept, what they write after it meets the tombstone. If this
        # process dies in between, the session goes on under its old id.
        new_sid = yield from self._add(store, session, plan)
        taken = None
        try:
            taken = yield from self._swap(store, session, plan, old_sid, False, new_sid)
        finally:
            if taken is None:
                yield from self._border.ask(store.delete, new_sid)
        if taken is not None and not plan.grace:
            yield from self._border.ask(store.delete, taken.old_sid)
        if taken is not None and taken.payload != plan.payload:
            late = lifecycle.afterwards(taken, new_sid, plan.payload)
            taken = yield from self._swap(store, session, late, new_sid, False)
        if taken is None:
            return self.gone(session, plan)
        session.adopt(new_sid, taken.payload, taken.ttl)
        self._events.tell(Happening.CREATED, new_sid)
        self._events.tell(Happening.ROTATED, old_sid)
        return taken

    def _swap(
        self, store: Any, session: Session, plan: Plan, sid: str, strict: bool, successor: str | None = None
    ) -> Steps[Plan | None]:
        """Put the plan's payload, or a tombstone that names the ``successor``, in the place of the record ``sid``.

        Return the plan as it was written, joined with what others changed, or None if there is no such session.
        """
        current = plan
        for tries in range(MAX_TRIES):
            if tries:
                self._events.count("retries")
                yield from pause_before(tries)
            payload, ttl = current.payload, current.ttl
            if successor is not None:
                payload, ttl = self._tombstone(sid, successor, plan)
            answer = yield from self._border.ask(store.replace, sid, payload, ttl, current.expected)
            if isinstance(answer, Replaced):
                return current if sid in (plan.sid, plan.old_sid) else lifecycle.moved(current, sid)
            if isinstance(answer, Missing):
                return None
            self._events.count("conflicts")
            stone = found_in(sid, answer.current)
            if stone is not None and stone.sends_on(self._options.clock()):
                sid = stone.successor
                continue
            # Each time anew from the plan as it was: what others changed in between is no change of ours.
            joined = None if stone is not None else self._join(session, plan, answer, strict)
            if joined is None:
                return None
            current = joined
        raise RetriesExhausted(MAX_TRIES)

    def _tombstone(self, sid: str, successor: str, plan: Plan) -> tuple[bytes, float]:
        if not plan.grace:
            return bury(sid, successor), TOMBSTONE_TTL
        # It stands for as long as the session could have lived, so that a stolen token is recognised when it is used.
        return bury(sid, successor, self._options.clock() + plan.grace), max(plan.ttl, plan.grace + TOMBSTONE_TTL)

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
        if session.fence and lock_in(joined.system).fence != session.fence:
            raise LockLost
        mode = self._options.conflict
        if mode == "error" or (strict and joined.collisions):
            raise SessionConflict(joined.base, joined.mine, joined.theirs)
        if mode == "overwrite":
            return lifecycle.insist(plan, answer.current)
        self._events.tell(Happening.MERGED, plan.sid)
        if joined.collisions:
            self._events.tell(Happening.COLLIDED, plan.sid, "one key was changed by two requests; the later one won")
        return joined.plan

    def fetch(self, store: Any, sid: str, *answers: Any) -> Steps[Session | None]:
        """Return the session that ``sid`` names, under the id that it has now, or None.

        ``answers`` holds what the store gave for it, if it was asked already.
        """
        answer = answers[0] if answers else self._border.call(store.load, sid)
        for hop in range(MOST_HOPS):
            found = self._examine(sid, (yield from self._border.wait(answer)))
            if not isinstance(found, Moved):
                if hop and found is not None:
                    found.sent_on = True
                return found
            sid = found.sid
            answer = self._border.call(store.load, sid)
        return None

    def is_live(self, store: Any, sid: str) -> Steps[bool]:
        """Tell whether the session ``sid`` goes on. The grace of an id that it had before does not matter here."""
        for _ in range(MOST_HOPS):
            record = yield from self._border.ask(store.load, sid)
            contents = lifecycle.examine(sid, record, self._options.clock())
            if isinstance(contents, Contents):
                return True
            stone = None if record is None else found_in(sid, record.payload)
            if stone is None or stone.until is None:
                return False
            sid = stone.successor
        return False
