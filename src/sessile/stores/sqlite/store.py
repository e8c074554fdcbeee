# The table is that of a store of Node's (layout.py), and how a statement is run, so that the event loop never waits, is
# said in file.py.
"""Keep sessions in an SQLite file: nothing to install, safe for several processes on one machine."""

from __future__ import annotations

import asyncio
import copy
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sessile.dual import Found, Steps, iterate_async, iterate_sync, run_sync, start
from sessile.errors import InvalidOption, StoreUnavailable
from sessile.stores._shared import options
from sessile.stores._shared import url as urls
from sessile.stores._shared.altered import altered
from sessile.stores.base import Answer, Conflict, Missing, Record, Records, Replaced
from sessile.stores.sqlite.file import SqliteFile
from sessile.stores.sqlite.layout import LAYOUTS, fill_in

__all__ = ["SqliteStore"]

#: How many expired rows are removed in one statement: a few milliseconds of holding the write lock.
PRUNE_BATCH = 500

_PAGE_SIZE = 500
_REPLACED, _MISSING = Replaced(), Missing()


class SqliteStore:
    """Keeps records in the SQLite file ``path``, which is made, readable for its owner only, if there is none.

    ``layout`` names the package of Node whose table it is: ``"connect-sqlite3"``, ``"better-sqlite3-session-store"``,
    ``"connect-session-knex"``, ``"connect-session-sequelize"``, ``"connect-typeorm"`` or ``"prisma-session-store"``.
    ``table`` is its name; None: what that package calls it, which is ``sessions`` in the first three.
    ``timeout`` is how long a statement waits for a lock, in seconds, before it raises StoreUnavailable.
    ``prune_every`` is how often, in seconds, expired rows are removed in passing; None leaves it to ``prune()``.
    Several processes on one machine may use the file at once; a network file system is not a place for it.

    >>> store = SqliteStore("/tmp/sessions.db", timeout=1)
    >>> store.close()
    """

    #: A synchronous verb waits for a disk, not for a network.
    is_local = True
    #: For how many seconds Node keeps a session whose cookie has no end: a day, in each of the three layouts.
    default_life = 86_400.0

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        table: str | None = None,
        layout: str = "connect-sqlite3",
        timeout: float = 5.0,
        prune_every: float | None = 300.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        name = os.fspath(path)
        if not name or name == ":memory:" or "\0" in name:
            raise InvalidOption("path", f"{name!r} is no file", 'For sessions in memory use store="memory://".')
        # A program may change its folder later on.
        self._path = Path(name).absolute()
        if self._path.is_dir() or not self._path.parent.is_dir():
            raise InvalidOption("path", f"{name!r} is not a file in an existing folder", "Make the folder first.")
        if layout not in LAYOUTS:
            raise InvalidOption("layout", f"{layout!r} is unknown", f"Use one of: {', '.join(map(repr, LAYOUTS))}.")
        timeout = options.seconds("timeout", timeout, 5, most=3600)
        self._prune_every = options.seconds_or_none("prune_every", prune_every, 300)
        self._clock = clock
        self._prune_at = clock() + (prune_every or 0)
        self._layout = LAYOUTS[layout]
        table = self._layout.table if table is None else table
        self._statements, schema = fill_in(self._layout, table)
        self._of_index, schema_of_index = fill_in(self._layout, f"{table}_index")
        self._file = SqliteFile(self._path, schema + schema_of_index, timeout)

    def __repr__(self) -> str:
        return f"<SqliteStore {self._path.name}>"

    def asynchronous(self) -> SqliteStore:
        """Return this store for use under asyncio: its verbs may return awaitables, and never wait on the loop."""
        other = copy.copy(self)
        other.__class__ = _UnderAsyncio
        return other

    def index(self) -> SqliteStore:
        """Return the store of the index: another table of the file."""
        return altered(self, _statements=self._of_index)

    def load(self, sid: str) -> Answer[Record | None]:
        return self._drive(self._load(_key(sid)))

    def create(self, sid: str, payload: bytes, ttl: float) -> Answer[bool]:
        return self._drive(self._create(_key(sid), payload, ttl))

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Answer[Replaced | Conflict | Missing]:
        return self._drive(self._replace(_key(sid), payload, ttl, expected))

    def touch(self, sid: str, ttl: float) -> Answer[bool]:
        return self._drive(self._touch(_key(sid), ttl))

    def delete(self, sid: str) -> Answer[bool]:
        return self._drive(self._delete(_key(sid)))

    def all(self) -> Records:
        """Yield each sid with its record, a page of rows at a time; no lock is held in between."""
        return iterate_sync(self._all())

    def count(self) -> Answer[int]:
        return self._drive(self._count())

    def clear(self) -> Answer[None]:
        return self._drive(self._clear())

    def prune(self) -> Answer[int]:
        return self._drive(self._prune())

    def close(self) -> Answer[None]:
        """Close the file. It is opened again when it is needed."""
        self._file.close()
        return None

    # How the bodies below are run; _UnderAsyncio does it otherwise.

    def _drive(self, steps: Steps[Any]) -> Any:
        return run_sync(steps)

    def _run(self, verb: str, *arguments: Any) -> Any:
        """Run a statement that is over in no time."""
        return self._file.execute(self._statements[verb], *arguments)

    def _run_apart(self, verb: str, *arguments: Any) -> Any:
        """Run a statement that may take its time."""
        return self._file.execute(self._statements[verb], *arguments)

    def _in_passing(self, call: Callable[..., None], *arguments: Any) -> None:
        call(*arguments)

    def _load(self, key: bytes) -> Steps[Record | None]:
        rows, _ = yield self._run("load", key, self._layout.moment(self._clock()))
        return Record(rows[0][0], self._layout.seconds(rows[0][1])) if rows else None

    def _create(self, key: bytes, payload: bytes, ttl: float) -> Steps[bool]:
        now = self._clock()
        moment = self._layout.moment
        _, created = yield self._run("create", key, moment(now + ttl), payload, moment(now))
        if self._prune_every is not None and now >= self._prune_at:
            self._prune_at = now + self._prune_every
            self._in_passing(self._sweep, now)
        return bool(created)

    def _replace(self, key: bytes, payload: bytes, ttl: float, expected: bytes) -> Steps[Replaced | Conflict | Missing]:
        now = self._clock()
        end, at = self._layout.moment(now + ttl), self._layout.moment(now)
        _, replaced = yield self._run("replace", end, payload, key, at, expected)
        if replaced:
            return _REPLACED
        rows, _ = yield self._run("load", key, at)
        return Conflict(rows[0][0]) if rows else _MISSING

    def _touch(self, key: bytes, ttl: float) -> Steps[bool]:
        now = self._clock()
        _, touched = yield self._run("touch", self._layout.moment(now + ttl), key, self._layout.moment(now))
        return bool(touched)

    def _delete(self, key: bytes) -> Steps[bool]:
        rows, _ = yield self._run("delete", key, self._layout.moment(self._clock()))
        return bool(rows and rows[0][0])

    def _all(self) -> Steps[None]:
        last: bytes | None = None
        while True:
            records, last = yield from self._page(last)
            yield Found(records)
            if last is None:
                return

    def _page(self, last: bytes | None) -> Steps[tuple[list[tuple[str, Record]], bytes | None]]:
        """Return the live records after the sid ``last``, and the sid to go on from; None if that was the end."""
        page = ("first page", b"") if last is None else ("page", last)
        rows, _ = yield self._run_apart(*page, self._layout.moment(self._clock()), _PAGE_SIZE)
        records = []
        for key, payload, end in rows:
            with suppress(UnicodeDecodeError):
                records.append((key.decode("utf-8", "surrogatepass"), Record(payload, self._layout.seconds(end))))
        return records, rows[-1][0] if len(rows) == _PAGE_SIZE else None

    def _count(self) -> Steps[int]:
        rows, _ = yield self._run_apart("count", self._layout.moment(self._clock()))
        return int(rows[0][0])

    def _clear(self) -> Steps[None]:
        yield self._run_apart("clear")

    def _prune(self) -> Steps[int]:
        total, removed = 0, PRUNE_BATCH
        while removed == PRUNE_BATCH:
            _, removed = yield self._run_apart("prune", self._layout.moment(self._clock()), PRUNE_BATCH)
            total += removed
        return total

    def _sweep(self, now: float) -> None:
        # The request that is served at this moment has what it asked for: it does not matter if this fails.
        with suppress(StoreUnavailable):
            _, removed = self._file.execute(self._statements["prune"], self._layout.moment(now), PRUNE_BATCH)
            if removed == PRUNE_BATCH:
                self._prune_at = now


