# All methods with Steps are bodies of code for both kinds of stores (dual.py).
"""Commit a session: decide what is to be done, have it done, and say what the browser gets."""

from __future__ import annotations

from typing import TypeVar

from sessile._engine.content import Pocket
from sessile._engine.setup import Setup
from sessile._engine.store_calls import Failed
from sessile._engine.writes import Writes
from sessile._records.record import JSON
from sessile._session import data, lifecycle
from sessile._session import plan as plans
from sessile._session.plan import Browser, Operation, Outcome, Plan
from sessile._session.session import Session
from sessile._session.state import State
from sessile._session.watched import state_of
from sessile._wire.proxy import is_secure
from sessile.dual import AnyStore, Pause, Steps
from sessile.errors import CookieTooLarge, SessionConflict, SessionTooLarge, StoreUnavailable, UnserialisableValue
from sessile.events import EventKind
from sessile.stores.base import Replaced

__all__ = ["AT_ONCE", "Committer", "in_turn"]

T = TypeVar("T")

#: What one call of the store carries out, nearly always.
AT_ONCE = (Operation.REPLACE, Operation.CREATE, Operation.TOUCH)

#: How long a task waits before it looks again whether it is its turn, in seconds. That is rare.
LOOKS_AGAIN = 0.001


class Committer:
    """Commits sessions."""

    def __init__(self, setup: Setup, writes: Writes) -> None:
        self._setup = setup
        self._options = setup.options
        self._lifetime = setup.lifetime
        self._calls = setup.calls
        self._clock = setup.clock
        self._writes = writes

    def plan(self, session: Session, released: bool = False, *, asked: bool = False) -> Plan | None:
        """Return what is to be done for ``session``, or None if that is nothing. ``asked``: the handler says save()."""
        state = state_of(session)
        if state.loader is not None:
            return None  # Nobody has looked at it.
        keep_alive = self._options.keep_alive
        if keep_alive is not None and state.keep_alive is None:
            state.keep_alive = bool(keep_alive(self._setup.facts_of(state)))
        try:
            data.settle(session)
            if state.ends_empty and not (asked or released) and lifecycle.is_over(self._options, session):
                session.destroy()
            if self._lifetime is not None and not released:
                lifecycle.renew(self._options, session, self._clock(), asked=asked)
            if self._setup.device is not None:
                self._setup.device.prepare(state)
            plan = lifecycle.commit(self._options, self._setup.rules, session, released, self._clock(), asked=asked)
        except (UnserialisableValue, SessionTooLarge):
            if state.complained:
                return None
            state.complained = True
            raise
        if plan.outcome is Outcome.SAME and state.committed:
            if state.headless:
                return None
            plan = plans.without_operation(plan)  # Once a request is enough.
        promised = state.promised is not None and not state.headless and not released
        if promised and plan.browser is Browser.NOTHING:
            return plans.with_cookie(plan, state.promised or {})
        return None if plan.operation is Operation.NOTHING and plan.browser is Browser.NOTHING else plan

    def touch(self, store: AnyStore, state: State) -> object:
        """Touch a session that was left alone: the hot path, without the machinery. Return the store's answer.

        NotImplemented: there is more to do.
        """
        now = self._clock()
        lifetime, system = self._lifetime, state.system
        if lifetime is not None and (lifetime.lacks_beginning(system) or lifetime.renewal_is_due(system, now)):
            return NotImplemented
        cookie = data.cookie_of(state)
        ttl = lifecycle.life_of(system, cookie, self._options, now)
        if self._setup.is_patient and not lifecycle.is_due(state, ttl, self._options, now):
            return True
        if system and self._writes.index_is_due(state, ttl):
            return NotImplemented
        if lifecycle.is_rewritten(self._options, cookie):
            return NotImplemented
        renew = getattr(store, "renew", None)
        if renew is not None:
            renew(state.loaded, ttl)  # Never waits and never raises: what is optional decides no answer.
            return True
        try:
            answer: object = store.touch(state.loaded, ttl)
            return answer
        except Exception as error:
            self._served_all_the_same(error, store)
            return True

    def touched(self, state: State, answer: object) -> Steps[tuple[str, ...]]:
        """Note what the store has answered to ``touch``."""
        try:
            there = yield answer
        except Exception as error:
            self._served_all_the_same(error, self._setup.store)
        else:
            if not there:
                state.lose()
        return ()

    def _served_all_the_same(self, error: Exception, store: AnyStore) -> None:
        """Report that a renewal of life has failed, which decides no answer. Raises ``error`` if it is a bug."""
        outage = self._calls.outage(error, store.touch)
        if not isinstance(outage, StoreUnavailable):
            raise outage

    def commit(self, store: AnyStore, session: Session, plan: Plan, strict: bool = False) -> Steps[tuple[str, ...]]:
        """Carry out ``plan``. Return what follows from it for the browser, once the store has confirmed it."""
        state = state_of(session)
        if state.sent_on and plan.operation is Operation.ROTATE and (plan.kept or plan.grace) and state.proof is None:
            # A request that comes by an earlier id may be anybody's: to get the new one takes a proof of who they are.
            plan = plans.without_rotation(plan, state.loaded or "", self._setup.fields)
        carried = state.own_store
        if isinstance(carried, Pocket):
            store = carried
            if plan.operation is Operation.TOUCH and carried.due(plan.sid, plan.ttl):
                plan = plans.with_renewed_cookie(plan, self._clock())
        deliverable = (plan.browser is not Browser.SEND and carried is None) or self._deliverable(state, plan)
        if not deliverable and (carried is not None or plan.operation in (Operation.CREATE, Operation.ROTATE)):
            # A record that no browser can name is not made. What regenerate() was to leave behind ends all the same.
            ends = carried is None and plan.old_sid is not None and plan.kept is not True
            if ends and (yield from self._writes.end(store, plan.old_sid or "", plan.expected)):
                self._setup.events.report(EventKind.DESTROYED, plan.old_sid, facts=state.facts)
            state.lose()
            return ()
        return (yield from self._written(store, session, plan, strict, deliverable))

    def at_once(self, store: AnyStore, session: Session, plan: Plan) -> tuple[str, ...] | Steps[tuple[str, ...]] | None:
        """Do what ``commit`` does, for a plan that one call of the store carries out: the hot path, and so one body.

        Returns steps that are left to run if the store did not answer at once that all went well, and None if nothing
        was done, because there is more to do.
        """
        state, operation = state_of(session), plan.operation
        if state.own_store is not None or state.restated or state.sent_on or state.proof is not None:
            return None
        creates = operation is Operation.CREATE
        if state.system and (creates or self._writes.index_is_due(state, plan.ttl)):
            return None
        if creates and (state.id != plan.sid or plan.old_sid is not None):
            return None
        deliverable = plan.browser is not Browser.SEND or self._deliverable(state, plan)
        if creates and not deliverable:  # As in ``commit``.
            state.lose()
            return ()
        written, state.written = state.written, False
        try:
            if operation is Operation.REPLACE:
                answer: object = store.replace(plan.sid, plan.payload, plan.ttl, plan.expected)
                done = answer.__class__ is Replaced
            elif creates:
                answer = store.create(plan.sid, plan.payload, plan.ttl)
                done = answer is True
            else:
                answer = store.touch(plan.sid, plan.ttl)
                done = answer is True
        except Exception as error:
            answer, done = Failed(error), False
        except BaseException:
            state.written = written
            raise
        if not done:
            state.written = written
            return self._written(store, session, plan, False, deliverable, answer)
        if operation is Operation.TOUCH:
            state.committed = True
            state.ends = self._clock() + plan.ttl
        else:
            self._writes.wrote(state, plan, EventKind.CREATED if creates else EventKind.SAVED)
        if plan.browser is Browser.NOTHING or not deliverable:
            return ()
        return self._for_browser(state, plan.browser, plan.cookie)

    def _written(
        self, store: AnyStore, session: Session, plan: Plan, strict: bool, deliverable: bool, *answers: object
    ) -> Steps[tuple[str, ...]]:
        state = state_of(session)
        # What another task of the request writes from here on is not in the plan, and so is still to be stored.
        written, state.written = state.written, False
        try:
            done = yield from self._writes.carry_out(store, session, plan, strict, *answers)
            if done is None or plan.browser is Browser.NOTHING or not deliverable:
                return ()
            if state.sent_on and done.operation in (Operation.TOUCH, Operation.REPLACE):
                return ()  # As above.
            return self._for_browser(state, plan.browser, done.cookie)
        except (SessionConflict, CookieTooLarge, SessionTooLarge):
            state.written = state.written or written
            if state.complained:
                return ()
            state.complained = True
            raise
        except BaseException:
            state.written = state.written or written
            raise

    def _for_browser(self, state: State, browser: Browser, cookie: dict[str, JSON]) -> tuple[str, ...]:
        """Return the values of the header that gives the browser its session, or takes it away."""
        setup = self._setup
        if browser is Browser.SEND:
            state.promised = cookie
        try:
            if browser is Browser.EXPIRE:
                cookies = [cookie, *(attributes for _, attributes in state.rivals)]
                return tuple(dict.fromkeys(value for each in cookies for value in setup.carrier.expire(each)))
            if setup.content is not None and isinstance(state.own_store, Pocket):
                return setup.content.write(data.sid_of(state), state.own_store, cookie, self._clock())
            return setup.transport.write(data.sid_of(state), cookie, self._clock())
        except ValueError:
            setup.report(state, EventKind.CORRUPT, "the attributes of its cookie cannot be sent")
            return ()

    def _deliverable(self, state: State, plan: Plan) -> bool:
        """Return True if the browser can get the cookie that ``plan`` wants it to have."""
        if state.headless:
            if plan.outcome is not Outcome.CHANGED or state.own_store is not None:
                self._setup.report(
                    state,
                    EventKind.COOKIE_TOO_LATE,
                    "the session needs a cookie, and the head of the response is gone. Change it before you respond",
                )
            return False
        facts = state.facts
        secure = plan.browser is Browser.SEND and plan.cookie.get("secure")
        if secure and facts is not None and not is_secure(facts(), self._setup.trust):
            self._setup.report(
                state,
                EventKind.INSECURE,
                "the cookie is secure and the request came by http. Use https; behind a proxy, set proxy=[its address]",
            )
            return False
        if plan.browser is Browser.SEND and self._options.transport == "cookie":
            cookie = plan.cookie
            reason = self._options.dropped(
                bool(cookie.get("secure")), cookie.get("sameSite"), bool(cookie.get("partitioned"))
            )
            if reason:
                self._setup.report_dropped(state, reason)
                return False
        return True


# A request may have several tasks, and each may ask the store about the one session that they share. What a task does
# takes several steps, and begins with what the one before has left. So they take turns.


def in_turn(state: State, steps: Steps[T]) -> Steps[T]:
    """Run ``steps`` when no other task is at work on the session of ``state``."""
    while state.busy:
        yield Pause(LOOKS_AGAIN)
    state.busy = True
    try:
        return (yield from steps)
    finally:
        state.busy = False
