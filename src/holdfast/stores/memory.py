# Records are filed in groups by the second in which they end, and a heap holds those seconds. So adding is O(1),
# expiring is O(what expired), and nothing ever scans all records. Touching a record leaves it where it is filed: it
# is filed anew when that second comes. So each record is filed once, never later than it ends, and memory stays
# proportional to the number of records.
"""Keep sessions in this process: for tests, development and single-process servers."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from threading import Lock
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import msgspec

from holdfast.errors import InvalidOption, StoreUnavailable
from holdfast.stores.base import Conflict, Missing, Record, Replaced

__all__ = ["MemoryStore", "ProcessLocalWarning"]

_REPLACED, _MISSING = Replaced(), Missing()


class ProcessLocalWarning(UserWarning):
    """Says that several processes serve one site, and each would remember other sessions."""


class MemoryStore:
    """Keeps up to ``max_sessions`` records in this process; they are gone when it ends.

    At the limit, ``full="evict"`` removes the record that would end first, which is the one that was idle longest if
    all live equally long; ``full="refuse"`` raises StoreUnavailable for new sessions and keeps the old ones.
    Thread-safe. Never scans all its records to store or expire one.
    """

    def __init__(
        self,
        *,
        max_sessions: int = 100_000,
        full: Literal["evict", "refuse"] = "evict",
        clock: Callable[[], float] = time.time,
    ) -> None:
        if isinstance(max_sessions, bool) or not isinstance(max_sessions, int) or max_sessions < 1:
            raise InvalidOption("max_sessions", f"{max_sessions!r} is not a positive int", "The default is 100000.")
        if full not in ("evict", "refuse"):
            raise InvalidOption("full", f"{full!r} is unknown", 'Use "evict" or "refuse".')
        self._max = max_sessions
        self._evicts = full == "evict"
        self._clock = clock
        self._lock = Lock()
        self._empty()

    def _empty(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._groups: dict[int, set[str]] = {}
        self._seconds: list[int] = []

    def __repr__(self) -> str:
        return f"<MemoryStore {len(self._entries)} of {self._max}>"

    def load(self, sid: str) -> Record | None:
        entry = self._entries.get(sid)
        if entry is None or entry.expires_at <= self._clock():
            return None
        return Record(entry.payload, entry.expires_at)

    def create(self, sid: str, payload: bytes, ttl: float) -> bool:
        _warn_of_processes()
        now = self._clock()
        with self._lock:
            self._expire(now)
            if sid in self._entries:
                return False
            if ttl <= 0:
                return True
            if len(self._entries) >= self._max:
                self._make_room()
            entry = self._entries[sid] = _Entry(payload, now + ttl, 0)
            self._file(sid, entry, entry.expires_at)
        return True

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Replaced | Conflict | Missing:
        now = self._clock()
        with self._lock:
            entry = self._entries.get(sid)
            if entry is None or entry.expires_at <= now:
                return _MISSING
            if entry.payload != expected:
                return Conflict(entry.payload)
            entry.payload = payload
            self._move(sid, entry, now + ttl)
        return _REPLACED

    def touch(self, sid: str, ttl: float) -> bool:
        now = self._clock()
        with self._lock:
            entry = self._entries.get(sid)
            if entry is None or entry.expires_at <= now:
                return False
            self._move(sid, entry, now + ttl)
        return True

    def delete(self, sid: str) -> bool:
        with self._lock:
            entry = self._entries.pop(sid, None)
            if entry is None:
                return False
            self._groups[entry.second].discard(sid)
            return entry.expires_at > self._clock()

    def all(self) -> Iterator[tuple[str, Record]]:
        """Yield what was there when the iteration began, and is there still."""
        with self._lock:
            sids = list(self._entries)
        for sid in sids:
            record = self.load(sid)
            if record is not None:
                yield sid, record

    def count(self) -> int:
        self.prune()
        return len(self._entries)

    def clear(self) -> None:
        with self._lock:
            self._empty()

    def prune(self) -> int:
        with self._lock:
            return self._expire(self._clock())

    def _move(self, sid: str, entry: _Entry, expires_at: float) -> None:
        entry.expires_at = expires_at
        if expires_at < entry.second:
            self._groups[entry.second].discard(sid)
            self._file(sid, entry, expires_at)

    def _file(self, sid: str, entry: _Entry, moment: float) -> None:
        entry.second = second = int(moment)
        group = self._groups.get(second)
        if group is None:
            self._groups[second] = {sid}
            heappush(self._seconds, second)
        else:
            group.add(sid)

    def _expire(self, now: float) -> int:
        removed = 0
        while self._seconds and self._seconds[0] <= now:
            for sid in self._groups.pop(heappop(self._seconds)):
                entry = self._entries[sid]
                if entry.expires_at <= now:
                    del self._entries[sid]
                    removed += 1
                else:
                    self._file(sid, entry, max(entry.expires_at, now + 1))
        return removed

    def _make_room(self) -> None:
        if not self._evicts:
            raise StoreUnavailable(f"the memory store is full: it holds max_sessions={self._max} live sessions")
        while len(self._entries) >= self._max:
            second = self._seconds[0]
            group = self._groups[second]
            if not group:
                del self._groups[heappop(self._seconds)]
                continue
            sid = group.pop()
            entry = self._entries[sid]
            if int(entry.expires_at) > second:
                self._file(sid, entry, entry.expires_at)
            else:
                del self._entries[sid]


class _Entry(msgspec.Struct, gc=False):
    payload: bytes
    expires_at: float
    second: int


_warned = False


def _warn_of_processes() -> None:
    global _warned
    if _warned:
        return
    _warned = True
    workers = _workers()
    production = any(
        os.environ.get(name, "").lower() in ("production", "prod")
        for name in ("APP_ENV", "ENV", "ENVIRONMENT", "PYTHON_ENV", "FLASK_ENV", "NODE_ENV")
    )
    if workers > 1:
        problem = f"there are {workers} worker processes, and each remembers only the sessions that it made"
    elif production:
        problem = "this is production, and a restart forgets all sessions"
    else:
        return
    warnings.warn(
        f"sessions are kept in memory, but {problem}. Use store='sqlite:///sessions.db' or a server",
        ProcessLocalWarning,
        stacklevel=2,
    )


def _workers() -> int:
    """Return how many worker processes were asked for, as far as the command line and the environment tell."""
    words = sys.argv
    counts = [os.environ.get("WEB_CONCURRENCY", "1")]
    for position, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in ("--workers", "-w"):
            counts.append(value if equals else (words[position + 1] if position + 1 < len(words) else ""))
    return max(int(count) if count.isdecimal() else 1 for count in counts)


def from_url(url: str, clock: Callable[[], float]) -> MemoryStore:
    """Return the store for ``memory://`` or ``memory://?max_sessions=1000&full=refuse``."""
    query = {key: values[-1] for key, values in parse_qs(urlsplit(url).query).items()}
    unknown = set(query) - {"max_sessions", "full"}
    if unknown:
        raise InvalidOption("store", f"memory:// has no option {min(unknown)!r}", "It has max_sessions and full.")
    limit = query.get("max_sessions", "100000")
    if not limit.isdecimal():
        raise InvalidOption("max_sessions", f"{limit!r} is not a positive int", "The default is 100000.")
    return MemoryStore(max_sessions=int(limit), full=query.get("full", "evict"), clock=clock)  # type: ignore[arg-type]