class _UnderAsyncio(SqliteStore):
    def _drive(self, steps: Steps[Any]) -> Any:
        return start(steps)

    def _run(self, verb: str, *arguments: Any) -> Any:
        return self._file.execute_inline(self._statements[verb], *arguments)

    def _run_apart(self, verb: str, *arguments: Any) -> Any:
        return self._file.execute_apart(self._statements[verb], *arguments)

    def _in_passing(self, call: Callable[..., None], *arguments: Any) -> None:
        self._file.submit(call, *arguments)

    def all(self) -> Records:
        return iterate_async(self._all())

    def close(self) -> Answer[None]:
        return asyncio.to_thread(self._file.close)


def _key(sid: str) -> bytes:
    # A sid is any text, and a lone surrogate has no UTF-8.
    return sid.encode("utf-8", "surrogatepass")


def from_url(url: str, clock: Callable[[], float]) -> SqliteStore:
    """Return the store of ``sqlite:///relative.db`` or ``sqlite:////absolute.db?table=sessions&timeout=5``."""
    parts = urlsplit(url)
    if parts.netloc or not parts.path.strip("/"):
        raise InvalidOption("store", "its URL names no file", 'Use "sqlite:///sessions.db" (three slashes).')
    found = urls.options(url, table=str, layout=str, timeout=urls.number)
    return SqliteStore(unquote(parts.path[1:]), **found, clock=clock)
