# A commit carries out one plan (lifecycle.py) on one store. Every write says what it expects to find, so it either
# happens as planned, or finds out in the same step that somebody was first: then the two changes are joined, and the
# write is tried again (patience.py).
#
# All methods are bodies of code in both colours (dual.py).
"""Carry out what the rules have decided."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from holdfast import lifecycle
from holdfast.border import Border
from holdfast.dual import Steps
from holdfast.errors import LockLost, RetriesExhausted, SessionConflict, SessionError, StoreUnavailable
from holdfast.events import Events, Happening
from holdfast.facts import Facts
from holdfast.lifecycle import Moved, Operation, Plan, Resolved
from holdfast.lifetime import seconds
from holdfast.locks import lock_in
from holdfast.merge import merge
from holdfast.options import Options
from holdfast.patience import MAX_TRIES, pause_before
from holdfast.record import AUTHENTICATED, JSON, Contents, decode
from holdfast.session import Session
from holdfast.stores.base import Conflict, Indexed, Missing, Replaced, can
from holdfast.tombstone import TOMBSTONE, Tombstone, bury, found_in

__all__ = ["Commits"]

#: How long a tombstone stands at least: longer than a request is in flight.
TOMBSTONE_TTL = 60.0

#: How many times in a row a request that comes by an old id is sent on.
MOST_HOPS = 4


def _in_passing(steps: Steps[None]) -> Steps[None]:
    """Run ``steps`` for an index, which heals by itself: what the visitor has come for is done."""
    with suppress(StoreUnavailable):
        yield from steps


class _Renewed(Exception):
    """Says that a session has got a new id already, which was about to be renewed."""


class Members(Protocol):
    """What keeps the indexes of sessions."""

    def enter(self, store: Any, session: Session, sid: str, ttl: float) -> Steps[None]:
        """Enter ``session``, which is about to be stored under ``sid``."""

    def leave(self, store: Any, system: dict[str, JSON], sid: str) -> Steps[None]:
        """Take out ``sid``, which a session with these system fields had."""

    def is_due(self, session: Session, ttl: float) -> bool:
        """Tell whether ``session``, which gets ``ttl`` seconds from now, would outlive its entries."""

    def renew(self, store: Any, session: Session, ttl: float) -> Steps[None]:
        """Let the entries of ``session`` outlive it."""


class Commits:
    """Writes sessions to a store."""

    def __init__(
        self,
        options: Options,
        border: Border,
        events: Events,
        make_id: Callable[[Session], Steps[str]],
        examine: Callable[[str, Any, Facts | None], Session | Moved | None],
    ) -> None:
        self._options = options
        self._border = border
        self._events = events
        self._make_id = make_id
        self._examine = examine
        #: What keeps the indexes of users, where the store has a room for them.
        self.members: Members | None = None
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
            due = self._is_due(session, plan)
            there = yield from self._border.ask(store.touch, plan.sid, plan.ttl)
            session._renewed = True
            session._ends = self._options.clock() + plan.ttl
            if not there:
                return self.gone(session, plan)
            if due and self.members is not None:
                yield from _in_passing(self.members.renew(store, session, plan.ttl))
            return plan
        if operation is Operation.DELETE:
            return (yield from self._delete(store, session, plan))
        proof = session._proof
        if operation is Operation.REPLACE:
            done = yield from self._replace(store, session, plan, strict)
        elif operation is Operation.ROTATE and plan.old_sid is not None:
            done = yield from self._rotate(store, session, plan, plan.old_sid, strict)
        else:
            done = yield from self._create(store, session, plan)
        if proof is not None and done is not None and session._system.get(AUTHENTICATED) is not None:
            self._events.tell(proof, session._loaded, facts=session._facts)
        return done

    def _is_due(self, session: Session, plan: Plan) -> bool:
        """Tell whether ``plan`` lets a session outlive its entries in the indexes."""
        members = self.members
        return members is not None and bool(session._system) and members.is_due(session, plan.ttl)

    def gone(self, session: Session, plan: Plan) -> Plan | None:
        """Note that somebody else ended the session. Returns None: nothing was done, and nothing is to be."""
        session.lose()
        if plan.operation is not Operation.TOUCH:
            detail = "the session is no more; its changes were dropped"
            self._events.tell(Happening.DROPPED, plan.old_sid, detail, session._facts)
        return None

    def _create(self, store: Any, session: Session, plan: Plan) -> Steps[Plan]:
        sid = yield from self._add(store, session, plan)
        self._events.tell(Happening.CREATED, sid, facts=session._facts)
        session.stored_as(sid, plan.payload, plan.cookie, plan.ttl)
        return plan

    def _add(self, store: Any, session: Session, plan: Plan) -> Steps[str]:
        """Store the plan's payload under an id of its own, and return that."""
        for _ in range(3):
            if session._id is None:
                session._id = yield from self._make_id(session)
            if session._system and self.members is not None:
                yield from self.members.enter(store, session, session._id, plan.ttl)
            if (yield from self._border.ask(store.create, session._id, plan.payload, plan.ttl)):
                return session._id
            session._id = None
        raise SessionError("genid returned ids that are in use already; it must return a new one each time")

    def _delete(self, store: Any, session: Session, plan: Plan) -> Steps[Plan | None]:
        if not plan.sid:
            return None
        there = yield from self.end(store, plan.sid, session._payload or b"")
        session._loaded = None
        if not there:
            return None
        self._events.tell(Happening.DESTROYED, plan.sid, facts=session._facts)
        return plan

    def _leave(self, store: Any, sid: str, payload: bytes | None) -> Steps[None]:
        """Take ``sid``, whose record held ``payload``, out of the indexes."""
        contents = decode(payload or b"")
        if contents is not None and contents.system and self.members is not None:
            yield from _in_passing(self.members.leave(store, contents.system, sid))

    def end(self, store: Any, sid: str, payload: bytes = b"", *, leaves: bool = True) -> Steps[bool]:
        """End the session that has the id ``sid``, or had it until just now. Return whether there was one.

        ``payload`` is what the record is thought to hold. ``leaves``: it is taken out of the indexes too.
        """
        # Another request may be at work on giving the session a new id. So the record is not just deleted: it is
        # replaced in one step by a tombstone, which that request will find, or tells that it was first, and where to.
        for _ in range(MAX_TRIES):
            answer = yield from self._border.ask(store.replace, sid, TOMBSTONE, TOMBSTONE_TTL, payload)
            if isinstance(answer, Replaced):
                break
            stone = yield from self._tombstone_of(store, sid, answer)
            if stone is None and isinstance(answer, Conflict):
                payload = answer.current
            elif stone is not None and stone.successor:
                sid, payload = stone.successor, b""
            else:
                return False
        there = bool((yield from self._border.ask(store.delete, sid)))
        if leaves:
            yield from self._leave(store, sid, payload)
        return there

    def _tombstone_of(self, store: Any, sid: str, answer: Conflict | Missing) -> Steps[Tombstone | None]:
        """Return the tombstone of ``sid``, of whose record the store has given ``answer``, or None."""
        if isinstance(answer, Conflict):
            return found_in(sid, answer.current)
        record = yield from self._beside(store, "load", sid)
        return None if record is None else found_in(sid, record.payload)

    def _beside(self, store: Any, verb: str, *arguments: Any) -> Steps[Any]:
        """Ask the room beside the sessions, and return its answer; None if there is none, or we must not enter it.

        A database may forbid us to make a table. Then a logout may come too late, but nobody is kept from logging in.
        """
        if not can(store, Indexed):
            return None
        try:
            return (yield from self._border.ask(getattr(store.index(), verb), *arguments))
        except StoreUnavailable:
            return None

    def _replace(self, store: Any, session: Session, plan: Plan, strict: bool) -> Steps[Plan | None]:
        if session._restated and self.members is not None:
            yield from self.members.enter(store, session, plan.sid, plan.ttl)
        due = self._is_due(session, plan)
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
        if due and self.members is not None:
            yield from _in_passing(self.members.renew(store, session, written.ttl))
        self._events.tell(Happening.SAVED, written.sid, facts=session._facts)
        return written

    def _rotate(self, store: Any, session: Session, plan: Plan, old_sid: str, strict: bool) -> Steps[Plan | None]:
        if not plan.kept and not plan.grace:
            yield from self.end(store, old_sid, plan.expected)
            created = yield from self._create(store, session, plan)
            self._rotated(session, old_sid)
            return created
        # First the new record, of which nobody knows yet. Then one atomic step kills the old id and says where the
        # session goes on: what others wrote before it is taken along, and stands under the new id by then; what they
        # write after it meets the tombstone. If this process dies in between, the session goes on under its old id.
        new_sid = yield from self._add(store, session, plan)
        kept = plan.payload

        def take_along(current: Plan) -> Steps[None]:
            nonlocal kept
            if current.payload != kept:
                yield from self._border.ask(store.replace, new_sid, current.payload, current.ttl, kept)
                kept = current.payload

        try:
            taken = yield from self._swap(store, session, plan, old_sid, strict, new_sid, take_along)
        except _Renewed:
            # Another request of the same moment was first. The browser is to end up with one id, so it gets that.
            yield from self._border.ask(store.delete, new_sid)
            yield from self._leave(store, new_sid, plan.payload)
            return (yield from self._replace(store, session, lifecycle.without_rotation(plan, old_sid), strict))
        except StoreUnavailable:
            raise  # Nobody knows whether the tombstone stands; if it does, the session must be where that leads to.
        except SessionError:
            yield from self._border.ask(store.delete, new_sid)
            raise
        if taken is None:
            yield from self._border.ask(store.delete, new_sid)
            return self.gone(session, plan)
        if not plan.grace:
            # Who has the old id in flight will find no record. If he logs out, he looks there.
            stone, ttl = self._tombstone(taken.old_sid or "", new_sid, plan)
            yield from self._beside(store, "create", taken.old_sid, stone, ttl)
            yield from self._border.ask(store.delete, taken.old_sid)
        yield from self._leave(store, taken.old_sid or "", taken.expected)
        session.adopt(new_sid, taken.payload, taken.ttl)
        self._events.tell(Happening.CREATED, new_sid, facts=session._facts)
        self._rotated(session, old_sid)
        return taken

    def _rotated(self, session: Session, old_sid: str) -> None:
        detail = f"it goes on as {self._events.alias(session._loaded)}"
        self._events.tell(Happening.ROTATED, old_sid, detail, session._facts)

    def _swap(
        self,
        store: Any,
        session: Session,
        plan: Plan,
        sid: str,
        strict: bool,
        successor: str | None = None,
        before: Callable[[Plan], Steps[None]] | None = None,
    ) -> Steps[Plan | None]:
        """Put the plan's payload, or a tombstone that names the ``successor``, in the place of the record ``sid``.

        ``before`` is called with the plan as it is about to be written.
        Return the plan as it was written, joined with what others changed, or None if there is no such session.
        """
        current, joined = plan, None
        for tries in range(MAX_TRIES):
            if tries:
                self._events.count("retries")
                yield from pause_before(tries)
            if before is not None:
                yield from before(current)
            payload, ttl = current.payload, current.ttl
            if successor is not None:
                payload, ttl = self._tombstone(sid, successor, plan)
            answer = yield from self._border.ask(store.replace, sid, payload, ttl, current.expected)
            if isinstance(answer, Replaced):
                self._joined(session, plan, joined)
                return current if sid in (plan.sid, plan.old_sid) else lifecycle.moved(current, sid)
            if isinstance(answer, Missing):
                return None
            self._events.count("conflicts")
            stone = found_in(sid, answer.current)
            if stone is not None and stone.sends_on(self._options.clock()):
                if plan.renews and successor is not None:
                    raise _Renewed
                sid = stone.successor
                continue
            # Each time anew from the plan as it was: what others changed in between is no change of ours.
            joined = None if stone is not None else self._join(session, plan, answer, strict)
            if joined is None:
                return None
            current = joined.plan
        raise RetriesExhausted(MAX_TRIES)

    def _tombstone(self, sid: str, successor: str, plan: Plan) -> tuple[bytes, float]:
        if not plan.grace:
            return bury(sid, successor), TOMBSTONE_TTL
        # It stands for as long as the session could have lived, so that a stolen token is recognised when it is used;
        # in renewals until about the next one, for a session would leave many.
        life, lifetime = plan.ttl, self._options.lifetime
        if plan.renews and lifetime is not None:
            life = min(life, seconds(lifetime.renew_every) or 0.0)
        until = self._options.clock() + plan.grace
        return bury(sid, successor, until, plan.renews), max(life, plan.grace + TOMBSTONE_TTL)

    def _joined(self, session: Session, plan: Plan, joined: Resolved | None) -> None:
        if joined is None or self._options.conflict == "overwrite":
            return
        self._events.tell(Happening.MERGED, plan.sid, facts=session._facts)
        if joined.collisions:
            detail = "one key was changed by two requests; the later one won"
            self._events.tell(Happening.COLLIDED, plan.sid, detail, session._facts)

    def _join(self, session: Session, plan: Plan, answer: Conflict, strict: bool) -> Resolved | None:
        joined = lifecycle.resolve(
            plan,
            answer.current,
            self._options,
            own_cookie=session.cookie_changed or plan.operation is Operation.ROTATE,
            strict=strict,
            now=self._options.clock(),
        )
        if joined is None:
            return None
        if session.fence and lock_in(joined.system).fence != session.fence:
            raise LockLost
        mode = "merge" if joined.harmless else self._options.conflict
        if mode == "error" or (strict and joined.collisions):
            raise SessionConflict(joined.base, joined.mine, joined.theirs)
        if mode == "overwrite":
            return joined._replace(plan=lifecycle.insist(plan, answer.current))
        return joined

    def fetch(self, store: Any, sid: str, *answers: Any, facts: Facts | None = None) -> Steps[Session | None]:
        """Return the session that ``sid`` names, under the id that it has now, or None.

        ``answers`` holds what the store gave for it, if it was asked already; ``facts`` are those of the request that
        has brought ``sid``, where one has.
        """
        answer = answers[0] if answers else self._border.call(store.load, sid)
        tells = True
        for hop in range(MOST_HOPS):
            found = self._examine(sid, (yield from self._border.wait(answer)), facts)
            if not isinstance(found, Moved):
                if hop and found is not None:
                    if tells:
                        found.touch()  # So that the browser gets the cookie.
                    else:
                        found.sent_on = True
                return found
            sid, tells = found.sid, tells and found.tells
            answer = self._border.call(store.load, sid)
        return None

    def is_live(self, store: Any, sid: str) -> Steps[bool]:
        """Tell whether the session ``sid`` goes on. The grace of an id that it had before does not matter here."""
        for _ in range(MOST_HOPS):
            record = yield from self._border.ask(store.load, sid)
            contents = lifecycle.examine(sid, record, self._options.clock(), self._options.lifetime)
            if isinstance(contents, Contents):
                return True
            stone = None if record is None else found_in(sid, record.payload)
            if stone is None or stone.until is None:
                return False
            sid = stone.successor
        return False
