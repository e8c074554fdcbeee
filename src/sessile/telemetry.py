# The store is somebody else's code and what a request waits for; the rest of this library takes microseconds. So spans
# and times are those of store calls, and they are taken by a store around the store: without it nothing is added to any
# request. What happened is counted anyway (events.py), and read from there when somebody collects.
#
# No id, no data and no text of an error is said: a driver's error may name a key, or a host with a password.
"""Metrics and spans for OpenTelemetry: the extra ``telemetry``."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from time import perf_counter
from typing import Any, Final

from sessile import __version__
from sessile._engine.coded import CodedStore
from sessile._engine.manager import Sessions
from sessile.dual import AsyncCapable
from sessile.errors import MissingExtra, SessionError
from sessile.stores._shared.forwarding import Forwarding
from sessile.stores.base import Carried, can

try:
    from opentelemetry import metrics, trace
    from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation
    from opentelemetry.trace import INVALID_SPAN, Span, Status, StatusCode, Tracer, TracerProvider, use_span
except ImportError as error:
    raise MissingExtra("sessile.telemetry", "telemetry") from error

__all__ = ["instrument"]

#: What becomes of a call: if it did what it was asked, and if not. Beside these, ``replace`` may meet a conflict.
_OUTCOMES: Final = {
    "load": ("found", "missing"),
    "create": ("created", "exists"),
    "touch": ("touched", "missing"),
    "delete": ("deleted", "missing"),
}

#: The databases that have a name in OpenTelemetry's semantic conventions (``db.system.name``), by our modules.
_SYSTEMS: Final = {
    "dynamodb": "aws.dynamodb",
    "memcached": "memcached",
    "mongodb": "mongodb",
    "mysql": "mysql",
    "postgresql": "postgresql",
    "redis": "redis",
    "sqlite": "sqlite",
}

#: What is counted and is no event.
_WRITES: Final = {"conflicts": "Writes that met another one", "retries": "Writes that were tried again"}

#: In seconds: those of ``db.client.operation.duration``.
_BUCKETS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)


def instrument(
    *sessions: Sessions, meter_provider: MeterProvider | None = None, tracer_provider: TracerProvider | None = None
) -> None:
    """Let OpenTelemetry see what happens to ``sessions``, and how long their stores take.

    Call it once in a process, after ``Sessions(...)`` and before the first request; who has several gives them all.
    Without providers it takes the global ones.

    The metrics are ``sessile.events``, a counter with the attribute ``sessile.event``, one of the labels of
    ``sessile.events.EventKind``; ``sessile.conflicts`` and ``sessile.retries``; and ``sessile.store.duration``, a
    histogram in seconds. Each call of a store is a span, ``sessile.load`` and so on, below that of the request if
    there is one.

    Raises SessionError if one of them is instrumented already. What OpenTelemetry raises later ends no request.
    """
    if any(isinstance(each.store, ObservedStore) for each in sessions):
        raise SessionError("these sessions are instrumented already: call instrument() once, and give it all of them")
    meter = metrics.get_meter("sessile", __version__, meter_provider)
    tracer = trace.get_tracer("sessile", __version__, tracer_provider)
    _count(sessions, meter)
    for each in sessions:
        if not can(each.store, Carried):
            each.engine.setup.use(ObservedStore(each.store, _Observer(meter, tracer, each.store)))


def _count(sessions: tuple[Sessions, ...], meter: Meter) -> None:
    # The SDK takes an instrument of one name once, so there is one for all sessions.
    def counts() -> Counter[str]:
        return sum((Counter(each.counts()) for each in sessions), Counter())

    def events(options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(n, {"sessile.event": name}) for name, n in counts().items() if name not in _WRITES]

    meter.create_observable_counter("sessile.events", [events], "{event}", "What happened to sessions")
    for name, meaning in _WRITES.items():

        def number(options: CallbackOptions, name: str = name) -> Iterable[Observation]:
            return [Observation(counts()[name])]

        meter.create_observable_counter(f"sessile.{name}", [number], "{write}", meaning)


class _Observer:
    """Says to OpenTelemetry what the calls of ``store`` are. Nothing in it raises."""

    def __init__(self, meter: Meter, tracer: Tracer, store: object) -> None:
        store = store.inner if isinstance(store, CodedStore) else store
        self._tracer = tracer
        self._durations = meter.create_histogram(
            "sessile.store.duration", "s", "How long the store took", explicit_bucket_boundaries_advisory=_BUCKETS
        )
        self.about = {"sessile.store": type(store).__name__, "sessile.part": "sessions"}
        system = _SYSTEMS.get(type(store).__module__.removeprefix("sessile.stores.").partition(".")[0])
        if system is not None:
            self.about["db.system.name"] = system

    def of_index(self) -> _Observer:
        """Return the observer of the store of the index."""
        other = copy.copy(self)
        other.about = {**self.about, "sessile.part": "index"}
        return other

    def begin(self, verb: str) -> Span:
        """Return the span of a call that begins now, below the one that is current."""
        with suppress(Exception):
            return self._tracer.start_span(f"sessile.{verb}", attributes=self.about)
        return INVALID_SPAN

    def end(self, span: Span, verb: str, seconds: float, answer: object, error: BaseException | None) -> None:
        """End the span of a call that took ``seconds``, and came to ``answer`` or ``error``."""
        about = {**self.about, "sessile.verb": verb}
        with suppress(Exception):
            if error is None:
                span.set_attribute("sessile.outcome", _outcome(verb, answer))
            else:
                about["error.type"] = type(error.__cause__ or error).__name__
                span.set_attribute("error.type", about["error.type"])
                span.set_status(Status(StatusCode.ERROR))
            self._durations.record(seconds, about)
        with suppress(Exception):
            span.end()


def _outcome(verb: str, answer: object) -> str:
    if verb in _OUTCOMES:
        did, did_not = _OUTCOMES[verb]
        return did if answer else did_not
    return type(answer).__name__.lower()  # Replaced, Conflict, Missing.


class ObservedStore(Forwarding):
    """Shows ``inner`` to ``observer``: each of the five verbs. Whatever else it can, it can too."""

    def __init__(self, inner: Any, observer: _Observer) -> None:
        self._inner = inner
        self._observer = observer

    def __repr__(self) -> str:
        return f"<ObservedStore around {self._inner!r}>"

    def __getattr__(self, name: str) -> Callable[..., object]:
        if name.startswith("_"):
            raise AttributeError(name)
        found: Callable[..., object] = getattr(self._inner, name)
        return (lambda: ObservedStore(found(), self._observer.of_index())) if name == "index" else found

    def asynchronous(self) -> ObservedStore:
        """Return this store for use under asyncio."""
        inner = self._inner.asynchronous() if can(self._inner, AsyncCapable) else self._inner
        return ObservedStore(inner, self._observer)

    def _call(self, verb: str, *arguments: Any) -> Any:
        observer, begin = self._observer, perf_counter()
        span = observer.begin(verb)
        try:
            with _current(span):
                answer = getattr(self._inner, verb)(*arguments)
        except BaseException as error:
            observer.end(span, verb, perf_counter() - begin, None, error)
            raise
        if hasattr(answer, "__await__"):
            return self._wait(span, verb, begin, answer)
        observer.end(span, verb, perf_counter() - begin, answer, None)
        return answer

    async def _wait(self, span: Span, verb: str, begin: float, awaitable: Any) -> Any:
        # What the driver does, in a task of its own perhaps, is below our span.
        try:
            with _current(span):
                answer = await awaitable
        except BaseException as error:
            self._observer.end(span, verb, perf_counter() - begin, None, error)
            raise
        self._observer.end(span, verb, perf_counter() - begin, answer, None)
        return answer


def _current(span: Span) -> AbstractContextManager[Span]:
    return use_span(span, record_exception=False, set_status_on_exception=False)
