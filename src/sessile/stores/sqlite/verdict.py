"""What an error of SQLite's means to the store."""

from __future__ import annotations

import errno
import sqlite3

from sessile.errors import StoreRefused, StoreUnavailable

__all__ = ["is_refusal", "outage", "says_busy", "says_full"]

#: OSErrors of a system that answers, and says no.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_RIGHT = {errno.EACCES, errno.EPERM, errno.EROFS}

#: How SQLite words that a table has other columns, or constraints of its own. None of its texts quotes a value.
_FOREIGN = ("no such column", "has no column named", "constraint failed", "ON CONFLICT clause does not match")


def _primary(error: BaseException) -> int:
    # The primary code of a result is its low byte: https://www.sqlite.org/rescode.html
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def says_busy(error: BaseException) -> bool:
    """Tell whether ``error`` says that somebody else holds a lock."""
    return _primary(error) == sqlite3.SQLITE_BUSY


def says_full(error: BaseException) -> bool:
    """Tell whether ``error`` says that there is no room."""
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    return _primary(error) == sqlite3.SQLITE_FULL


def is_refusal(error: BaseException) -> bool:
    """Tell whether ``error`` says that the file cannot be written, though it can be read."""
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM | _NO_RIGHT
    return _primary(error) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH)


def outage(verb: str, table: str, error: Exception) -> StoreUnavailable:
    """Return what to raise for ``error``, which came of ``verb``."""
    said = error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)
    if isinstance(error, sqlite3.Error) and any(words in said for words in _FOREIGN):
        reason = f"{table} is not a table of sessions ({said}). Name another one by table="
        return StoreRefused("SqliteStore", verb, reason)
    if "no such table" in said:  # It would have been made if the file could be written.
        return StoreRefused("SqliteStore", verb, f"there is no table {table}, and none can be made in the file")
    if is_refusal(error):
        return StoreRefused("SqliteStore", verb, said)
    return StoreUnavailable(f"SqliteStore got no answer to {verb}: {said}")
