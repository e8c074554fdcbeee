# The table is connect-sqlite3's: sessions(sid PRIMARY KEY, expired, sess), `expired` in milliseconds as REAL, `sess`
# as TEXT. Of the two layouts that Node applications use it is the one whose expiry is a number, so that it can be
# indexed and compared to our clock; better-sqlite3-session-store keeps text and compares it to SQLite's clock.
#
# Under asyncio a statement runs inline first, with no patience: a read takes 5 us and a write 20 us, a trip to a
# thread 50 us or more (benchmarks/sqlite.py). In WAL mode a reader is never blocked and a writer nearly never. If the
# file is locked all the same, SQLite says so at once, and the statement is run again in a worker thread, with
# patience. So a locked file never stalls the event loop. Moving the WAL into the database file (a checkpoint) waits
# for the disk, so it is taken away from the connections of the loop and done in that thread as well.
"""Keep sessions in an SQLite file: nothing to install, safe for several processes on one machine."""

from __future__ import annotations

import asyncio
import copy
import os
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from weakref import WeakSet

from holdfast.dual import Steps, run_sync, start
from holdfast.errors import InvalidOption, StoreUnavailable
from holdfast.stores.base import Conflict, Missing, Record, Replaced

__all__ = ["SqliteStore"]

#: Written to PRAGMA user_version. 1: the table of connect-sqlite3, and an index on its expiry.
SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS "{table}" (sid PRIMARY KEY, expired, sess);
CREATE INDEX IF NOT EXISTS "{table}_expired" ON "{table}" (expired);
"""

# A payload is bytes for us and TEXT in the table, where Node reads it: the casts convert without looking at it.
_LOAD = 'SELECT CAST(sess AS BLOB), expired FROM "{table}" WHERE sid = ? AND expired > ?'
_CREATE = """
INSERT INTO "{table}" (sid, expired, sess) VALUES (?, ?, CAST(? AS TEXT))
ON CONFLICT (sid) DO UPDATE SET expired = excluded.expired, sess = excluded.sess WHERE expired <= ?
"""
_REPLACE = """
UPDATE "{table}" SET expired = ?, sess = CAST(? AS TEXT)
WHERE sid = ? AND expired > ? AND CAST(sess AS BLOB) = ?
"""
_TOUCH = 'UPDATE "{table}" SET expired = ? WHERE sid = ? AND expired > ?'
_DELETE = 'DELETE FROM "{table}" WHERE sid = ? RETURNING expired > ?'
_COUNT = 'SELECT count(*) FROM "{table}" WHERE expired > ?'
_CLEAR = 'DELETE FROM "{table}"'
_PAGE = """
SELECT sid, CAST(sess AS BLOB), expired FROM "{table}" WHERE sid > ? AND expired > ? ORDER BY sid LIMIT 500
"""
_PRUNE = 'DELETE FROM "{table}" WHERE rowid IN (SELECT rowid FROM "{table}" WHERE expired <= ? LIMIT ?)'

#: How many expired rows are removed in one statement: a few milliseconds of holding the write lock.
PRUNE_BATCH = 500

#: A checkpoint is due after so many writes. SQLite's own default is 1000 pages.
CHECKPOINT_AFTER = 1000

_REPLACED, _MISSING = Replaced(), Missing()
_Rows = tuple[list[tuple[Any, ...]], int]


class SqliteStore:
    """Keeps records in the SQLite file ``path``, which is made, readable for its owner only, if there is none.

    ``timeout`` is how long a statement waits for a lock, in seconds, before it raises StoreUnavailable.
    ``prune_every`` is how often, in seconds, expired rows are removed in passing; None leaves it to ``prune()``.
    Several processes on one machine may use the file at once; a network file system is not a place for it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        table: str = "sessions",
        timeout: float = 5.0,
        prune_every: float | None = 300.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = Path(path)
        if not str(path) or str(path) == ":memory:":
            raise InvalidOption("path", f"{str(path)!r} is no file", 'For sessions in memory use store="memory://".')
        if self._path.is_dir() or not self._path.absolute().parent.is_dir():
            raise InvalidOption("path", f"{str(path)!r} is not a file in an existing folder", "Make the folder first.")
        if not table.replace("_", "").isalnum() or not table.isascii():
            raise InvalidOption("table", f"{table!r} is no plain name", "Use letters, digits and underscores.")
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout < 3600:
            raise InvalidOption("timeout", f"{timeout!r} is no number of seconds", "The default is 5.")
        self._table = table
        self._timeout = timeout
        self._prune_every = prune_every
        self._clock = clock
        self._prune_at = clock() + (prune_every or 0)
        self._file = _File(self._path, table, timeout)
        self._drive: Callable[[Steps[Any]], Any] = run_sync
        self._execute: Callable[..., Any] = self._file.execute

    def __repr__(self) -> str:
        return f"<SqliteStore {self._path.name}>"

    def asynchronous(self) -> SqliteStore:
        """Return this store for use under asyncio: its verbs return awaitables, and never wait on the loop."""
        other = copy.copy(self)
        other._drive = start
        other._execute = self._file.execute_inline
        return other

    def load(self, sid: str) -> Any:
        return self._drive(self._load(sid))

    def create(self, sid: str, payload: bytes, ttl: float) -> Any:
        return self._drive(self._create(sid, payload, ttl))

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Any:
        return self._drive(self._replace(sid, payload, ttl, expected))

    def touch(self, sid: str, ttl: float) -> Any:
        return self._drive(self._touch(sid, ttl))

    def delete(self, sid: str) -> Any:
        return self._drive(self._delete(sid))

    def count(self) -> Any:
        return self._drive(self._count())

    def clear(self) -> Any:
        return self._drive(self._clear())

    def prune(self) -> Any:
        return self._drive(self._prune())

    def all(self) -> Iterator[tuple[str, Record]]:
        """Yield each sid with its record, a page of rows at a time; no lock is held in between."""
        last = ""
        while True:
            rows, _ = self._file.execute(_PAGE.format(table=self._table), (last, self._clock() * 1000))
            for sid, payload, expired in rows:
                if isinstance(sid, str):
                    yield sid, Record(payload or b"", expired / 1000)
            if not rows:
                return
            last = rows[-1][0]

    def close(self) -> None:
        """Close the file. It is opened again when it is needed."""
        self._file.close()

    def _run(self, statement: str, *arguments: Any) -> Any:
        return self._execute(statement.format(table=self._table), arguments)

    def _load(self, sid: str) -> Steps[Record | None]:
        rows, _ = yield self._run(_LOAD, _key(sid), self._clock() * 1000)
        return Record(rows[0][0] or b"", float(rows[0][1]) / 1000) if rows else None

    def _create(self, sid: str, payload: bytes, ttl: float) -> Steps[bool]:
        now = self._clock()
        _, created = yield self._run(_CREATE, _key(sid), (now + ttl) * 1000, payload, now * 1000)
        if self._prune_every is not None and now >= self._prune_at:
            _, removed = yield self._run(_PRUNE, now * 1000, PRUNE_BATCH)
            self._prune_at = now if removed == PRUNE_BATCH else now + self._prune_every
        return bool(created)

    def _replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Steps[Replaced | Conflict | Missing]:
        now = self._clock()
        _, replaced = yield self._run(_REPLACE, (now + ttl) * 1000, payload, _key(sid), now * 1000, expected)
        if replaced:
            return _REPLACED
        rows, _ = yield self._run(_LOAD, _key(sid), now * 1000)
        return Conflict(rows[0][0] or b"") if rows else _MISSING

    def _touch(self, sid: str, ttl: float) -> Steps[bool]:
        now = self._clock()
        _, touched = yield self._run(_TOUCH, (now + ttl) * 1000, _key(sid), now * 1000)
        return bool(touched)

    def _delete(self, sid: str) -> Steps[bool]:
        rows, _ = yield self._run(_DELETE, _key(sid), self._clock() * 1000)
        return bool(rows and rows[0][0])

    def _count(self) -> Steps[int]:
        rows, _ = yield self._run(_COUNT, self._clock() * 1000)
        return int(rows[0][0])

    def _clear(self) -> Steps[None]:
        yield self._run(_CLEAR)

    def _prune(self) -> Steps[int]:
        total = 0
        while True:
            _, removed = yield self._run(_PRUNE, self._clock() * 1000, PRUNE_BATCH)
            total += removed
            if removed < PRUNE_BATCH:
                return total


