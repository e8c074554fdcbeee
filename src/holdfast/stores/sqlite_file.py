# Under asyncio a statement runs inline first, with no patience: alone, a read takes 10 to 20 us and a write 40 us, and
# by way of a thread either takes 140 us or more (benchmarks/sqlite.py, on two busy cores). In WAL mode a reader is
# never blocked and a writer nearly never. If the file is locked all the same, SQLite says so at once, and the statement
# is run again in a worker thread, with patience. So a locked file never stalls the event loop.
#
# Moving the WAL into the database file (a checkpoint) waits for the disk. SQLite would do it in whatever statement
# comes at the time; here it is a step of its own, so that the event loop can leave it to the worker. The log is begun
# anew only when all of it has been moved, which never comes to pass while others write on. So a checkpoint has two
# steps: the bulk while they write, and the rest while it holds the lock; what the loop writes then takes the way above.
"""The connections to one SQLite file, for any number of threads, event loops and forks."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias
from weakref import WeakSet

from holdfast.errors import StoreUnavailable
from holdfast.stores.sqlite_connection import Connection, connect, says_busy

__all__ = ["Rows", "SqliteFile"]

#: What a statement answers: the rows, and how many it changed.
Rows: TypeAlias = tuple[list[tuple[Any, ...]], int]

#: A checkpoint is due after so many pages. It is SQLite's own default.
CHECKPOINT_AFTER = 1000

#: How long, in seconds, a checkpoint waits for readers of the old log, and lets writers wait.
CHECKPOINT_PATIENCE = 0.1

#: A write changes about as many pages of 4096 bytes as this, and those of its payload: the table and two indexes.
PAGES_OF_A_WRITE = 3

#: Connections beyond this number are closed after use.
MOST_IDLE = 16


class SqliteFile:
    """Runs single statements, each a transaction of its own, on a file that is prepared by ``schema`` before use.

    ``version`` is what PRAGMA user_version says of a file with this schema; a file with a higher one is refused.
    ``timeout`` is how long a statement waits for a lock, in seconds. Every error is a StoreUnavailable.
    """

    def __init__(self, path: Path, schema: tuple[str, ...], version: int, timeout: float) -> None:
        self._path = path
        self._schema = schema
        self._version = version
        self._timeout = timeout
        self._written = 0
        self._lock = Lock()
        self._idle: deque[Connection] = deque()
        self._worker: ThreadPoolExecutor | None = None
        _files.add(self)

    def execute(self, statement: str, *arguments: Any) -> Rows:
        """Run a statement in this thread, waiting for locks up to the timeout."""
        return self._answer(statement, arguments, self._timeout)

    def execute_inline(self, statement: str, *arguments: Any) -> Rows | Awaitable[Rows]:
        """Run a statement on the event loop if that takes no waiting, and in the worker thread if it would."""
        try:
            rows = self._fetch(statement, arguments, 0)
        except (sqlite3.Error, OSError) as error:
            if not says_busy(error):
                raise _outage(error) from error
            return self._execute_when_free(statement, arguments)
        if self._checkpoint_is_due(rows, arguments):
            self.submit(self._checkpoint)
        return rows

    def execute_apart(self, statement: str, *arguments: Any) -> Awaitable[Rows]:
        """Run a statement that takes its time in a thread where it neither waits behind others nor holds them up."""
        return asyncio.to_thread(self.execute, statement, *arguments)

    def _execute_when_free(self, statement: str, arguments: tuple[Any, ...]) -> Awaitable[Rows]:
        # Those who wait stand in one queue, and the time in it is part of their patience.
        deadline = time.monotonic() + self._timeout

        def run() -> Rows:
            return self._answer(statement, arguments, max(0.0, deadline - time.monotonic()))

        return asyncio.wrap_future(self.submit(run))

    def submit(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Run ``call`` in the worker thread, some time."""
        with self._lock:
            if self._worker is None:
                self._worker = ThreadPoolExecutor(1, thread_name_prefix="holdfast-sqlite")
            return self._worker.submit(call, *arguments)

    def close(self) -> None:
        """Finish what the worker has to do, and close what is not in use. What is needed again is opened again."""
        with self._lock:
            worker, self._worker = self._worker, None
            idle, self._idle = self._idle, deque()
        if worker is not None:
            worker.shutdown(wait=True)
        for connection in idle:
            connection.close()

    def forget(self) -> None:
        """Begin with no connections and no thread: after a fork those that we know are the parent's."""
        # Not closed, but kept: SQLite forbids a child to touch them (https://www.sqlite.org/howtocorrupt.html, 2.6).
        _inherited.append((self._idle, self._worker))
        self._lock = Lock()
        self._idle = deque()
        self._worker = None

    def _answer(self, statement: str, arguments: tuple[Any, ...], patience: float) -> Rows:
        try:
            rows = self._fetch(statement, arguments, patience)
        except (sqlite3.Error, OSError) as error:
            raise _outage(error) from error
        if self._checkpoint_is_due(rows, arguments):
            self._checkpoint()
        return rows

    def _fetch(self, statement: str, arguments: tuple[Any, ...], patience: float) -> Rows:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = connect(self._path, self._schema, self._version, patience)
        try:
            connection.be_patient(patience)
            cursor = connection.execute(statement, arguments)
            rows = cursor.fetchall(), cursor.rowcount
        except sqlite3.Error as error:
            if says_busy(error):
                self._idle.append(connection)
            else:
                connection.close()
            raise
        if len(self._idle) < MOST_IDLE:
            self._idle.append(connection)
        else:
            connection.close()
        return rows

    def _checkpoint_is_due(self, rows: Rows, arguments: tuple[Any, ...]) -> bool:
        if rows[1] <= 0:
            return False
        size = sum(len(argument) for argument in arguments if isinstance(argument, bytes))
        self._written += PAGES_OF_A_WRITE * rows[1] + size // 4096
        if self._written < CHECKPOINT_AFTER:
            return False
        self._written = 0
        return True

    def _checkpoint(self) -> None:
        # The next one moves what this one could not.
        with suppress(sqlite3.Error, OSError):
            self._fetch("PRAGMA wal_checkpoint(PASSIVE)", (), 0)
            self._fetch("PRAGMA wal_checkpoint(RESTART)", (), CHECKPOINT_PATIENCE)


def _outage(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"SQLite: {type(error).__name__}")


_files: WeakSet[SqliteFile] = WeakSet()
_inherited: list[object] = []


def _after_fork() -> None:
    for file in list(_files):
        file.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
