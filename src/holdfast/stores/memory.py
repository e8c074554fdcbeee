# Records are filed in groups by the second in which they end, and a heap holds those seconds. So adding is O(1),
# expiring is O(what expired), and nothing ever scans all records. A group is gone when its last record is; its second
# stays in the heap until it comes, or until there are more such seconds than groups, and the heap is built anew. So
# memory stays proportional to the number of records, however they come and go.
"""Keep sessions in this process: for tests, development and single-process servers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from threading import Lock
from typing import Literal

from holdfast.errors import InvalidOption, StoreUnavailable
from holdfast.stores import options
from holdfast.stores import url as urls
from holdfast.stores.base import Conflict, Missing, Record, Replaced
from holdfast.stores.processes import ProcessLocalWarning, warn_of_processes

__all__ = ["MemoryStore", "ProcessLocalWarning"]

#: How many expired records one ``create`` removes at most, so that no request pays for a million that ended at once.
EXPIRE_BATCH = 100

#: Seconds that hold no record are kept in the heap up to this number, and up to the number of those that do.
SPARE_SECONDS = 100

_REPLACED, _MISSING = Replaced(), Missing()


class MemoryStore:
    """Keeps up to ``max_sessions`` records in this process; they are gone when it ends.

    At the limit, ``full="evict"`` removes a record of those that end first, to the second: the one that was idle
    longest if all live equally long. ``full="refuse"`` raises StoreUnavailable for new sessions and keeps the old
    ones. Thread-safe. Never scans all its records to store or expire one.
    """

    def __init__(
        self,
        *,
        max_sessions: int = 100_000,
        full: Literal["evict", "refuse"] = "evict",
        clock: Callable[[], float] = time.time,
    ) -> None:
        if full not in ("evict", "refuse"):
            raise InvalidOption("full", f"{full!r} is unknown", 'Use "evict" or "refuse".')
        self._max = options.whole_number("max_sessions", max_sessions, 100_000)
        self._evicts = full == "evict"
        self._clock = clock
        self._lock = Lock()
        self._index: MemoryStore | None = None
        self._empty()

    def _empty(self) -> None:
        self._records: dict[str, Record] = {}
        self._groups: dict[int, set[str]] = {}
        self._seconds: list[int] = []

    def __repr__(self) -> str:
        return f"<MemoryStore {len(self._records)} of {self._max}>"

    def load(self, sid: str) -> Record | None:
        record = self._records.get(sid)
        return None if record is None or record.expires_at <= self._clock() else record

    def create(self, sid: str, payload: bytes, ttl: float) -> bool:
        warn_of_processes()
        now = self._clock()
        with self._lock:
            self._expire(now, EXPIRE_BATCH)
            record = self._records.get(sid)
            if record is not None:
                if record.expires_at > now:
                    return False
                self._remove(sid, record)
            if ttl > 0:
                if len(self._records) >= self._max:
                    self._make_room(now)
                self._add(sid, Record(payload, now + ttl))
        return True

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Replaced | Conflict | Missing:
        now = self._clock()
        with self._lock:
            record = self._records.get(sid)
            if record is None or record.expires_at <= now:
                return _MISSING
            if record.payload != expected:
                return Conflict(record.payload)
            self._put(sid, record, Record(payload, now + ttl))
        return _REPLACED

    def touch(self, sid: str, ttl: float) -> bool:
        now = self._clock()
        with self._lock:
            record = self._records.get(sid)
            if record is None or record.expires_at <= now:
                return False
            self._put(sid, record, Record(record.payload, now + ttl))
        return True

    def delete(self, sid: str) -> bool:
        with self._lock:
            record = self._records.get(sid)
            if record is None:
                return False
            self._remove(sid, record)
        return record.expires_at > self._clock()

    def index(self) -> MemoryStore:
        """Return the store of the index, which has a limit of its own, as large as this one's."""
        with self._lock:
            if self._index is None:
                self._index = MemoryStore(
                    max_sessions=self._max, full="evict" if self._evicts else "refuse", clock=self._clock
                )
        return self._index

    def all(self) -> Iterator[tuple[str, Record]]:
        """Yield what was there when the iteration began, and is there still."""
        with self._lock:
            sids = list(self._records)
        for sid in sids:
            record = self.load(sid)
            if record is not None:
                yield sid, record

    def count(self) -> int:
        self.prune()
        return len(self._records)

    def clear(self) -> None:
        with self._lock:
            self._empty()

    def prune(self) -> int:
        now = self._clock()
        removed = batch = self._prune_batch(now)
        while batch:
            batch = self._prune_batch(now)
            removed += batch
        return removed

    def _prune_batch(self, now: float) -> int:
        with self._lock:
            return self._expire(now, EXPIRE_BATCH) or self._expire_this_second(now)

    def _add(self, sid: str, record: Record) -> None:
        self._records[sid] = record
        second = _second(record)
        group = self._groups.get(second)
        if group is None:
            self._groups[second] = {sid}
            heappush(self._seconds, second)
        else:
            group.add(sid)

    def _remove(self, sid: str, record: Record) -> None:
        del self._records[sid]
        second = _second(record)
        group = self._groups[second]
        group.remove(sid)
        if not group:
            self._close_group(second)

    def _close_group(self, second: int) -> None:
        del self._groups[second]
        if len(self._seconds) > 2 * len(self._groups) + SPARE_SECONDS:
            self._seconds = list(self._groups)
            heapify(self._seconds)

    def _put(self, sid: str, old: Record, new: Record) -> None:
        if _second(old) == _second(new):
            self._records[sid] = new
        else:
            self._remove(sid, old)
            self._add(sid, new)

    def _expire(self, now: float, limit: int) -> int:
        """Remove up to ``limit`` records of seconds that are over. Return how many."""
        removed = 0
        while removed < limit and self._seconds and self._seconds[0] < int(now):
            removed += self._take_first()
        return removed

    def _expire_this_second(self, now: float) -> int:
        """Remove the records that have ended in the second that has begun. Return how many."""
        sids = self._groups.get(int(now), ())
        ended = [(sid, record) for sid in sids if (record := self._records[sid]).expires_at <= now]
        for sid, record in ended:
            self._remove(sid, record)
        return len(ended)

    def _make_room(self, now: float) -> None:
        if self._evicts:
            while len(self._records) >= self._max:
                self._take_first()
        elif not self._expire_this_second(now):
            raise StoreUnavailable(f"the memory store is full: it holds max_sessions={self._max} live sessions")

    def _take_first(self) -> int:
        """Remove one record of the first second, if that second has any. Return how many."""
        second = self._seconds[0]
        group = self._groups.get(second)
        if group is None:
            heappop(self._seconds)
            return 0
        del self._records[group.pop()]
        if not group:
            self._close_group(second)
        return 1


def _second(record: Record) -> int:
    return int(min(record.expires_at, 1e15))


def from_url(url: str, clock: Callable[[], float]) -> MemoryStore:
    """Return the store for ``memory://`` or ``memory://?max_sessions=1000&full=refuse``."""
    return MemoryStore(**urls.options(url, max_sessions=urls.whole_number, full=str), clock=clock)
