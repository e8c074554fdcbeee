# What stands in a file is said in layout.py, how it gets there in folder.py. Reading takes no lock. A change
# looks and writes while it holds the lock of the folder, for one or two tenths of a millisecond. Under asyncio both are
# done inline, and whatever looks at all files in a thread.
"""Keep sessions in files, one each, for those who want to look at them: the layout of Node's session-file-store."""

from __future__ import annotations

import asyncio
import copy
import math
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from sessile.dual import Found, Steps, iterate_async, iterate_sync, run_sync, start
from sessile.errors import InvalidOption, StoreUnavailable
from sessile.stores._shared import options
from sessile.stores._shared import url as urls
from sessile.stores._shared.altered import altered
from sessile.stores.base import Answer, Conflict, Missing, Record, Records, Replaced
from sessile.stores.file.folder import Folder, outages
from sessile.stores.file.layout import compose, encrypted_by_node, is_name, name_of, parse

__all__ = ["FileStore"]

#: How many files are read in one trip to a thread while all are listed.
PAGE_SIZE = 100

#: JavaScript is exact up to here. In milliseconds it is the year 287396.
LAST_MOMENT = 2.0**53

_REPLACED, _MISSING = Replaced(), Missing()


class FileStore:
    """Keeps each record in a file of the folder ``path``, which is made, for its owner only, if there is none.

    ``ttl`` is what the option of that name of session-file-store is set to, in seconds; its default is 3600. Both
    reckon with it where a cookie has no end, so let it be the same on both sides. It limits no life here.
    ``timeout`` is how long a write waits for the lock of the folder, in seconds, before it raises StoreUnavailable.
    ``prune_every`` is how often, in seconds, expired files are removed in the background; None leaves it to
    ``prune()``.

    Several processes on one machine may use the folder at once. A write survives the end of its process, however that
    comes, but is not forced to the disk: a power cut may take the latest ones. Node's store takes no lock: of what it
    writes in the instant between our look at a file and our write, nothing is left, and what it destroys in that
    instant comes back; and the other way round. Needs POSIX, for flock, and a file system that tells ``a`` from ``A``
    if your own ``genid`` makes ids that differ in no more than that.

    >>> def make():
    ...     return FileStore("/var/lib/shop/sessions")
    """

    #: A synchronous verb waits for a disk, not for a network.
    is_local = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        ttl: float = 3600,
        timeout: float = 5.0,
        prune_every: float | None = 3600.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ttl = int(options.seconds("ttl", ttl, 3600, least=0.001, most=1e10) * 1000)
        #: For how many seconds Node keeps a session whose cookie has no end.
        self.default_life = self._ttl / 1000
        timeout = options.seconds("timeout", timeout, 5, most=3600)
        self._prune_every = options.seconds_or_none("prune_every", prune_every, 3600)
        self._folder = Folder(os.fspath(path), ".json", timeout)
        self._clock = clock
        self._prune_at = clock() + (prune_every or 0)

    def __repr__(self) -> str:
        return f"<FileStore {os.path.basename(self._folder.path)}>"

    def asynchronous(self) -> FileStore:
        """Return this store for use under asyncio: its verbs may return awaitables, and never wait on the loop."""
        other = copy.copy(self)
        other.__class__ = _UnderAsyncio
        return other

    def index(self) -> FileStore:
        """Return the store of the index: a folder within this one."""
        return altered(self, _folder=self._folder.within("index"))

    def load(self, sid: str) -> Record | None:
        with outages("load"):
            return self._live(sid)

    def create(self, sid: str, payload: bytes, ttl: float) -> Answer[bool]:
        self._prune_in_passing()
        return self._alone("create", self._create, sid, payload, ttl)

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Answer[Replaced | Conflict | Missing]:
        return self._alone("replace", self._replace, sid, payload, ttl, expected)

    def touch(self, sid: str, ttl: float) -> Answer[bool]:
        return self._alone("touch", self._touch, sid, ttl)

    def delete(self, sid: str) -> Answer[bool]:
        return self._alone("delete", self._delete, sid)

    def all(self) -> Records:
        """Yield each sid with its record. The files are read a page at a time, without a lock."""
        return iterate_sync(self._all())

    def count(self) -> Answer[int]:
        return sum(len(self._page([name])) for name in self._names("count"))

    def clear(self) -> Answer[None]:
        """Remove all records, and what a killed process has left. Whatever else is in the folder stays there."""
        self._remove("clear", lambda record: True)
        run_sync(self._folder.alone(time.sleep, "clear", self._folder.tidy))
        return None

    def prune(self) -> Answer[int]:
        return self._remove("prune", lambda record: record.expires_at <= self._clock())

    def _alone(self, operation: str, work: Callable[..., Any], *arguments: Any) -> Any:
        return run_sync(self._folder.alone(time.sleep, operation, work, *arguments))

    # What is alone in the folder while it runs.

    def _create(self, sid: str, payload: bytes, ttl: float) -> bool:
        if self._live(sid) is not None:
            return False
        self._write(sid, payload, ttl)
        return True

    def _replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Replaced | Conflict | Missing:
        record = self._live(sid)
        if record is None:
            return _MISSING
        if record.payload != expected:
            return Conflict(record.payload)
        self._write(sid, payload, ttl)
        return _REPLACED

    def _touch(self, sid: str, ttl: float) -> bool:
        record = self._live(sid)
        if record is None:
            return False
        self._write(sid, record.payload, ttl)
        return True

    def _delete(self, sid: str) -> bool:
        was_live = self._live(sid) is not None
        self._folder.remove(name_of(sid))
        return was_live

    def _remove_one(self, name: str, doomed: Callable[[Record], bool]) -> bool:
        found = self._read(name)
        if found is None or not doomed(found[1]):
            return False
        self._folder.remove(name)
        return True

    def _write(self, sid: str, payload: bytes, ttl: float) -> None:
        end = min((self._clock() + ttl) * 1000, LAST_MOMENT)
        # A life is never rounded down to nothing. (A float of this size is off by less than a hundredth.)
        whole = math.ceil(round(end, 2)) if ttl > 0 else math.floor(end)
        self._folder.write(name_of(sid), compose(sid, payload, whole, self._ttl))

    # What needs no lock, or looks at all files.

    def _apart(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Run what may take its time."""
        return work(*arguments)

    def _all(self) -> Steps[None]:
        names = yield self._apart(self._names)
        for first in range(0, len(names), PAGE_SIZE):
            yield Found((yield self._apart(self._page, names[first : first + PAGE_SIZE])))

    def _read(self, name: str) -> tuple[str, Record] | None:
        content = self._folder.read(name)
        if content is None:
            return None
        found = parse(name, content, self._ttl)
        encrypted = encrypted_by_node(name, content) if found is None else None
        if encrypted is not None:
            # Its end stands inside. Node writes a file with each visit, so this is its rule for a cookie without one.
            found = name, Record(encrypted, self._folder.written_at(name) + self._ttl / 1000)
        return found

    def _live(self, sid: str) -> Record | None:
        found = self._read(name_of(sid))
        return found[1] if found and found[1].expires_at > self._clock() else None

    def _names(self, operation: str = "all") -> list[str]:
        with outages(operation):
            return [name for name in self._folder.names() if is_name(name)]

    def _page(self, names: list[str]) -> list[tuple[str, Record]]:
        """Return what these files hold that is live."""
        with outages("all"):
            found = [self._read(name) for name in names]
        now = self._clock()
        return [item for item in found if item and item[1].expires_at > now]

    def _remove(self, operation: str, doomed: Callable[[Record], bool]) -> int:
        """Remove one file after the other, so that nobody waits for more than one. Return how many."""
        removed = 0
        for name in self._names(operation):
            with outages(operation):
                found = self._read(name)
            if found and doomed(found[1]):
                removed += run_sync(self._folder.alone(time.sleep, operation, self._remove_one, name, doomed))
        return removed

    def _prune_in_passing(self) -> None:
        # In a thread, for there may be many files, and whoever is served at this moment has not come for that.
        now = self._clock()
        if self._prune_every is not None and now >= self._prune_at:
            self._prune_at = now + self._prune_every
            with suppress(RuntimeError):  # No thread is to be had.
                threading.Thread(target=self._prune_quietly, name="sessile-prune", daemon=True).start()

    def _prune_quietly(self) -> None:
        with suppress(StoreUnavailable):
            FileStore.prune(self)


class _UnderAsyncio(FileStore):
    def _alone(self, operation: str, work: Callable[..., Any], *arguments: Any) -> Any:
        return start(self._folder.alone(asyncio.sleep, operation, work, *arguments))

    def _apart(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return asyncio.to_thread(work, *arguments)

    def all(self) -> Records:
        return iterate_async(self._all())

    def count(self) -> Answer[int]:
        return cast("Answer[int]", asyncio.to_thread(super().count))

    def clear(self) -> Answer[None]:
        return cast("Answer[None]", asyncio.to_thread(super().clear))

    def prune(self) -> Answer[int]:
        return cast("Answer[int]", asyncio.to_thread(super().prune))


def from_url(url: str, clock: Callable[[], float]) -> FileStore:
    """Return the store of ``file:///relative/folder`` or ``file:////absolute/folder?ttl=86400&timeout=5``."""
    parts = urlsplit(url)
    if parts.netloc or not parts.path.strip("/"):
        raise InvalidOption("store", "its URL names no folder", 'Use "file:///sessions" (three slashes).')
    return FileStore(unquote(parts.path[1:]), **urls.options(url, ttl=urls.number, timeout=urls.number), clock=clock)
