# The file may be the application's own. So nothing in it is changed but our tables: not its user_version, which is the
# application's, and not the way in which it is written. A file that we have made writes ahead (WAL).
#
# A file that was removed or replaced lives on for whoever has it open, and so does its log (-wal) beside the new file,
# where SQLite would take it for the new one's. So a connection knows which file it has open; and who finds that another
# one has taken its place removes the old one's log first.
"""A connection to an SQLite file, prepared for use."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from sessile.stores.sqlite.verdict import is_refusal, says_busy

try:
    import fcntl
except ImportError:  # Not POSIX.
    fcntl = None  # type: ignore[assignment]

__all__ = ["Connection", "connect", "file_at", "forget_log"]

#: What tells one file from another: device and inode.
Identity: TypeAlias = tuple[int, int]


class Connection(sqlite3.Connection):
    """A connection that knows its file, and how long it waits for locks."""

    _patience = -1
    #: The file that is open, and its log.
    file: Identity | None = None
    log: Identity | None = None
    #: Whether the schema is there. If not, because the file cannot be written, the next connection tries again.
    prepared = True

    def be_patient(self, seconds: float) -> None:
        """Wait so long for locks from now on."""
        milliseconds = int(seconds * 1000)
        if milliseconds != self._patience:
            self.execute(f"PRAGMA busy_timeout = {milliseconds}")
            self._patience = milliseconds

    def __del__(self) -> None:
        # A program that ends, or a test, need not close its store; Python 3.13 would warn of that.
        self.close()


def file_at(path: Path) -> Identity | None:
    """Return which file is at ``path`` now; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def connect(path: Path, schema: tuple[str, ...], patience: float) -> Connection:
    """Return a connection to a file that has ``schema``, made now if need be.

    ``patience`` is how long to wait for locks, in seconds. Raises sqlite3.Error and OSError.
    """
    ours = not path.exists() and _make(path)
    connection = sqlite3.connect(
        path, timeout=patience, isolation_level=None, check_same_thread=False, factory=Connection
    )
    try:
        connection.file = file_at(path)
        if ours:
            _use_wal(connection, patience)
        if connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
            # A log is synced before it is moved, which is all that it takes. Without one, it is as SQLite has it.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
        _prepare(connection, schema)
        connection.log = file_at(_log_of(path))
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: Connection, schema: tuple[str, ...]) -> None:
    try:
        for statement in schema:
            connection.execute(statement)
    except sqlite3.Error as error:
        # Whoever only reads is served all the same, if there is a table.
        if not is_refusal(error):
            raise
        connection.prepared = False


def _make(path: Path) -> bool:
    """Make the file, and return whether it was us."""
    with _alone_in(path.parent):
        if path.exists():
            return False
        for left in (_log_of(path), _index_of(path)):
            with suppress(FileNotFoundError):
                os.unlink(left)
        # Sessions are nobody else's to read; SQLite gives its side files the same mode.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        return True


def forget_log(path: Path, log: Identity | None) -> None:
    """Remove the log that a file has left which was at ``path`` before. ``log`` is the one that it had."""
    with suppress(OSError), _alone_in(path.parent):
        if log is not None and file_at(_log_of(path)) == log:
            for left in (_log_of(path), _index_of(path)):
                with suppress(FileNotFoundError):
                    os.unlink(left)


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _index_of(path: Path) -> Path:
    return path.with_name(path.name + "-shm")


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let no other process make or remove files of ours in ``folder`` meanwhile."""
    if fcntl is None:
        yield
        return
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


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
