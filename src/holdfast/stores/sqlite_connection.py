"""A connection to an SQLite file, prepared for use."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

__all__ = ["Connection", "connect", "says_busy"]


class Connection(sqlite3.Connection):
    """A connection that knows how long it waits for locks."""

    _patience = -1

    def be_patient(self, seconds: float) -> None:
        """Wait so long for locks from now on."""
        milliseconds = int(seconds * 1000)
        if milliseconds != self._patience:
            self.execute(f"PRAGMA busy_timeout = {milliseconds}")
            self._patience = milliseconds

    def __del__(self) -> None:
        # A program that ends, or a test, need not close its store; Python 3.13 would warn of that.
        self.close()


def connect(path: Path, schema: tuple[str, ...], version: int, patience: float) -> Connection:
    """Return a connection to a file that has ``schema``, made now if need be.

    ``version`` is what PRAGMA user_version says of a file with this schema; a file with a higher one is refused.
    ``patience`` is how long to wait for locks, in seconds. Raises sqlite3.Error and OSError.
    """
    if not path.exists():
        # Sessions are nobody else's to read; SQLite gives its side files the same mode.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(
        path, timeout=patience, isolation_level=None, check_same_thread=False, factory=Connection
    )
    try:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        _prepare(connection, schema, version, patience)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: Connection, schema: tuple[str, ...], version: int, patience: float) -> None:
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found > version:
        raise sqlite3.DatabaseError(f"its schema version is {found}, and this holdfast knows {version}")
    _use_wal(connection, patience)
    for statement in schema:
        connection.execute(statement)
    if found < version:
        connection.execute(f"PRAGMA user_version = {version}")


def _use_wal(connection: Connection, patience: float) -> None:
    # SQLite does not wait by itself here: two connections that both want to change the mode would wait for ever.
    deadline = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not says_busy(error) or time.monotonic() >= deadline:
                raise
        time.sleep(0.005)


def says_busy(error: Exception) -> bool:
    """Tell whether ``error`` says that somebody else holds a lock."""
    # The primary code of a result is its low byte: https://www.sqlite.org/rescode.html
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
