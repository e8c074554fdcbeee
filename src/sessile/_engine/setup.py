# Everything here follows from the options and the store, once, when `Sessions` is made. The other modules of the engine
# share it and hold no state of a request: that is in the session's State.
"""What the engine is set up with: the options, the store, and what was made of them."""

from __future__ import annotations

import secrets

from sessile import dual, stores
from sessile._engine.coded import CodedStore, StoredId, digest
from sessile._engine.content import Content
from sessile._engine.device.make import make_guard
from sessile._engine.forms import make_content
from sessile._engine.index import KeyedIndex, index_keys, is_reserved
from sessile._engine.mistakes import check_store
from sessile._engine.revocations import Revocations
from sessile._engine.store_calls import StoreCalls
from sessile._engine.transport import Transport
from sessile._engine.transports import make_transport
from sessile._records.fields import SystemFields
from sessile._session import lifecycle
from sessile._session.plan import Browser, Operation, Outcome
from sessile._session.state import State
from sessile._wire.proxy import trust_in
from sessile.dual import AnyStore, Steps
from sessile.errors import InvalidOption, SessionError, StoreUnavailable
from sessile.events import EventKind, Events
from sessile.facts import RequestFacts
from sessile.options import CookieOptions, Options
from sessile.stores.base import Carried, Connectable, Lasting, Store, can

__all__ = ["Setup"]


class Setup:
    """Options and a store, and what follows from them."""

    def __init__(self, options: Options, store: Store | str, *, of_the_store: bool = False) -> None:
        """Set up. ``of_the_store``: where a cookie has no end, a session lives as long as the store says."""
        self.clock = options.clock
        self.lifetime = options.lifetime
        self.store: AnyStore = stores.from_url(store, options.clock) if isinstance(store, str) else store
        kept: AnyStore = self.store
        check_store(kept)
        if of_the_store and can(kept, Lasting):
            options = options.with_ttl(kept.default_life)
        self.options = options
        #: Whether a synchronous verb waits for a network.
        self.waits = can(self.store, dual.AsyncCapable) and not getattr(self.store, "is_local", False)
        if options.codec is not None or options.hash_ids:
            self.store = CodedStore(self.store, options.codecs(), hash_ids=options.hash_ids)
        #: The store as synchronous code uses it, and as coroutines do.
        self.use(self.store)
        self.link: Connectable | None = self.store if can(self.store, Connectable) else None
        self.transport: Transport = make_transport(options)
        self.transport.check("x" * 32)
        #: What carries whole sessions, where no store on the server keeps them.
        self.content: Content | None = None
        if can(self.store, Carried):
            self.content = make_content(options, self.store)
        self.carrier = self.content or self.transport
        self.trust = trust_in(options.proxy)
        #: Makes of an id what stands in the store for it.
        self.in_store = StoredId.of if options.hash_ids else str
        self._told_of_dropped = False
        self._index_keys = index_keys(options.secrets())
        #: What proves that the system fields of a record are ours.
        self.fields = SystemFields(options.secrets(), self._digest)
        self.events = Events(options.secrets()[-1], options.on_event, self.in_store)
        self.calls = StoreCalls(self.events)
        self.revocations = Revocations()
        #: What binds sessions to devices, where the options ask for it.
        self.device = (
            None
            if options.device is None
            else make_guard(options, options.device, self.events, self.trust, carried=self.content is not None)
        )
        self.rules = lifecycle.rules_for(options, carried=self.content is not None)
        #: Whether a session that was left alone is touched, and that is all.
        self.only_touches = (
            self.rules[Outcome.SAME] == (Operation.TOUCH, Browser.NOTHING)
            and options.keep_alive is None
            and self.content is None
        )
        #: Whether nothing becomes of a new session that was left alone.
        self.leaves_empty = (
            self.rules[Outcome.EMPTY] == (Operation.NOTHING, Browser.NOTHING) and options.keep_alive is None
        )
        self.is_patient = options.touch_after > 0
        #: Whether a synchronous framework is served: then a running loop in its thread is nobody's to hold up.
        self.serves_synchronously = False
        self.path = options.cookie.path if isinstance(options.cookie, CookieOptions) else "/"

    def _digest(self, sid: str) -> str:
        return digest(self.in_store(sid).encode("utf-8", "surrogatepass"))

    def use(self, store: AnyStore) -> None:
        """Keep the sessions in ``store`` from now on: the one there was, or another one around it."""
        self.store = store
        self.async_store = store.asynchronous() if can(store, dual.AsyncCapable) else store

    def index_of(self, store: AnyStore) -> KeyedIndex:
        """Return the index of ``store``, this one or its async form. The engine goes to the index by this."""
        return KeyedIndex(store.index(), self._index_keys, self.clock)

    def facts_of(self, state: State) -> RequestFacts:
        """Return the facts of the request that a session is of; empty ones where there is no request."""
        return RequestFacts() if state.facts is None else state.facts()

    def make_id(self, state: State) -> Steps[str]:
        """Return a new id, by ``genid`` if there is one."""
        genid = self.options.genid
        if genid is None:
            return secrets.token_urlsafe(24)
        return self.transport.check(_checked_id((yield genid(self.facts_of(state)))))

    def new_id(self, state: State) -> str:
        """Return a new id at once. Raises SessionError if ``genid`` is async: then the commit makes it."""
        genid = self.options.genid
        if genid is None:
            return secrets.token_urlsafe(24)
        sid: object = genid(self.facts_of(state))
        if hasattr(sid, "__await__"):
            if hasattr(sid, "close"):
                sid.close()
            raise SessionError("genid is async, so the new id is known only after the commit. Await session.asave()")
        return self.transport.check(_checked_id(sid))

    def report(self, state: State, kind: EventKind, detail: str = "") -> None:
        """Report an event of a session."""
        self.events.report(kind, state.loaded, detail, state.facts)

    def report_dropped(self, state: State, reason: str) -> None:
        """Report, once in this process, that browsers would drop the cookie. So the first line is not one of many."""
        if not self._told_of_dropped:
            self._told_of_dropped = True
            detail = f"browsers drop its cookie: {reason}. Use https; behind a proxy, set proxy=[its address]"
            self.report(state, EventKind.INSECURE, detail)

    def check_link(self) -> None:
        """Raise StoreUnavailable if the store says that it is not connected."""
        if self.link is not None and not self.link.ready:
            raise self.calls.outage(StoreUnavailable("the store is disconnected"))


def _checked_id(sid: object) -> str:
    if not isinstance(sid, str) or not sid:
        raise InvalidOption("genid", f"it returned a {type(sid).__name__}", "Return a non-empty str, new each time.")
    if is_reserved(sid):
        raise InvalidOption("genid", "it returned an id that ends as only keys of the index do", "Return another one.")
    try:
        sid.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidOption("genid", "it returned text that has no UTF-8", "Return letters and digits.") from None
    return sid