def _key(sid: str) -> str:
    # A lone surrogate has no UTF-8, so SQLite could not hold it; nothing that we signed has one.
    return sid.encode("utf-8", "backslashreplace").decode("utf-8")


class _Connection(sqlite3.Connection):
    """A connection that the file knows of only as long as its thread lives."""


class _File:
    """The connections to one file: one for each thread that waits, one for each event loop's thread that does not."""

    def __init__(self, path: Path, table: str, timeout: float) -> None:
        self._path = path
        self._table = table
        self._timeout = timeout
        self._local = threading.local()
        self._lock = threading.Lock()
        self._open: WeakSet[sqlite3.Connection] = WeakSet()
        self._worker: ThreadPoolExecutor | None = None
        self._generation = 0
        self._writes = 0
        _files.add(self)

    def execute(self, statement: str, arguments: tuple[Any, ...]) -> _Rows:
        """Run a statement in this thread, waiting for locks up to the timeout."""
        try:
            return _fetch(self._connection("patient", self._timeout), statement, arguments)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"SQLite: {type(error).__name__}") from error

    def execute_inline(self, statement: str, arguments: tuple[Any, ...]) -> _Rows | Awaitable[_Rows]:
        """Run a statement on the event loop if that takes no waiting, and in the worker thread if it would."""
        try:
            answer = _fetch(self._connection("impatient", 0), statement, arguments)
        except sqlite3.OperationalError:
            return self._in_worker(self.execute, statement, arguments)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"SQLite: {type(error).__name__}") from error
        if answer[1] > 0:
            self._count_write()
        return answer

    def _count_write(self) -> None:
        self._writes += 1
        if self._writes >= CHECKPOINT_AFTER:
            self._writes = 0
            self._executor().submit(self._checkpoint)

    def _checkpoint(self) -> None:
        try:
            self._connection("patient", self._timeout).execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.Error:
            pass  # The next one moves what this one did not.

    async def _in_worker(self, call: Callable[..., _Rows], *arguments: Any) -> _Rows:
        return await asyncio.get_running_loop().run_in_executor(self._executor(), call, *arguments)

    def _executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._worker is None:
                self._worker = ThreadPoolExecutor(1, thread_name_prefix="holdfast-sqlite")
            return self._worker

    def _connection(self, kind: str, timeout: float) -> sqlite3.Connection:
        local = self._local
        if getattr(local, "generation", None) != self._generation:
            local.__dict__.clear()
            local.generation = self._generation
        connection: sqlite3.Connection | None = getattr(local, kind, None)
        if connection is None:
            connection = self._connect(timeout)
            setattr(local, kind, connection)
        return connection

    def _connect(self, timeout: float) -> sqlite3.Connection:
        if not self._path.exists():
            # Sessions are nobody else's to read; SQLite gives its side files the same mode.
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(
            self._path, timeout=timeout, isolation_level=None, check_same_thread=False, factory=_Connection
        )
        try:
            connection.execute("PRAGMA synchronous = NORMAL")
            if timeout == 0:
                connection.execute("PRAGMA wal_autocheckpoint = 0")
            self._prepare(connection)
        except sqlite3.Error:
            connection.close()
            raise
        with self._lock:
            self._open.add(connection)
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == SCHEMA_VERSION:
            return
        if version > SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"schema version {version} is newer than this holdfast")
        connection.execute("PRAGMA journal_mode = WAL")
        for statement in _SCHEMA.format(table=self._table).strip().splitlines():
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def close(self) -> None:
        """Close all connections, of whatever thread."""
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.shutdown(wait=True)
        with self._lock:
            connections, self._open = list(self._open), WeakSet()
            self._generation += 1
        for connection in connections:
            connection.close()

    def forget(self) -> None:
        """Let go of everything without closing it: after a fork it is the parent's (sqlite.org, howtocorrupt 2.6)."""
        self._lock = threading.Lock()
        _inherited.append((self._local.__dict__.copy(), self._worker))
        self._worker = None
        self._open = WeakSet()
        self._generation += 1


