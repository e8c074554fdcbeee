# Under asyncio a statement runs inline first, with no patience: alone, a read takes 10 to 20 us and a write 40 us, and
# by way of a thread either takes 140 us or more (benchmarks/sqlite.py, on two busy cores). In WAL mode a reader is
# never blocked and a writer nearly never. If the file is locked all the same, SQLite says so at once, and the statement
# is run again in a worker thread, with patience. So a locked file never stalls the event loop. A file that somebody
# else has made may be without WAL; then each write waits for the disk, and is done in the worker thread at once.
#
# Moving the WAL into the database file (a checkpoint) waits for the disk. SQLite would do it in whatever statement
# comes at the time; here it is a step of its own, so that the event loop can leave it to the worker. The log is begun
# anew only when all of it has been moved, which never comes to pass while others write on. So a checkpoint has two
# steps: the bulk while they write, and the rest while it holds the lock; what the loop writes then takes the way above.
#
# A connection is used by the process that opened it, and only as long as its file is the one at the path.
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

from sessile.dual import loop_is_running
from sessile.stores.sqlite.connection import Connection, connect, file_at, forget_log
from sessile.stores.sqlite.layout import Statement
from sessile.stores.sqlite.reserve import keep_room, yield_room
from sessile.stores.sqlite.verdict import outage, says_busy, says_full

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

    ``timeout`` is how long a statement waits for a lock, in seconds. Every error is a StoreUnavailable.
    """

    def __init__(self, path: Path, schema: tuple[str, ...], timeout: float) -> None:
        self._path = path
        self._schema = schema
        self._timeout = timeout
        self._written = 0
        self._begin()
        _files.add(self)

    def _begin(self) -> None:
        self._lock = Lock()
        self._idle: deque[Connection] = deque()
        self._worker: ThreadPoolExecutor | None = None
        self._writes_ahead = True
        self._has_kept_room = False
        self._process = os.getpid()  # Last, for another thread may look.

    def execute(self, statement: Statement, *arguments: Any) -> Rows:
        """Run a statement in this thread, waiting for locks up to the timeout."""
        return self._answer(statement, arguments, self._timeout)

    def execute_inline(self, statement: Statement, *arguments: Any) -> Rows | Awaitable[Rows]:
        """Run a statement on the event loop if that takes no waiting, and in the worker thread if it would."""
        if not self._writes_ahead and statement.operation != "load" and loop_is_running():
            return self._execute_when_free(statement, arguments)
        try:
            rows = self._fetch(statement.text, arguments, 0)
        except (sqlite3.Error, OSError) as error:
            if says_busy(error) or (says_full(error) and statement.operation == "delete"):
                return self._execute_when_free(statement, arguments)
            raise outage(statement.operation, statement.table, error) from error
        if self._checkpoint_is_due(rows, arguments):
            self.submit(self._checkpoint)
        return rows

    def execute_apart(self, statement: Statement, *arguments: Any) -> Awaitable[Rows]:
        """Run a statement that takes its time in a thread where it neither waits behind others nor holds them up."""
        return asyncio.to_thread(self.execute, statement, *arguments)

    def _execute_when_free(self, statement: Statement, arguments: tuple[Any, ...]) -> Awaitable[Rows]:
        loop = asyncio.get_running_loop()  # Under trio there is none, and nothing may begin.
        # Those who wait stand in one queue, and the time in it is part of their patience.
        deadline = time.monotonic() + self._timeout

        def run() -> Rows:
            return self._answer(statement, arguments, max(0.0, deadline - time.monotonic()))

        return asyncio.wrap_future(self.submit(run), loop=loop)

    def submit(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Run ``call`` in the worker thread, some time."""
        self._look_at_the_process()
        with self._lock:
            if self._worker is None:
                self._worker = ThreadPoolExecutor(1, thread_name_prefix="sessile-sqlite")
            return self._worker.submit(call, *arguments)

    def close(self) -> None:
        """Finish what the worker has to do, and close what is not in use. What is needed again is opened again."""
        self._look_at_the_process()
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
        self._begin()

    def _look_at_the_process(self) -> None:
        # uWSGI forks in C, and no function that was registered for it is called.
        if self._process != os.getpid():
            self.forget()

    def _answer(self, statement: Statement, arguments: tuple[Any, ...], patience: float) -> Rows:
        try:
            try:
                rows = self._fetch(statement.text, arguments, patience)
            except (sqlite3.Error, OSError) as error:
                if not says_full(error) or statement.operation != "delete":
                    raise
                rows = self._fetch_in_the_reserve(statement, arguments, patience)
        except (sqlite3.Error, OSError) as error:
            raise outage(statement.operation, statement.table, error) from error
        if self._checkpoint_is_due(rows, arguments):
            self._checkpoint()
        return rows

    def _fetch_in_the_reserve(self, statement: Statement, arguments: tuple[Any, ...], patience: float) -> Rows:
        """Run what ends a session, though the disk is full."""
        while yield_room(self._path):
            with suppress(sqlite3.OperationalError):
                return self._fetch(statement.text, arguments, patience)
        with suppress(sqlite3.Error):
            self._fetch("PRAGMA wal_checkpoint(RESTART)", (), CHECKPOINT_PATIENCE)  # The log begins anew, if it could.
        return self._fetch(statement.text, arguments, patience)

    def _fetch(self, text: str, arguments: tuple[Any, ...], patience: float) -> Rows:
        connection = self._take() or self._connect(patience)
        try:
            connection.be_patient(patience)
            cursor = connection.execute(text, arguments)
            rows = cursor.fetchall(), cursor.rowcount
        except sqlite3.Error as error:
            if says_busy(error):
                self._idle.append(connection)
            else:
                connection.close()
            raise
        if len(self._idle) < MOST_IDLE and connection.prepared:
            self._idle.append(connection)
        else:
            connection.close()
        return rows

    def _take(self) -> Connection | None:
        """Return a connection of ours to the file that is at the path now, if there is one."""
        self._look_at_the_process()
        try:
            connection = self._idle.pop()
        except IndexError:
            return None
        if connection.file == file_at(self._path):
            return connection
        # Somebody has put another file there, or none. What the old one has left would spoil the new one.
        log = connection.log
        connection.close()
        while True:
            try:
                self._idle.pop().close()
            except IndexError:
                break
        forget_log(self._path, log)
        return None

    def _connect(self, patience: float) -> Connection:
        connection = connect(self._path, self._schema, patience)
        self._writes_ahead = connection.log is not None
        if not self._has_kept_room:
            self._has_kept_room = True
            keep_room(self._path)
        return connection

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
            keep_room(self._path)  # What was given up meanwhile.


_files: WeakSet[SqliteFile] = WeakSet()
_inherited: list[object] = []


def _after_fork() -> None:
    for file in list(_files):
        file.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
