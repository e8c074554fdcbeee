# All methods with Steps are bodies of code for both kinds of stores (dual.py).
"""Open a session: from what a request brings, or from an id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from sessile._engine.content import Content, Pocket
from sessile._engine.index import is_reserved
from sessile._engine.setup import Setup
from sessile._records.fields import UNTRUSTED
from sessile._records.record import JSON, Contents
from sessile._records.tombstone import found_in
from sessile._session import data, lifecycle
from sessile._session.backing import Backing
from sessile._session.lifecycle import Moved, Verdict
from sessile._session.session import Session
from sessile._session.state import State
from sessile._session.watched import state_of
from sessile.dual import AnyStore, Steps
from sessile.events import EventKind
from sessile.facts import Facts
from sessile.stores.base import Record

__all__ = ["Opening"]

S = TypeVar("S", bound=Session)

#: How many times in a row a request that comes by an old id is sent on.
MOST_HOPS = 4

_VERDICTS = {
    Verdict.UNKNOWN: EventKind.UNKNOWN_ID,
    Verdict.EXPIRED: EventKind.EXPIRED,
    Verdict.CORRUPT: EventKind.CORRUPT,
    Verdict.REPLAYED: EventKind.REPLAYED,
}


class Opening:
    """Opens sessions."""

    #: What stands behind each session. The engine sets it, for that needs this object.
    backing: Backing
    #: Tells whether a session is to be compared with the index again, where the store may evict.
    look_is_due: Callable[[dict[str, JSON], str], bool] | None = None
    #: What enters a session in the index that comes under an id which was never entered, and returns it, or None if it
    #: was revoked.
    arrive: Callable[[AnyStore, Session], Steps[Session | None]] | None = None

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._calls = setup.calls
        self._events = setup.events
        self._genid = setup.options.genid

    def blank(self, facts: Facts | None, session_class: type[S]) -> S:
        """Return a new session with nothing in it, for a request that has none; without ``facts``, for no request."""
        setup = self._setup
        state = State(self.backing, facts=facts, begun=setup.clock(), order=setup.revocations.number, before={})
        if setup.content is not None:
            state.own_store = Pocket(setup.clock, [])
        return session_class({}, state)

    def claims(self, header: bytes, facts: Facts) -> tuple[str, ...]:
        """Return the ids that a request's header carries, signed by us."""
        sids, forged = self._setup.transport.read(header)
        for _ in range(forged):
            self._events.report(EventKind.BAD_SIGNATURE, facts=facts)
        return sids

    def examine(self, sid: str, record: Record | None, facts: Facts | None = None) -> Session | Moved | None:
        """Return the session that ``record`` holds, or where it went, or None if it holds no live one.

        ``facts``: a request has brought ``sid``. Why it gets no session is an event then.
        """
        setup = self._setup
        now = setup.clock()
        contents = lifecycle.examine(sid, record, now, setup.lifetime, setup.options.ttl, setup.fields)
        if isinstance(contents, Contents):
            assert record is not None
            if contents.system is UNTRUSTED:
                self._events.report(EventKind.UNTRUSTED, sid, facts=facts)
                contents.system = {}
            state = State(
                self.backing,
                sid,
                sid,
                record.payload,
                contents.cookie,
                contents.system,
                facts,
                record.expires_at,
                now,
                setup.revocations.number,
            )
            state.before = {}
            if contents.system and self.arrive is not None:
                state.arrives = not setup.fields.is_entered(contents.system, sid) or (
                    self.look_is_due is not None and self.look_is_due(contents.system, sid)
                )
            if contents.system and facts is not None and setup.device is not None and not setup.device.admits(state):
                return None
            return Session(contents.data, state)
        if isinstance(contents, Verdict):
            if facts is not None or contents is Verdict.CORRUPT:
                self._events.report(_VERDICTS[contents], sid, facts=facts)
            return None
        return contents

    def fetch(self, store: AnyStore, sid: str, *answers: object, facts: Facts | None = None) -> Steps[Session | None]:
        """Return the session that ``sid`` names, under the id that it has now, or None.

        ``answers`` holds what the store gave for it, if it was asked already; ``facts`` are those of the request that
        has brought ``sid``, where one has.
        """
        if is_reserved(sid):
            return None
        answer = answers[0] if answers else self._calls.call(store.load, sid)
        tells = True
        for hop in range(MOST_HOPS):
            found = self.examine(sid, (yield from self._calls.wait(answer, store.load)), facts)
            if not isinstance(found, Moved):
                if found is not None and state_of(found).arrives and self.arrive is not None:
                    found = yield from self.arrive(store, found)
                if hop and found is not None:
                    if tells:
                        found.touch()  # So that the browser gets the cookie.
                    else:
                        state_of(found).sent_on = True
                return found
            sid, tells = found.sid, tells and found.tells
            if is_reserved(sid):
                return None
            answer = self._calls.call(store.load, sid)
        return None

    def open(self, store: AnyStore, sid: str, facts: Facts | None = None) -> Steps[Session | None]:
        """Return the session stored under ``sid``, or None. With ``facts``, that it was loaded is an event."""
        session = yield from self.fetch(store, sid, facts=facts)
        if session is not None:
            state = state_of(session)
            if facts is not None:
                self._events.report_loaded(state.loaded, facts)
            state.facts = None
        return session

    def is_live(self, store: AnyStore, sid: str) -> Steps[bool]:
        """Return True if the session ``sid`` goes on. The grace of an earlier id does not matter here."""
        for _ in range(MOST_HOPS):
            record = yield from self._calls.ask(store.load, sid)
            contents = lifecycle.examine(
                sid, record, self._setup.clock(), self._setup.lifetime, self._setup.options.ttl, self._setup.fields
            )
            if isinstance(contents, Contents):
                return True
            stone = None if record is None else found_in(sid, record.payload, self._setup.fields.check)
            if stone is None or stone.until is None:
                return False
            sid = stone.successor
        return False

    def begin_any(self, store: AnyStore, header: bytes, facts: Facts) -> Steps[Session]:
        """Return the session of a request."""
        if self._setup.content is not None:
            return (yield from self.begin_carried(self._setup.content, header, facts))
        claims = self.claims(header, facts)
        if claims:
            self._setup.check_link()
        return (yield from self.begin(store, claims, facts))

    def begin_carried(self, content: Content, header: bytes, facts: Facts) -> Steps[Session]:
        """Return the session that a request carries in its cookie."""
        held, forged = content.open(header)
        for _ in range(forged):
            self._events.report(EventKind.BAD_SIGNATURE, facts=facts)
        pocket = Pocket(self._setup.clock, held)
        session = yield from self.begin(pocket, tuple(each.sid for each in held), facts)
        state_of(session).own_store = pocket
        return session

    def begin(
        self, store: AnyStore, claims: tuple[str, ...], facts: Facts, answers: Sequence[object] = ()
    ) -> Steps[Session]:
        """Return the session of a request. ``answers`` are those that the store has given for ``claims`` already."""
        live: dict[str, Session] = {}
        for position, sid in enumerate(claims):
            session = yield from self.fetch(store, sid, *answers[position : position + 1], facts=facts)
            if session is not None:
                # Two cookies may name one session: of an earlier id, or of other attributes. The straight way counts.
                found = data.sid_of(state_of(session))
                if found not in live or state_of(live[found]).sent_on:
                    live[found] = session
        # Several cookies of one name come from a hostile or careless neighbour (RFC 6265bis 8.6), and their order
        # says nothing: if more than one is live, none is believed.
        if len(live) > 1:
            detail = "several cookies of one name are live; none is believed"
            self._events.report(EventKind.AMBIGUOUS, None, detail, facts)
        session = next(iter(live.values())) if len(live) == 1 else self.blank(facts, Session)
        state = state_of(session)
        if self._setup.device is not None and not live and self._setup.device.is_waiting(facts()):
            state.lose()
        if len(live) > 1:
            state.rivals = tuple((sid, dict(data.cookie_of(state_of(rival)))) for sid, rival in live.items())
        if state.loaded is not None:
            self._events.report_loaded(state.loaded, facts)
        if state.id is None and self._genid is not None:
            state.id = yield from self._setup.make_id(state)
        return session
