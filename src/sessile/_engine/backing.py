# What a session asks (``_session/backing.py``) is answered here. ``run`` and ``arun`` are the two ways into the store.
"""What stands behind a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from sessile import dual
from sessile._engine.at_once import AtOnce
from sessile._engine.setup import Setup
from sessile._engine.waiting import warn_on_a_loop
from sessile._records.record import JSON
from sessile._session import data, lifecycle
from sessile._session.session import Session
from sessile._session.state import State
from sessile._session.watched import state_of
from sessile._wire.proxy import is_secure
from sessile.device import Device
from sessile.dual import AnyStore, Steps
from sessile.errors import InvalidOption, SessionError
from sessile.events import EventKind
from sessile.lifetime import MOMENTS, moment
from sessile.options import CookieOptions

__all__ = ["SessionBacking"]

P = ParamSpec("P")
T = TypeVar("T")


class SessionBacking:
    """Answers what sessions ask (``sessile._session.backing.Backing``)."""

    def __init__(self, setup: Setup, at_once: AtOnce) -> None:
        self._setup = setup
        self._options = setup.options
        self._lifetime = setup.lifetime
        self.now = setup.clock
        self.fields = setup.fields
        self.new_id = setup.new_id
        self.save = at_once.save
        self.reload = at_once.reload
        self.pop_once = at_once.pop_once
        self.incr = at_once.incr
        self.begin = at_once.begin
        self.finish = at_once.finish
        self.lock = at_once.lock
        self.unlock = at_once.unlock

    def report(self, state: State, kind: EventKind, detail: str) -> None:
        """Report an event of a session."""
        self._setup.report(state, kind, detail)

    def device(self, state: State) -> Device:
        """Return what is known of the device of a session."""
        guard = self._setup.device
        return Device(registered=False, bound=False) if guard is None else guard.device(state)

    def autosaves(self) -> bool:
        """Return what the options say of ``session.autosave``."""
        return self._options.autosave

    def keeps_alive(self, state: State) -> bool:
        """Return what the options say of ``session.keep_alive``."""
        keep_alive = self._options.keep_alive
        return keep_alive is None or bool(keep_alive(self._setup.facts_of(state)))

    def remembered(self) -> float:
        """Return for how many seconds a remembered session lives, by the options. Raises SessionError."""
        life = None if self._lifetime is None else self._lifetime.remember
        if not isinstance(life, (int, float)):
            raise SessionError("nobody is remembered here: set Sessions(lifetime=Lifetime(remember=30 * 86_400, ...))")
        return float(life)

    def last_seen(self, state: State) -> float:
        """Return when a session was last used: its whole life before its end."""
        now, system = self.now(), state.system
        seen = state.ends - lifecycle.life_of(system, data.cookie_of(state), self._options, now)
        # Another program, with other options, may have given it another life; but not before these.
        return max(seen, *(moment(system[name], now) if name in system else seen for name in MOMENTS))

    def expires_at(self, state: State) -> float:
        """Return when a session ends if it is not used any more, and at the latest."""
        if self._lifetime is None:
            return state.ends
        return min(state.ends, self._lifetime.end(state.system, self.now()))

    def new_cookie(self, state: State) -> dict[str, JSON]:
        """Return the attributes of a new session's cookie, as they are stored."""
        facts = self._setup.facts_of(state)
        options = self._options.cookie
        if not isinstance(options, CookieOptions):
            options = options(facts)
            if not isinstance(options, CookieOptions):
                raise InvalidOption("cookie", f"the function returned {options!r}", "Return a CookieOptions.")
            self._options.check_prefix(options)
        return lifecycle.new_cookie(options, is_secure(facts, self._setup.trust), self.now())

    def run(
        self,
        verb: str,
        session: Session,
        body: Callable[Concatenate[AnyStore, Session, P], Steps[T]],
        *args: P.args,
        **named: P.kwargs,
    ) -> T:
        """Run ``body`` with the store that keeps ``session``, which is loaded first. Warns on a running loop."""
        state = state_of(session)
        if state.loader is not None:
            state.loader()
        if self._setup.waits and state.own_store is None:
            warn_on_a_loop(verb, self._setup)
        store = self._setup.store if state.own_store is None else state.own_store
        return dual.run_sync(body(store, session, *args, **named))

    async def arun(
        self,
        session: Session,
        body: Callable[Concatenate[AnyStore, Session, P], Steps[T]],
        *args: P.args,
        **named: P.kwargs,
    ) -> T:
        """The async version of ``run``."""
        state = state_of(session)
        if state.loader is not None:
            state.loader()
        store = self._setup.async_store if state.own_store is None else state.own_store
        return await dual.run_async(body(store, session, *args, **named))
