# The browser sends two kinds of requests by itself. What each answer does to it was measured in Chromium 156: any 4xx
# but a 403 with a challenge ends the binding in the browser, 429 too; a 5xx does not. So a store that is down is a 503,
# and whatever may be a matter of time (a challenge that is old, or was answered) is a 403 with a new one.
"""Answer what the browser sends by itself: the registration of a device, and its proofs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sessile._engine.at_once import AtOnce
from sessile._engine.device.guard import Guard
from sessile._engine.device.instructions import instructions
from sessile._engine.opening import Opening
from sessile._engine.setup import Setup
from sessile._records.binding import DEVICE, Binding, binding_in
from sessile._records.record import Contents
from sessile._session.session import Session
from sessile._session.watched import state_of
from sessile._wire.device.headers import read_value, told
from sessile._wire.device.key import DeviceKey
from sessile._wire.device.proof import ProofRefused, read_refresh, read_registration
from sessile._wire.origins import Origins
from sessile._wire.proxy import host_of, is_secure
from sessile.dual import AnyStore, Steps
from sessile.errors import SessionError, SessionGone
from sessile.events import EventKind
from sessile.facts import RequestFacts

__all__ = ["Answer", "Endpoints"]


class Answer(NamedTuple):
    """A whole response."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    @property
    def lines(self) -> list[tuple[str, str]]:
        """All headers."""
        common = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(self.body))),
            ("Cache-Control", "no-store"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ]
        return [*common, *self.headers]


_REFUSED, _GONE, _DOWN = Answer(403), Answer(404), Answer(503, (("Retry-After", "10"),))


class Endpoints:
    """Registers devices, and renews their proofs."""

    def __init__(self, setup: Setup, guard: Guard, opening: Opening, at_once: AtOnce) -> None:
        self._guard = guard
        self._opening = opening
        self._at_once = at_once
        self._events = setup.events
        self._trust = setup.trust
        self._origins = Origins()
        self._setup = setup
        #: The paths that are answered here.
        self.paths = guard.paths

    def answer(self, store: AnyStore, header: bytes, facts: RequestFacts) -> Steps[Answer]:
        """Return the answer to a request for one of ``Guard.paths``. ``header``: its cookies."""
        if facts.method != "POST":
            return Answer(405, (("Allow", "POST"),))
        if not is_secure(facts, self._trust):
            return self._refuse("it came by http", facts)
        try:
            if facts.path == self._guard.register_path:
                return (yield from self._register(store, header, facts))
            return (yield from self._refresh(store, header, facts))
        except ProofRefused as refused:
            return self._refuse(str(refused), facts)
        except SessionGone:
            return _GONE
        except SessionError:
            return _DOWN  # The store, of which the event tells.

    def _register(self, store: AnyStore, header: bytes, facts: RequestFacts) -> Steps[Answer]:
        # A browser sends it in mode no-cors, in which no script can set the header with the proof.
        if facts.header("sec-fetch-mode") not in (None, "no-cors") or self._origins.refusal(facts, self._trust):
            return self._refuse("a page has sent it, and not the browser", facts)
        proof = read_registration(_value(facts, "secure-session-response"))
        host = host_of(facts, self._trust)
        if proof.audience not in (None, f"https://{host}{facts.path}"):
            return self._refuse("the proof was made for another URL", facts)
        now = self._guard.clock()
        for session in (yield from self._brought(store, header, facts)):
            binding = binding_in(state_of(session).system)
            if binding is None or binding.key:
                continue
            if self._guard.challenges.read("register", binding.identifier, proof.challenge, now) is None:
                continue
            bound = Binding(binding.identifier, proof.key.stored, proof.key.thumbprint, now)
            if (yield from self._put(store, session, binding, bound)):
                self._events.report(EventKind.DEVICE_BOUND, state_of(session).loaded, facts=lambda: facts)
                return self._proved(bound, host)
        return self._refuse("no session waits for it", facts)

    def _refresh(self, store: AnyStore, header: bytes, facts: RequestFacts) -> Steps[Answer]:
        identifier = _value(facts, "sec-secure-session-id")
        for session in (yield from self._brought(store, header, facts)):
            binding = binding_in(state_of(session).system)
            if binding is not None and binding.key and binding.identifier == identifier:
                return (yield from self._renew(store, session, binding, facts))
        return _GONE

    def _renew(self, store: AnyStore, session: Session, binding: Binding, facts: RequestFacts) -> Steps[Answer]:
        text = _value(facts, "secure-session-response")
        if not text:
            return self._ask(binding)
        try:
            proof = read_refresh(text, DeviceKey.from_stored(binding.key))
        except ProofRefused as refused:
            self._refuse(str(refused), facts)
            return self._ask(binding)
        moment = self._guard.challenges.read("refresh", binding.identifier, proof.challenge, self._guard.clock())
        if moment is None or not (yield from self._use(store, session, binding, moment)):
            return self._ask(binding)
        return self._proved(binding, host_of(facts, self._trust))

    def _brought(self, store: AnyStore, header: bytes, facts: RequestFacts) -> Steps[list[Session]]:
        """Return the live sessions that a request's cookies name. They are not asked for the proof."""
        found = []
        claims = self._opening.claims(header, lambda: facts)
        if claims:
            self._setup.check_link()
        for sid in claims:
            session = yield from self._opening.fetch(store, sid)
            if session is not None:
                found.append(session)
        return found

    def _put(self, store: AnyStore, session: Session, offered: Binding, bound: Binding) -> Steps[bool]:
        """Bind a session whose offer still stands, in one step. Return True if it was this device that was first."""

        def put(contents: Contents) -> bool:
            if binding_in(contents.system) != offered:
                return False
            contents.system = {**contents.system, DEVICE: list(bound)}
            return True

        return (yield from self._changed(store, session, put))

    def _use(self, store: AnyStore, session: Session, binding: Binding, moment: int) -> Steps[bool]:
        """Note that a challenge of ``moment`` was answered. Return False if it, or a later one, was before."""

        def use(contents: Contents) -> bool:
            present = binding_in(contents.system)
            if present is None or present[:4] != binding[:4] or present.last >= moment:
                return False
            contents.system = {**contents.system, DEVICE: list(present._replace(last=moment))}
            return True

        return (yield from self._changed(store, session, use))

    def _changed(self, store: AnyStore, session: Session, change: Callable[[Contents], bool]) -> Steps[bool]:
        done, _ = yield from self._at_once.rewrite(store, session, change, counts=False)
        return done

    def _proved(self, binding: Binding, host: str) -> Answer:
        """Return what a device gets for its proof: the cookie, and the challenge for the next time."""
        guard = self._guard
        body = instructions(
            binding.identifier, guard.refresh_path, f"https://{host}", guard.cookie, excluded=guard.binding.exclude
        )
        return Answer(200, (("Set-Cookie", guard.token(binding)), *self._challenge(binding)), body)

    def _ask(self, binding: Binding) -> Answer:
        return Answer(403, self._challenge(binding))

    def _challenge(self, binding: Binding) -> tuple[tuple[str, str], ...]:
        challenge = self._guard.challenges.make("refresh", binding.identifier, self._guard.clock())
        return (("Secure-Session-Challenge", told(challenge, binding.identifier)),)

    def _refuse(self, reason: str, facts: RequestFacts) -> Answer:
        self._events.report(EventKind.DEVICE_REFUSED, None, reason, lambda: facts)
        return _REFUSED


def _value(facts: RequestFacts, name: str) -> str:
    return read_value((facts.header(name) or "").encode("latin-1")) or ""