_files: WeakSet[_File] = WeakSet()
_inherited: list[object] = []


def _after_fork() -> None:
    for file in list(_files):
        file.forget()


os.register_at_fork(after_in_child=_after_fork)


def _fetch(connection: sqlite3.Connection, statement: str, arguments: tuple[Any, ...]) -> _Rows:
    cursor = connection.execute(statement, arguments)
    return cursor.fetchall(), cursor.rowcount


def from_url(url: str, clock: Callable[[], float]) -> SqliteStore:
    """Return the store for ``sqlite:///relative.db`` or ``sqlite:////absolute.db``, with ``?table=`` and ``?timeout=``."""
    parts = urlsplit(url)
    if parts.netloc or not parts.path.strip("/"):
        raise InvalidOption("store", f"{url!r} names no file", 'Use "sqlite:///sessions.db" (three slashes).')
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    unknown = set(query) - {"table", "timeout"}
    if unknown:
        raise InvalidOption("store", f"sqlite:// has no option {min(unknown)!r}", "It has table and timeout.")
    try:
        timeout = float(query.get("timeout", "5"))
    except ValueError:
        raise InvalidOption("timeout", f"{query['timeout']!r} is no number of seconds", "The default is 5.") from None
    return SqliteStore(unquote(parts.path[1:]), table=query.get("table", "sessions"), timeout=timeout, clock=clock)
