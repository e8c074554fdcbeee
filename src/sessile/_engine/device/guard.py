# What is done for requests of handlers: to look for the proof when a bound session is loaded, to offer a binding when
# one begins, and to take the cookie away at its end. What the browser sends by itself is endpoints.py.
#
#   1. A binding begins with a new id that a handler asked for (`login`, `regenerate`), and ends with the next one. A
#      renewal of the id keeps it.
#   2. The MAC of the bound cookie covers the binding's identifier and key, and no id of a session.
#   3. A missing proof never ends a session: a thief who has half of the cookies could log the visitor out.
#   4. `Secure-Session-Skipped` never lets anybody in. It only keeps what stands in for the session from being stored:
#      the browser is to find its own cookie again.
"""Whether a request comes from the device that its session is bound to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sessile import cookies
from sessile._engine.device.cookie import BoundCookie
from sessile._records.binding import DEVICE, Binding, binding_in, offered
from sessile._records.record import USER
from sessile._session.state import Intent, State
from sessile._wire.device.bound import BoundTokens
from sessile._wire.device.challenge import LIFE, Challenges
from sessile._wire.device.headers import offer
from sessile._wire.proxy import Trust, is_secure
from sessile.device import Device, DeviceBinding
from sessile.events import EventKind, Events
from sessile.facts import RequestFacts

__all__ = ["Guard"]

#: The header that says that the browser could not renew its proof.
_SKIPPED = "secure-session-skipped"


class Guard:
    """Looks after the bindings of sessions, for ``Sessions(device=...)``."""

    def __init__(
        self,
        binding: DeviceBinding,
        cookie: BoundCookie,
        secrets: Sequence[bytes],
        events: Events,
        trust: Trust,
        clock: Callable[[], float],
    ) -> None:
        self.binding = binding
        self.cookie = cookie
        self.clock = clock
        self.ttl = float(binding.proof_ttl)  # type: ignore[arg-type]
        self.tokens = BoundTokens(secrets)
        #: A browser answers the challenge that came with its cookie when that ends; `last` makes it single use.
        self.challenges = Challenges(secrets, life=self.ttl + LIFE)
        root = binding.path.rstrip("/")
        self.register_path, self.refresh_path = f"{root}/register", f"{root}/refresh"
        #: The paths that the middleware answers itself.
        self.paths = frozenset({self.register_path, self.refresh_path})
        self._events = events
        self._trust = trust
        self._grace = float(binding.grace)  # type: ignore[arg-type]
        self._name = cookie.name.encode("ascii")
        self._strict, self._offers_all = binding.enforce == "strict", binding.offer == "all"

    def admits(self, state: State) -> bool:
        """Return True if a request may have the session that its cookie names."""
        binding = binding_in(state.system)
        if binding is None or not binding.key or self._proves(state, binding):
            return True
        if self.clock() < binding.since + self._grace:
            return True
        self._events.report(EventKind.DEVICE_UNPROVED, state.loaded, facts=state.facts)
        return not self._strict

    def is_waiting(self, facts: RequestFacts) -> bool:
        """Return True if a browser says that it has a bound session, and could not renew the proof."""
        return facts.header(_SKIPPED) is not None

    def device(self, state: State) -> Device:
        """Return what is known of the device of a session."""
        binding = binding_in(state.system)
        if binding is None or not binding.key:
            return Device(registered=False, bound=False)
        return Device(registered=True, bound=self._proves(state, binding))

    def prepare(self, state: State) -> None:
        """Let a session that is about to get a new id lose its binding, and be offered another one."""
        begins = self._offers_all and state.intent is Intent.KEEP and state.payload is None
        if begins or (state.intent is Intent.REGENERATE and not state.renews):
            system = {name: value for name, value in state.system.items() if name != DEVICE}
            if self._offers_all or USER in system:
                system[DEVICE] = offered()
            state.system = system

    def head(self, state: State) -> tuple[tuple[str, str], ...]:
        """Return what the head of a response says beside the session's own cookie, which it sets or takes away."""
        if state.facts is None:
            return ()
        facts = state.facts()
        if state.loaded is None:
            return (("Set-Cookie", self.cookie.clear()),) if self._brought(facts) else ()
        binding = binding_in(state.system)
        if binding is None or binding.key or not is_secure(facts, self._trust):
            return ()
        challenge = self.challenges.make("register", binding.identifier, self.clock())
        return (("Secure-Session-Registration", offer(self.register_path, challenge)),)

    def token(self, binding: Binding) -> str:
        """Return the Set-Cookie that a device gets for its proof."""
        value = self.tokens.make(binding.identifier, binding.thumbprint, int(self.clock() + self.ttl))
        return self.cookie.set(value, int(self.ttl))

    def _proves(self, state: State, binding: Binding) -> bool:
        if state.facts is None:
            return False
        now = state.begun
        brought = self._brought(state.facts())
        return any(self.tokens.proves(each, binding.identifier, binding.thumbprint, now) for each in brought)

    def _brought(self, facts: RequestFacts) -> list[bytes]:
        return cookies.candidates(b"; ".join(value for name, value in facts.headers if name == b"cookie"), self._name)
