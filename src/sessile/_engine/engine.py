# What integrations call, for each request: begin, load, commit. The two methods for asyncio have a path of their own
# for what most requests are, and so are longer than they would have to be: no cookie, or one cookie whose session is
# read from a store that answers at once, costs no generator and no coroutine.
#
# `header` is the value of the request's header that `reads` names, b"" if there is none. What a commit returns are the
# values of the header that `writes` names, for the response: mostly none, for a cookie one.
"""Serve requests: the engine behind every integration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from sessile import dual
from sessile._engine.at_once import AtOnce
from sessile._engine.backing import SessionBacking
from sessile._engine.committer import AT_ONCE, Committer, in_turn
from sessile._engine.opening import Opening
from sessile._engine.revocations import REQUEST
from sessile._engine.setup import Setup
from sessile._engine.writes import Writes
from sessile._session import data, lifecycle
from sessile._session.lazy import load_by
from sessile._session.session import Session
from sessile._session.watched import state_of
from sessile._wire.origins import SAFE, origins_in
from sessile.dual import AnyStore, Steps
from sessile.errors import NotLoaded
from sessile.events import EventKind
from sessile.facts import Facts, RequestFacts
from sessile.stores.base import Record

if TYPE_CHECKING:
    from sessile._engine.device.endpoints import Endpoints

__all__ = ["Engine"]

P = ParamSpec("P")
S = TypeVar("S", bound=Session)
T = TypeVar("T")


class Engine:
    """Begins sessions and commits them, for integrations. ``Sessions.engine`` is one."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.options = setup.options
        #: The header of a request that says whose session it is, and the one of a response, as ASGI spells them.
        self.reads, self.writes = setup.carrier.reads, setup.carrier.writes
        self.now = setup.clock
        self._content = setup.content
        self._genid = setup.options.genid
        self._only_touches, self._leaves_empty = setup.only_touches, setup.leaves_empty
        self._events = setup.events
        self._calls = setup.calls
        options = setup.options
        #: The rules for requests of other origins, or None where all pass.
        self._origins = origins_in(options.cross_origin) if options.transport == "cookie" else None
        #: Whether ``refuses`` may say yes.
        self.may_refuse = self._origins is not None
        self.opening = Opening(setup)
        self.commits = Writes(setup)
        self._committer = Committer(setup, self.commits)
        at_once = AtOnce(setup, self.opening, self.commits, self._committer)
        self.opening.backing = SessionBacking(setup, at_once)
        #: What answers the requests that browsers send by themselves, where sessions are bound to devices.
        self.endpoints: Endpoints | None = None
        if setup.device is not None:
            from sessile._engine.device.endpoints import Endpoints

            self.endpoints = Endpoints(setup, setup.device, self.opening, at_once)

    def path_matches(self, path: str) -> bool:
        """Return True if requests for ``path`` have a session at all: if the cookie's path matches it.

        RFC 6265bis section 5.1.4; express-session compares the beginning of the text only, so its ``/app`` covers
        ``/application``, for which no browser would send the cookie back.
        """
        prefix = self.setup.path
        if prefix == "/" or path == prefix:
            return True
        return path.startswith(prefix if prefix.endswith("/") else prefix + "/")

    def refuses(self, method: str, facts: Facts, *, websocket: bool = False) -> bool:
        """Return True if a request is to be answered with 403, because a page of another origin has sent it.

        Ask before its session is loaded. ``facts`` are not asked for where the method is safe.
        """
        if self._origins is None or (method in SAFE and not websocket):
            return False
        reason = self._origins.refusal(facts(), self.setup.trust, websocket=websocket)
        if reason:
            self._events.report(EventKind.CROSS_ORIGIN, None, reason, facts)
        return bool(reason)

    def run(self, body: Callable[Concatenate[AnyStore, P], Steps[T]], *args: P.args, **named: P.kwargs) -> T:
        """Run ``body`` with the store, and wait for it."""
        return dual.run_sync(body(self.setup.store, *args, **named))

    async def arun(self, body: Callable[Concatenate[AnyStore, P], Steps[T]], *args: P.args, **named: P.kwargs) -> T:
        """The async version of ``run``."""
        return await dual.run_async(body(self.setup.async_store, *args, **named))

    # Beginning ----------------------------------------------------------------------------------------------------

    def blank(self, facts: Facts | None = None, session_class: type[S] = Session) -> S:  # type: ignore[assignment]
        """Return a new session with nothing in it, for a request that has none; without ``facts``, for no request."""
        return self.opening.blank(facts, session_class)

    def begin_sync(self, header: bytes, facts: Facts) -> Session:
        """Return the session of a request, for synchronous servers."""
        return dual.run_sync(self.opening.begin_any(self.setup.store, header, facts))

    def begin_async(self, header: bytes, facts: Facts) -> Session | Awaitable[Session]:
        """Return the session of a request, or an awaitable of it if something has to be waited for."""
        if self._content is not None:
            return dual.start(self.opening.begin_carried(self._content, header, facts))
        claims = self.opening.claims(header, facts) if header else ()
        if not claims and self._genid is None:
            return self.opening.blank(facts, Session)
        if claims:
            self.setup.check_link()
        if len(claims) == 1:
            try:
                answer = self.setup.async_store.load(claims[0])
            except Exception as error:
                self._calls.fail(error, self.setup.async_store.load)
            if not isinstance(answer, Record):
                return dual.start(self.opening.begin(self.setup.async_store, claims, facts, [answer]))
            session = self.opening.examine(claims[0], answer, facts)
            if isinstance(session, Session) and not state_of(session).arrives:
                self._events.report_loaded(claims[0], facts)
                return session
            if session is not None:
                return dual.start(self.opening.begin(self.setup.async_store, claims, facts, [answer]))
            claims = ()
        return dual.start(self.opening.begin(self.setup.async_store, claims, facts))

    def begin_lazy(self, header: bytes, facts: Facts, session_class: type[S] = Session) -> S:  # type: ignore[assignment]
        """Return a session that must be loaded before it is looked at: with ``load_async``.

        An integration for synchronous servers has ``load_sync`` called at the first look (``Exchange.load_lazily``).
        """
        session = self.opening.blank(facts, session_class)
        load_by(session, _not_loaded)
        state = state_of(session)
        state.header = header
        REQUEST.set(state)
        return session

    def load_sync(self, session: Session) -> None:
        """Load a lazy session, if nobody has, for synchronous servers."""
        state = state_of(session)
        if state.loader is not None:
            loaded = self.begin_sync(state.header, state.facts or RequestFacts)
            state.loader = None
            data.become(session, loaded)

    async def load_async(self, session: Session) -> None:
        """Load a lazy session, if nobody has."""
        state = state_of(session)
        if state.loader is None or state.facts is None:
            return
        loaded = await dual.run_async(self.opening.begin_any(self.setup.async_store, state.header, state.facts))
        state.loader = None
        data.become(session, loaded)

    async def is_live_async(self, session: Session) -> bool:
        """Return True if ``session``, which was loaded, is still there, if only under a new id.

        For conversations that outlive a request: a WebSocket. Raises StoreUnavailable.
        """
        state = state_of(session)
        if state.loaded is None or state.own_store is not None:
            return True
        return await dual.run_async(self.opening.is_live(self.setup.async_store, state.loaded))

    # Committing ---------------------------------------------------------------------------------------------------

    def commit_sync(self, session: Session, released: bool = False) -> tuple[str, ...]:
        """Carry out what became of the session, and return what the response has to say to the browser.

        ``released``: the framework's slot was set to None.
        """
        answer = self._touch(self.setup.store, session, released)
        if answer is not NotImplemented:
            return () if answer is True else dual.run_sync(self._committer.touched(state_of(session), answer))
        plan = self._committer.plan(session, released)
        if plan is None:
            return ()
        if plan.operation in AT_ONCE:
            done = self._committer.at_once(self.setup.store, session, plan)
            if done is not None:
                return done if isinstance(done, tuple) else dual.run_sync(done)
        return dual.run_sync(self._committer.commit(self.setup.store, session, plan))

    def commit_async(self, session: Session, released: bool = False) -> tuple[str, ...] | Awaitable[tuple[str, ...]]:
        """Do what ``commit_sync`` does; returns an awaitable if the store has to be waited for."""
        answer = self._touch(self.setup.async_store, session, released)
        if answer is not NotImplemented:
            return () if answer is True else dual.start(self._committer.touched(state_of(session), answer))
        state = state_of(session)
        if state.busy:
            return dual.start(in_turn(state, self._commit(self.setup.async_store, session, released)))
        plan = self._committer.plan(session, released)
        if plan is None:
            return ()
        if plan.operation in AT_ONCE:
            done = self._committer.at_once(self.setup.async_store, session, plan)
            if done is not None:
                return done if isinstance(done, tuple) else dual.start(in_turn(state, done))
        return dual.start(in_turn(state, self._committer.commit(self.setup.async_store, session, plan)))

    def _commit(self, store: AnyStore, session: Session, released: bool) -> Steps[tuple[str, ...]]:
        plan = self._committer.plan(session, released)
        return () if plan is None else (yield from self._committer.commit(store, session, plan))

    def _touch(self, store: AnyStore, session: Session, released: bool) -> object:
        state = state_of(session)
        if released:
            return NotImplemented
        if state.loaded is None:
            return True if self._leaves_empty and lifecycle.is_untouched(state, session) else NotImplemented
        if not self._only_touches or not lifecycle.is_idle(state, session):
            return NotImplemented
        if not state.committed:
            return self._committer.touch(store, state)
        # Once a request is enough.
        return True if state.headless and self.options.lifetime is None else NotImplemented

    def save(self, store: AnyStore, session: Session) -> Steps[bool]:
        """Commit ``session`` now: the body of ``session.save()``."""
        return self.opening.backing.save(store, session)

    def end(self, store: AnyStore, sid: str, kind: EventKind) -> Steps[bool]:
        """End the session ``sid``, and report it as ``kind``. Return True if there was one."""
        there = yield from self.commits.end(store, sid)
        if there:
            self._events.report(kind, sid)
        return there


def _not_loaded() -> None:
    raise NotLoaded(
        "this session is lazy and was not loaded. Write `session = await sessile.starlette.aload(request)` in the "
        "handler (each framework's module has its own aload), or leave lazy=True out"
    )
