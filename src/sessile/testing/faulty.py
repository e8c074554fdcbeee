# An application meets an outage rarely, and its tests should meet one at will. The faults are put between the library
# and a store that works, so everything behind them is real.
"""A store that fails, or is slow, when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from sessile.dual import Pause, Steps, run_sync, start
from sessile.errors import StoreUnavailable
from sessile.stores._shared.altered import altered
from sessile.stores._shared.forwarding import Forwarding

__all__ = ["FaultyStore"]

_VERBS = ("load", "create", "replace", "touch", "delete")
_ABILITIES = ("all", "count", "clear", "prune")


class _Fault(NamedTuple):
    seconds: float = 0.0
    error: Exception | None = None
    after: bool = False
    times: float = float("inf")


class FaultyStore(Forwarding):
    """Passes all calls on to ``inner``, a store, until it is told to fail or to wait; and counts them.

    >>> from sessile.stores.memory import MemoryStore
    >>> store = FaultyStore(MemoryStore())
    >>> store.fail("load", times=1)
    >>> store.load("a sid")
    Traceback (most recent call last):
    sessile.errors.StoreUnavailable: the test wants load to fail
    >>> store.load("a sid")
    >>> store.calls
    ['load', 'load']
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._faults: dict[str, _Fault] = {}
        self._drive: Callable[[Steps[Any]], Any] = run_sync
        #: The verbs that were called, in their order. Clear it when you like.
        self.calls: list[str] = []
        #: Set it to False, and the store says that it is not connected (``sessile.stores.base.Connectable``).
        self.ready = True
        self.offer()

    def offer(self) -> None:
        """Have the abilities that ``inner`` has. For this class."""
        # Abilities are looked up on the object (typing.runtime_checkable), and it can what `inner` can.
        for ability in _ABILITIES:
            if hasattr(self._inner, ability):
                setattr(self, ability, partial(self._call, ability))
        for name in ("close", "form"):
            if hasattr(self._inner, name):
                setattr(self, name, getattr(self._inner, name))
        if hasattr(self._inner, "index"):
            self.index = self._index

    def _index(self) -> FaultyStore:
        # What is down is down for both, and the index is asked over the same connections.
        return self._around(self._inner.index())

    def _around(self, inner: Any, **attributes: object) -> FaultyStore:
        other = altered(self, _inner=inner, **attributes)
        other.offer()
        return other

    def __repr__(self) -> str:
        return f"<FaultyStore around {self._inner!r}>"

    def fail(
        self, *verbs: str, times: float = float("inf"), error: Exception | None = None, after: bool = False
    ) -> None:
        """Let ``verbs`` raise ``error``, by default StoreUnavailable. No verb: all five.

        ``times``: how often, then they work again. ``after``: the store does what it was asked, and then the answer
        is lost, as when a network fails in that moment.
        """
        for verb in self._named(verbs):
            raised = error or StoreUnavailable(f"the test wants {verb} to fail")
            self._faults[verb] = self._fault(verb)._replace(error=raised, after=after, times=times)

    def delay(self, *verbs: str, seconds: float) -> None:
        """Let ``verbs`` take ``seconds`` more. No verb: all five."""
        for verb in self._named(verbs):
            self._faults[verb] = self._fault(verb)._replace(seconds=seconds)

    def mend(self, *verbs: str) -> None:
        """Let ``verbs`` work as they should. No verb: all there are."""
        for verb in self._named(verbs or tuple(self._faults)):
            self._faults.pop(verb, None)

    def _named(self, verbs: tuple[str, ...]) -> tuple[str, ...]:
        unknown = set(verbs) - {*_VERBS, *_ABILITIES}
        if unknown:
            raise ValueError(f"{min(unknown)!r} is no verb of a store: use {', '.join(_VERBS + _ABILITIES)}")
        return verbs or _VERBS

    def _fault(self, verb: str) -> _Fault:
        return self._faults.get(verb, _Fault())

    def asynchronous(self) -> FaultyStore:
        """Return this store for use under asyncio: the same faults, the same count of calls."""
        inner = self._inner.asynchronous() if hasattr(self._inner, "asynchronous") else self._inner
        return self._around(inner, _drive=start)

    def _call(self, verb: str, *arguments: Any) -> Any:
        return self._drive(self._steps(verb, arguments))

    def _steps(self, verb: str, arguments: tuple[Any, ...]) -> Steps[Any]:
        self.calls.append(verb)
        fault = self._fault(verb)
        if fault.seconds:
            yield Pause(fault.seconds)
        fails = fault.error is not None and fault.times > 0
        if fails:
            self._faults[verb] = fault._replace(times=fault.times - 1)
        if fails and not fault.after:
            raise fault.error  # type: ignore[misc]
        answer = yield getattr(self._inner, verb)(*arguments)
        if fails:
            raise fault.error  # type: ignore[misc]
        return answer
