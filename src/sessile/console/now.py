# Every count changes around a call of the store. So a store around the store takes the times, and looks at the counts
# when a minute is over: no thread, and nothing to start again in a process that was forked. What a minute holds is
# what the counts have grown by; what came with no call of the store is counted when somebody looks.
"""What happened to sessions in this process in the last hour, minute by minute."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from time import perf_counter, time
from typing import Any, Final
from weakref import WeakKeyDictionary

from sessile import Sessions
from sessile.dual import AsyncCapable
from sessile.events import EventKind
from sessile.stores._shared.forwarding import Forwarding
from sessile.stores.base import Carried, can

__all__ = ["MINUTES", "PLOTS", "Plot", "Watch", "watch"]

#: How many minutes are kept.
MINUTES: Final = 60

#: For how many seconds the number of live sessions is not counted again; and for how many times as long as it took,
#: since some stores go through all their keys for it.
FRESH: Final = 5.0
REST: Final = 50.0

#: What is shown, and the events of which it is the sum.
PLOTS: Final = {
    "Log-ins": (EventKind.LOGGED_IN.label,),
    "Ends": (EventKind.DESTROYED.label, EventKind.REVOKED.label),
    "Conflicts": ("conflicts",),
    "Merges": (EventKind.MERGED.label,),
    "Retries": ("retries",),
    "Refusals": tuple(
        kind.label
        for kind in (
            EventKind.BAD_SIGNATURE,
            EventKind.UNKNOWN_ID,
            EventKind.REPLAYED,
            EventKind.AMBIGUOUS,
            EventKind.LOGIN_REFUSED,
            EventKind.CROSS_ORIGIN,
            EventKind.INSECURE,
        )
    ),
}


@dataclass(slots=True)
class _Minute:
    number: int
    counts: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    seconds: float = 0.0
    live: int | None = None


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot: a value for each minute, the oldest first, and what to say of them all."""

    title: str
    said: str
    values: tuple[float, ...]

    @property
    def bars(self) -> list[tuple[int, float]]:
        """The minutes that have a value: which one, and how high it stands, in parts of the highest."""
        highest = max(self.values) or 1.0
        return [(minute, value / highest) for minute, value in enumerate(self.values) if value]


class Watch:
    """Watches ``sessions``. ``clock`` gives epoch seconds. Safe in threads."""

    def __init__(self, counts: Callable[[], Mapping[str, int]], clock: Callable[[], float] = time) -> None:
        self._counts = counts
        self._clock = clock
        self._lock = Lock()
        self._before = dict(counts())
        self._minutes: deque[_Minute] = deque([_Minute(int(clock() // 60))], maxlen=MINUTES)
        self._live: tuple[float, int] | None = None
        #: Since when it watches, in epoch seconds.
        self.begun = clock()

    def took(self, seconds: float) -> None:
        """Note that a call of the store has taken so long."""
        with self._lock:
            minute = self._now()
            minute.calls += 1
            minute.seconds += seconds

    def live(self, count: Callable[[], int]) -> int:
        """Return how many sessions there are, by ``count``, which is not called too often."""
        until, known = self._live or (0.0, 0)
        if self._clock() >= until:
            begin = perf_counter()
            known = count()
            self._live = self._clock() + max(FRESH, REST * (perf_counter() - begin)), known
        with self._lock:
            self._now().live = known
        return known

    def plots(self) -> list[Plot]:
        """Return the last hour."""
        with self._lock:
            now = self._now()
            self._settle(now)
            minutes = {minute.number: minute for minute in self._minutes}
            hour = [minutes.get(now.number - back, _Minute(0)) for back in reversed(range(MINUTES))]
        live = tuple(float(minute.live or 0) for minute in hour)
        plots = [Plot("Live sessions", f"{now.live or 0:,} now, in all processes", live)]
        for title, names in PLOTS.items():
            values = tuple(float(sum(minute.counts.get(name, 0) for name in names)) for minute in hour)
            plots.append(Plot(title, f"{sum(values):,.0f}, at most {max(values):,.0f} in a minute", values))
        calls = sum(minute.calls for minute in hour)
        mean = tuple(1000 * minute.seconds / minute.calls if minute.calls else 0.0 for minute in hour)
        overall = 1000 * sum(minute.seconds for minute in hour) / calls if calls else 0.0
        words = f"{overall:.2f} ms on average, {max(mean):.2f} ms in the slowest minute, {calls:,} calls"
        return [*plots, Plot("Latency of the store", words, mean)]

    def _now(self) -> _Minute:
        number, last = int(self._clock() // 60), self._minutes[-1]
        if number != last.number:
            self._settle(last)
            last = _Minute(number)
            self._minutes.append(last)
        return last

    def _settle(self, minute: _Minute) -> None:
        """Give ``minute`` what the counts have grown by since they were looked at."""
        counts = dict(self._counts())
        for name, number in counts.items():
            grown = number - self._before.get(name, 0)
            if grown:
                minute.counts[name] = minute.counts.get(name, 0) + grown
        self._before = counts


_watched: WeakKeyDictionary[Sessions, Watch] = WeakKeyDictionary()


def watch(sessions: Sessions) -> Watch:
    """Return what watches ``sessions``, from the first call on. Its store is timed from then on."""
    found = _watched.get(sessions)
    if found is None:
        found = _watched[sessions] = Watch(sessions.counts)
        if not can(sessions.store, Carried):
            sessions.engine.setup.use(Timed(sessions.store, found))
    return found


class Timed(Forwarding):
    """Tells ``watch`` how long ``inner`` takes for each of the five verbs. Whatever else it can, it can too."""

    def __init__(self, inner: Any, watch: Watch) -> None:
        self.inner = inner
        self._watch = watch

    def __repr__(self) -> str:
        return f"<Timed {self.inner!r}>"

    def __getattr__(self, name: str) -> object:
        if name.startswith("_") or name == "inner":
            raise AttributeError(name)
        found: object = getattr(self.inner, name)
        return found

    def asynchronous(self) -> Timed:
        """Return this store for use under asyncio."""
        return Timed(self.inner.asynchronous() if can(self.inner, AsyncCapable) else self.inner, self._watch)

    def _call(self, verb: str, *arguments: Any) -> Any:
        begin = perf_counter()
        answer = getattr(self.inner, verb)(*arguments)
        if hasattr(answer, "__await__"):
            return self._wait(begin, answer)
        self._watch.took(perf_counter() - begin)
        return answer

    async def _wait(self, begin: float, awaitable: Any) -> Any:
        answer = await awaitable
        self._watch.took(perf_counter() - begin)
        return answer
