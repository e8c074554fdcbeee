# Records are filed in groups by the second in which they end, and a heap holds those seconds. So adding is O(1),
# expiring is O(what expired), and nothing ever scans all records. A group is gone when its last record is; its second
# stays in the heap until it comes, or until there are more such seconds than groups, and the heap is built anew. So
# memory stays proportional to the number of records, however they come and go.
#
# There are two such files: of the sessions that the index names, which are those of users, and of all others. Anybody
# can begin sessions, so where there is no room for one more, one of the others goes.
"""Keep sessions in this process: for tests, development and single-process servers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from heapq import heapify, heappop, heappush
from threading import Lock
from typing import Literal

import msgspec

from sessile.errors import InvalidOption, StoreUnavailable
from sessile.stores._shared import options
from sessile.stores._shared import url as urls
from sessile.stores._shared.processes import ProcessLocalWarning, warn_of_processes
from sessile.stores.base import Conflict, Missing, Record, Replaced

__all__ = ["MemoryStore", "ProcessLocalWarning"]

#: How many expired records one ``create`` removes at most, so that no request pays for a million that ended at once.
EXPIRE_BATCH = 100

#: Seconds that hold no record are kept in the heap up to this number, and up to the number of those that do.
SPARE_SECONDS = 100


class _Names(msgspec.Struct):
    """What the record of an index names: the keys are ids, as they stand in the store."""

    sessions: dict[str, msgspec.Raw] = {}


_decoder = msgspec.json.Decoder(_Names)

_REPLACED, _MISSING = Replaced(), Missing()


class MemoryStore:
    """Keeps up to ``max_sessions`` records in this process; they are gone when it ends.

    At the limit, ``full="evict"`` removes a record of those that end first, to the second: the one that was idle
    longest if all live equally long. Sessions of users, which the index of this store names, go only when there are no
    others, so a stranger who begins many sessions logs nobody out. ``full="refuse"`` raises StoreUnavailable for new
    sessions and keeps the old ones. Thread-safe. Never scans all its records to store or expire one.

    >>> store = MemoryStore(max_sessions=10_000)
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
        self._index: _Index | None = None
        self._empty()

    def _empty(self) -> None:
        self._records: dict[str, Record] = {}
        self._strangers, self._users = _Ends(), _Ends()
        #: The ids that are filed with the users'.
        self._of_users: set[str] = set()

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
                self._index = _Index(
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

    def _ends_of(self, sid: str) -> _Ends:
        return self._users if sid in self._of_users else self._strangers

    def _add(self, sid: str, record: Record) -> None:
        self._records[sid] = record
        if self._index is not None and self._index.names(sid):
            self._of_users.add(sid)
        self._ends_of(sid).add(sid, _second(record))

    def _remove(self, sid: str, record: Record) -> None:
        self._ends_of(sid).remove(sid, _second(record))
        self._forget(sid)

    def _forget(self, sid: str) -> None:
        del self._records[sid]
        self._of_users.discard(sid)

    def _put(self, sid: str, old: Record, new: Record) -> None:
        if _second(old) == _second(new):
            self._records[sid] = new
        else:
            self._remove(sid, old)
            self._add(sid, new)

    def _expire(self, now: float, limit: int) -> int:
        """Remove up to ``limit`` records of seconds that are over. Return how many."""
        removed = 0
        for ends in (self._strangers, self._users):
            while removed < limit and (sid := ends.take(before=int(now))) is not None:
                self._forget(sid)
                removed += 1
        return removed

    def _expire_this_second(self, now: float) -> int:
        """Remove the records that have ended in the second that has begun. Return how many."""
        sids = [*self._strangers.of(int(now)), *self._users.of(int(now))]
        ended = [(sid, record) for sid in sids if (record := self._records[sid]).expires_at <= now]
        for sid, record in ended:
            self._remove(sid, record)
        return len(ended)

    def _make_room(self, now: float) -> None:
        if self._evicts:
            while len(self._records) >= self._max:
                sid = self._strangers.take() or self._users.take()
                if sid is None:
                    return
                self._forget(sid)
        elif not self._expire_this_second(now):
            raise StoreUnavailable(f"the memory store is full: it holds max_sessions={self._max} live sessions")


class _Index(MemoryStore):
    """The index of a store, which knows what its records name."""

    def _empty(self) -> None:
        super()._empty()
        self._named: Counter[str] = Counter()

    def names(self, sid: str) -> bool:
        """Tell whether a record names ``sid``. What is written in the form of a codec names nothing."""
        return sid in self._named

    def _add(self, sid: str, record: Record) -> None:
        super()._add(sid, record)
        self._named.update(_names_in(record))

    def _forget(self, sid: str) -> None:
        gone = self._records[sid]
        super()._forget(sid)
        self._leave(gone)

    def _put(self, sid: str, old: Record, new: Record) -> None:
        if _second(old) == _second(new):
            self._named.update(_names_in(new))
            self._leave(old)
        super()._put(sid, old, new)

    def _leave(self, record: Record) -> None:
        for name in _names_in(record):
            self._named[name] -= 1
            if not self._named[name]:
                del self._named[name]


class _Ends:
    """Files ids by the second in which their records end."""

    __slots__ = ("_groups", "_seconds")

    def __init__(self) -> None:
        self._groups: dict[int, set[str]] = {}
        self._seconds: list[int] = []

    def add(self, sid: str, second: int) -> None:
        """File ``sid``."""
        group = self._groups.get(second)
        if group is None:
            self._groups[second] = {sid}
            heappush(self._seconds, second)
        else:
            group.add(sid)

    def remove(self, sid: str, second: int) -> None:
        """Take ``sid`` out."""
        group = self._groups[second]
        group.remove(sid)
        if not group:
            self._close(second)

    def of(self, second: int) -> Iterable[str]:
        """Return the ids that end in ``second``."""
        return self._groups.get(second, ())

    def take(self, before: float = float("inf")) -> str | None:
        """Take an id out of those that end first, if that is in a second below ``before``. Return None if none does."""
        while self._seconds and self._seconds[0] < before:
            second = self._seconds[0]
            group = self._groups.get(second)
            if group is None:
                heappop(self._seconds)
                continue
            sid = group.pop()
            if not group:
                self._close(second)
            return sid
        return None

    def _close(self, second: int) -> None:
        del self._groups[second]
        if len(self._seconds) > 2 * len(self._groups) + SPARE_SECONDS:
            self._seconds = list(self._groups)
            heapify(self._seconds)


def _names_in(record: Record) -> Iterable[str]:
    try:
        return list(_decoder.decode(record.payload).sessions)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ()


def _second(record: Record) -> int:
    return int(min(record.expires_at, 1e15))


def from_url(url: str, clock: Callable[[], float]) -> MemoryStore:
    """Return the store for ``memory://`` or ``memory://?max_sessions=1000&full=refuse``."""
    return MemoryStore(**urls.options(url, max_sessions=urls.whole_number, full=str), clock=clock)
