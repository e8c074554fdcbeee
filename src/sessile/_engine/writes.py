# A commit carries out one plan (plans.py) on one store. Every write says what it expects to find, so it either
# happens as planned, or finds out in the same step that somebody was first: then the two changes are joined, and the
# write is tried again (patience.py).
#
# All methods with Steps are bodies of code for both kinds of stores (dual.py).
"""Carry out what the rules have decided."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol

from sessile._engine.ending import TOMBSTONE_TTL, Ending
from sessile._engine.index import is_reserved
from sessile._engine.patience import MAX_TRIES, pause_before
from sessile._engine.setup import Setup
from sessile._records.locks import lock_in
from sessile._records.record import AUTHENTICATED, JSON, decode
from sessile._records.tombstone import bury, found_in
from sessile._session import data, lifecycle
from sessile._session import plan as plans
from sessile._session.plan import Operation, Outcome, Plan, Resolved
from sessile._session.session import Session
from sessile._session.state import State
from sessile._session.watched import state_of
from sessile.dual import AnyStore, Steps
from sessile.errors import (
    LockLost,
    LoginRefused,
    RetriesExhausted,
    SessionConflict,
    SessionError,
    StoreUnavailable,
)
from sessile.events import EventKind
from sessile.lifetime import seconds
from sessile.merge import merge
from sessile.stores.base import Missing, Replaced

__all__ = ["Members", "Writes"]


def _in_passing(steps: Steps[None]) -> Steps[None]:
    """Run ``steps`` for an index, which heals by itself: what the visitor has come for is done."""
    with suppress(StoreUnavailable):
        yield from steps


class _Renewed(Exception):
    """Says that a session has got a new id already. ``tells``: whoever comes by the old one is to know it."""

    def __init__(self, tells: bool) -> None:
        self.tells = tells


class _Ended(Exception):
    """Says that a session was ended before it began."""


class Members(Protocol):
    """What keeps the indexes of sessions."""

    def enter(self, store: AnyStore, state: State, sid: str, ttl: float) -> Steps[None]:
        """Enter a session that is about to be stored under ``sid``. Raises LoginRefused, TooManySessions."""

    def look_again(self, store: AnyStore, state: State) -> Steps[None]:
        """Raise LoginRefused if a session that was entered has met a revocation since."""

    def leave(self, store: AnyStore, system: dict[str, JSON], sid: str) -> Steps[None]:
        """Take out ``sid``, which a session with these system fields had."""

    def is_due(self, state: State, ttl: float) -> bool:
        """Return True if a session that gets ``ttl`` seconds from now would outlive its entries."""

    def renew(self, store: AnyStore, state: State, ttl: float) -> Steps[None]:
        """Let the entries of a session outlive it."""


class Writes:
    """Writes sessions to a store."""

    #: What keeps the indexes of users, where the store can keep one.
    members: Members | None = None

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._options = setup.options
        self._calls = setup.calls
        self._events = setup.events
        self._ending = Ending(setup)
        #: Joins the changes of two requests as the options say.
        self.join = partial(merge, depth=self._options.merge_depth, functions=self._options.merge)

    def index_is_due(self, state: State, ttl: float) -> bool:
        """Return True if a session that gets ``ttl`` seconds from now would outlive its entries in the indexes."""
        members = self.members
        return members is not None and bool(state.system) and members.is_due(state, ttl)

    def carry_out(
        self, store: AnyStore, session: Session, plan: Plan, strict: bool = False, *answers: object
    ) -> Steps[Plan | None]:
        """Do what ``plan`` says. Return the plan as it was carried out, or None if the session is no more.

        ``strict`` raises SessionConflict rather than overwrite a key that somebody else changed too. ``answers`` holds
        what the store gave for the write, if it was asked already.
        """
        operation, state = plan.operation, state_of(session)
        if operation is Operation.NOTHING:
            return plan
        if operation is Operation.TOUCH:
            due = self.index_is_due(state, plan.ttl)
            state.committed = True
            try:
                there = yield from self._calls.answer(answers, store.touch, plan.sid, plan.ttl)
            except StoreUnavailable:
                return None  # What is optional decides no answer: the page is served, and without a new cookie.
            state.ends = self._options.clock() + plan.ttl
            if not there:
                return self.gone(state, plan)
            return plan if not due or (yield from self._renew(store, state, plan.sid, plan.ttl)) else None
        if operation is Operation.DELETE:
            return (yield from self._delete(store, state, plan))
        proof = state.proof
        try:
            if operation is Operation.REPLACE:
                done = yield from self._replaced(store, session, plan, strict, *answers)
            elif operation is Operation.ROTATE and plan.old_sid is not None:
                done = yield from self._rotate(store, session, plan, plan.old_sid, strict)
            else:
                done = yield from self._create(store, state, plan, *answers)
        except LoginRefused:
            if proof is not None:
                self._events.report(EventKind.LOGIN_REFUSED, state.loaded, facts=state.facts)
                raise
            return (yield from self._revoked(store, state, plan))
        except _Ended:
            return self.gone(state, plan)
        if proof is not None and done is not None and state.system.get(AUTHENTICATED) is not None:
            self._events.report(proof, state.loaded, facts=state.facts)
        return done

    def _renew(self, store: AnyStore, state: State, sid: str, ttl: float) -> Steps[bool]:
        """Let the index outlive a session. Return False if it was revoked; then it has ended."""
        try:
            if self.members is not None:
                yield from self.members.renew(store, state, ttl)
        except LoginRefused:
            yield from self.end(store, sid)
            state.lose()
            return False
        except StoreUnavailable:
            pass  # The index heals by itself; what the visitor has come for is done.
        return True

    def _revoked(self, store: AnyStore, state: State, plan: Plan) -> Steps[Plan | None]:
        """End a session that is older than the revocation of its user."""
        sid = state.loaded
        if sid is not None and (yield from self.end(store, sid, state.payload or b"")):
            self._events.report(EventKind.REVOKED, sid, facts=state.facts)
        return self.gone(state, plan)

    def gone(self, state: State, plan: Plan) -> Plan | None:
        """Note that somebody else ended the session. Returns None: nothing was done, and nothing is to be."""
        state.lose()
        if plan.operation is not Operation.TOUCH:
            detail = "the session is no more; its changes were dropped"
            self._events.report(EventKind.DROPPED, plan.old_sid, detail, state.facts)
        return None

    def _create(self, store: AnyStore, state: State, plan: Plan, *answers: object) -> Steps[Plan]:
        plan = yield from self._add(store, state, plan, *answers)
        self.wrote(state, plan, EventKind.CREATED)
        return plan

    def _add(self, store: AnyStore, state: State, plan: Plan, *answers: object) -> Steps[Plan]:
        """Store the plan's payload under an id of its own, and return it as it was stored."""
        for tries in range(3):
            sid = state.id
            if sid is None:
                sid = yield from self._setup.make_id(state)
            state.id = sid
            if sid != plan.sid:
                plan = plans.renamed(plan, sid, self._setup.fields)
            if state.system and self.members is not None:
                yield from self.members.enter(store, state, sid, plan.ttl)
            if (yield from self._calls.answer(answers[tries:], store.create, sid, plan.payload, plan.ttl)):
                return plan
            yield from self._check_begins(store, state, sid)
            state.id = None
        raise SessionError("genid returned ids that are in use already; it must return a new one each time")

    def _check_begins(self, store: AnyStore, state: State, sid: str) -> Steps[None]:
        """Find out why ``sid`` could not be stored. Raises LoginRefused or _Ended if the session was ended first."""
        if not state.system or self.members is None:
            return
        record = yield from self._calls.ask(store.load, sid)
        if record is not None and found_in(sid, record.payload, self._setup.fields.check) is not None:
            yield from self.members.look_again(store, state)
            raise _Ended

    def _delete(self, store: AnyStore, state: State, plan: Plan) -> Steps[Plan | None]:
        if not plan.sid:
            return plan if (yield from self._delete_rivals(store, state)) else None
        there = yield from self.end(store, plan.sid, state.payload or b"")
        state.loaded = None
        if not there:
            return None
        self._events.report(EventKind.DESTROYED, plan.sid, facts=state.facts)
        return plan

    def _delete_rivals(self, store: AnyStore, state: State) -> Steps[bool]:
        """End every session that the cookies of a request name, if they are several. Return whether they are.

        None of them was believed; still, whoever has a cookie may end its session. Otherwise a neighbour who plants one
        could keep a visitor from logging out.
        """
        for sid, _ in state.rivals:
            if (yield from self.end(store, sid)):
                self._events.report(EventKind.DESTROYED, sid, facts=state.facts)
        return bool(state.rivals)

    def _leave(self, store: AnyStore, sid: str, payload: bytes | None) -> Steps[None]:
        """Take ``sid``, whose record held ``payload``, out of the indexes."""
        contents = decode(payload or b"")
        if contents is not None and contents.system and self.members is not None:
            yield from _in_passing(self.members.leave(store, contents.system, sid))

    def end(
        self,
        store: AnyStore,
        sid: str,
        payload: bytes = b"",
        *,
        leaves: bool = True,
        only: Callable[[dict[str, JSON]], bool] | None = None,
        buries: bool = False,
    ) -> Steps[bool]:
        """End the session that has the id ``sid``, or had it until just now. Return whether there was one.

        ``leaves``: it is taken out of the indexes too. For the other arguments see ``Ending.end``.
        """
        if is_reserved(sid):
            return False
        ended = yield from self._ending.end(store, sid, payload, only, buries=buries)
        if ended is None:
            return False
        if leaves:
            yield from self._leave(store, ended.sid, ended.payload)
        return ended.there

    def wrote(self, state: State, plan: Plan, kind: EventKind) -> None:
        """Note that the store has written a record as ``plan`` says, and report that as ``kind``."""
        state.stored_as(plan.sid, plan.payload, plan.cookie, self._setup.clock() + plan.ttl)
        self._events.report(kind, plan.sid, facts=state.facts)

    def _replaced(
        self, store: AnyStore, session: Session, plan: Plan, strict: bool, *answers: object
    ) -> Steps[Plan | None]:
        try:
            return (yield from self._replace(store, session, plan, strict, *answers))
        except LoginRefused:
            raise
        except StoreUnavailable:
            if plan.outcome is not Outcome.SAME or self._options.resave:
                raise
            return None  # It was written to renew its life, and that decides no answer here either.

    def _replace(
        self, store: AnyStore, session: Session, plan: Plan, strict: bool, *answers: object
    ) -> Steps[Plan | None]:
        state = state_of(session)
        if state.restated and self.members is not None:
            yield from self.members.enter(store, state, plan.sid, plan.ttl)
        due = self.index_is_due(state, plan.ttl)
        written = yield from self._swap(store, state, plan, plan.sid, strict, answers=answers)
        if state.restated and written is not None and self.members is not None:
            # A revocation that read the page before the record said that it belongs there has passed it by.
            yield from self.members.look_again(store, state)
        if written is None:
            if self._options.conflict == "overwrite":
                return (yield from self._create(store, state, plan))
            return self.gone(state, plan)
        if written is plan:
            self.wrote(state, plan, EventKind.SAVED)
        else:
            state.sent_on = state.sent_on or written.sid != plan.sid
            data.adopt(session, written.sid, written.payload, self._setup.clock() + written.ttl, plan.payload)
            self._events.report(EventKind.SAVED, written.sid, facts=state.facts)
        return written if not due or (yield from self._renew(store, state, written.sid, written.ttl)) else None

    def _rotate(self, store: AnyStore, session: Session, plan: Plan, old_sid: str, strict: bool) -> Steps[Plan | None]:
        state = state_of(session)
        if not plan.kept and not plan.grace:
            yield from self.end(store, old_sid, plan.expected)
            created = yield from self._create(store, state, plan)
            self._rotated(state, old_sid)
            return created
        # First the new record, of which nobody knows yet. Then one atomic step kills the old id and says where the
        # session goes on: what others wrote before it is taken along, and stands under the new id by then; what they
        # write after it meets the tombstone. If this process dies in between, the session goes on under its old id.
        plan = yield from self._add(store, state, plan)
        new_sid = plan.sid
        kept = plan.payload

        def take_along(current: Plan) -> Steps[None]:
            nonlocal kept
            if current.payload != kept:
                yield from self._calls.ask(store.replace, new_sid, current.payload, current.ttl, kept)
                kept = current.payload

        try:
            taken = yield from self._swap(store, state, plan, old_sid, strict, new_sid, take_along)
        except _Renewed as renewed:
            # Another request of the same moment was first. The browser is to end up with one id, so it gets that of a
            # renewal. That of another request's handler is not told to whoever comes by the old one.
            yield from self._calls.ask(store.delete, new_sid)
            yield from self._leave(store, new_sid, plan.payload)
            done = yield from self._replace(
                store, session, plans.without_rotation(plan, old_sid, self._setup.fields), strict
            )
            state.sent_on = not renewed.tells
            return done
        except StoreUnavailable:
            raise  # Nobody knows whether the tombstone stands; if it does, the session must be where that leads to.
        except SessionError:
            yield from self._calls.ask(store.delete, new_sid)
            raise
        if taken is None and state.proof is EventKind.LOGGED_IN and state.ended_itself:
            # The request has ended the old session itself, with all others of its user, and logs them in anew.
            taken = plan
        if taken is None:
            yield from self._calls.ask(store.delete, new_sid)
            return self.gone(state, plan)
        if not plan.grace:
            # Who has the old id in flight will find no record. A log-out looks there.
            stone, ttl = self._tombstone(taken.old_sid or "", new_sid, plan)
            yield from self._ending.leave_sign(store, taken.old_sid or "", stone, ttl)
            there = yield from self._calls.ask(store.delete, taken.old_sid)
            if not (there or state.ended_itself):
                # The tombstone is gone: a logout that found no room for one of its own has deleted it.
                yield from self.end(store, new_sid, taken.payload)
                return self.gone(state, plan)
        yield from self._leave(store, taken.old_sid or "", taken.expected)
        data.adopt(session, new_sid, taken.payload, self._setup.clock() + taken.ttl, plan.payload)
        self._events.report(EventKind.CREATED, new_sid, facts=state.facts)
        self._rotated(state, old_sid)
        return taken

    def _rotated(self, state: State, old_sid: str) -> None:
        detail = f"it goes on as {self._events.alias(state.loaded)}"
        self._events.report(EventKind.ROTATED, old_sid, detail, state.facts)

    def _swap(
        self,
        store: AnyStore,
        state: State,
        plan: Plan,
        sid: str,
        strict: bool,
        successor: str | None = None,
        before: Callable[[Plan], Steps[None]] | None = None,
        answers: tuple[object, ...] = (),
    ) -> Steps[Plan | None]:
        """Put the plan's payload, or a tombstone that names the ``successor``, in the place of the record ``sid``.

        ``before`` is called with the plan as it is about to be written. For ``answers`` see ``carry_out``.
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
            answer = yield from self._calls.answer(answers[tries:], store.replace, sid, payload, ttl, current.expected)
            if isinstance(answer, Replaced):
                self._joined(state, plan, joined)
                return current if sid in (plan.sid, plan.old_sid) else plans.moved(current, sid)
            if isinstance(answer, Missing):
                return None
            self._events.count("conflicts")
            stone = found_in(sid, answer.current, self._setup.fields.check)
            if stone is not None and stone.sends_on(self._options.clock()):
                if successor is not None and state.proof is None:
                    raise _Renewed(stone.tells)
                sid = stone.successor
                continue
            # Each time anew from the plan as it was: what others changed in between is no change of ours.
            joined = None if stone is not None else self._join(state, plan, answer.current, strict, joined)
            if joined is None:
                return None
            current = joined.plan
        raise RetriesExhausted(MAX_TRIES)

    def _tombstone(self, sid: str, successor: str, plan: Plan) -> tuple[bytes, float]:
        stored = self._setup.in_store(successor) if self._options.hash_ids else ""
        if not plan.grace:
            return bury(sid, successor, stored=stored, seal=self._setup.fields.sealed_again), TOMBSTONE_TTL
        # It stands for as long as the session could have lived, so that a stolen token is recognised when it is used;
        # in renewals until about the next one, for a session would leave many.
        life, lifetime = plan.ttl, self._options.lifetime
        if plan.renews and lifetime is not None:
            life = min(life, seconds(lifetime.renew_every) or 0.0)
        until = self._options.clock() + plan.grace
        stone = bury(sid, successor, until, plan.renews, stored, self._setup.fields.sealed_again)
        return stone, max(life, plan.grace + TOMBSTONE_TTL)

    def _joined(self, state: State, plan: Plan, joined: Resolved | None) -> None:
        if joined is None or self._options.conflict == "overwrite":
            return
        self._events.report(EventKind.MERGED, plan.sid, facts=state.facts)
        if joined.collisions:
            detail = "one key was changed by two requests; the later one won"
            self._events.report(EventKind.COLLIDED, plan.sid, detail, state.facts)

    def _join(self, state: State, plan: Plan, current: bytes, strict: bool, last: Resolved | None) -> Resolved | None:
        joined = plans.resolve(
            plan,
            current,
            self._options,
            own_cookie=state.cookie_changed(),
            strict=strict,
            now=self._options.clock(),
            fields=self._setup.fields,
            earlier=last,
        )
        if joined is None:
            return None
        if plan.renews_life and joined.plan.cookie.get("originalMaxAge") != plan.cookie.get("originalMaxAge"):
            # Another request has set this life. A longer one begins at the next visit, which renews its entries too.
            life = lifecycle.life_of(joined.system, joined.plan.cookie, self._options, self._options.clock())
            joined = joined._replace(plan=plans.with_ttl(joined.plan, min(life, plan.ttl)))
        if state.fence and lock_in(joined.system).fence != state.fence:
            raise LockLost
        mode = "merge" if joined.harmless else self._options.conflict
        if mode == "error" or (strict and joined.collisions):
            raise SessionConflict(joined.base, joined.mine, joined.theirs)
        if mode == "overwrite":
            return joined._replace(plan=plans.insist(plan, current, self._setup.fields))
        return joined
