# The journal is what makes a migration repeatable. Of each session it knows what was put into the target, as a digest,
# so that the next pass can tell a copy that nobody has touched from a session that lives its own life there.
#
#   1. What is about to be written is noted before it is written (`intended`), and again after it has been (`copied`).
#      Whoever finds either in the target knows that it is ours, however this process ended in between.
#   2. It is an SQLite file, so a process that is killed loses nothing that was noted. Two processes cannot share it.
#   3. It holds ids, as the stores do, so it is for its owner's eyes only. It holds no data of a session.
"""What was moved, and what became of it: the memory of a migration."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from sessile.migration.errors import MigrationError

__all__ = ["Entry", "Journal", "State"]


class State(IntEnum):
    """Whose a session is by now."""

    #: Ours: what the target has is what was put there, or about to be.
    OURS = 0
    #: The target's: somebody has changed it there, and it is left alone.
    THEIRS = 1
    #: It was ended in the target, and is not brought back.
    ENDED = 2


class Entry(NamedTuple):
    """What is known of one session."""

    #: The digest of what the target is known to hold, or None.
    copied: bytes | None
    #: The digest of what was about to be written.
    intended: bytes
    #: When it ended in the source, in epoch seconds, when it was copied.
    ends: float
    #: The number of the run that saw it in the source last.
    seen: int
    #: The number of the run that wrote it to the target last; 0 if it has been used there before.
    written: int
    state: State = State.OURS


_TABLES = """
CREATE TABLE IF NOT EXISTS entry (
    sid BLOB PRIMARY KEY, copied BLOB, intended BLOB, ends REAL, seen INTEGER, written INTEGER, state INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT);
"""


class Journal:
    """The journal in the file ``path``, of the migration ``between`` two stores. ``dry``: nothing is written to it.

    Raises MigrationError if the file is in use, or belongs to another migration.
    """

    def __init__(self, path: str | os.PathLike[str], between: str, *, dry: bool = False) -> None:
        self._path = Path(path)
        try:
            if not dry:
                self._path.touch(mode=0o600)
            self._connection = self._open(dry)
            self._connection.executescript(_TABLES)
            of = self.fact("between") or between
            #: The number of this run, and of the first one of this pass: one that was not completed is continued.
            self.number = int(self.fact("number") or 0) + 1
            self.since = int(self.fact("since") or self.number)
            if of == between:
                self.note(between=between, number=str(self.number), since=str(self.since))
        except (sqlite3.Error, OSError) as error:
            raise MigrationError(
                f"the journal {self._path} cannot be used: {error}. Another migration may be running with it; "
                "else name another file with --journal"
            ) from error
        if of != between:
            self.close()
            raise MigrationError(f"the journal {self._path} is of another migration. Name another with --journal")

    def _open(self, dry: bool) -> sqlite3.Connection:
        if dry:
            connection = sqlite3.connect(":memory:", isolation_level=None)
            if self._path.exists():
                with sqlite3.connect(f"file:{self._path}?mode=ro", uri=True) as there:
                    there.backup(connection)
                there.close()
            return connection
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=1)
        # Held until the end, so a second process is refused at its beginning.
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def complete(self) -> None:
        """Note that this pass has done everything: the next run begins another one."""
        self.note(since="")

    def fact(self, name: str) -> str | None:
        """Return what was noted about the migration as a whole."""
        row = self._connection.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def note(self, **facts: str) -> None:
        """Note something about the migration as a whole."""
        self._connection.executemany("INSERT OR REPLACE INTO fact VALUES (?, ?)", facts.items())

    def get(self, sid: str) -> Entry | None:
        """Return what is known of the session that has the id ``sid`` in the source."""
        row = self._connection.execute(
            "SELECT copied, intended, ends, seen, written, state FROM entry WHERE sid = ?", (_bytes(sid),)
        ).fetchone()
        return None if row is None else _entry(row)

    def put(self, entries: Iterable[tuple[str, Entry]]) -> None:
        """Note all of ``entries`` in one step."""
        self._connection.execute("BEGIN")
        self._connection.executemany(
            "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((_bytes(sid), *entry) for sid, entry in entries),
        )
        self._connection.execute("COMMIT")

    def forget(self, sids: Iterable[str]) -> None:
        """Forget what is known of these."""
        self._connection.execute("BEGIN")
        self._connection.executemany("DELETE FROM entry WHERE sid = ?", ((_bytes(sid),) for sid in sids))
        self._connection.execute("COMMIT")

    def count(self, now: float) -> tuple[int, int]:
        """Return how many copies are alive and ours, and how many of these this run has not seen in the source."""
        known, unseen = self._connection.execute(
            "SELECT count(*), coalesce(sum(seen < ?), 0) FROM entry WHERE state = 0 AND ends > ?", (self.number, now)
        ).fetchone()
        return int(known), int(unseen)

    def unseen(self, number: int) -> Iterator[list[tuple[str, Entry]]]:
        """Yield what this run has not seen in the source, ``number`` at a time."""
        last = b""
        while True:
            rows = self._connection.execute(
                "SELECT sid, copied, intended, ends, seen, written, state FROM entry "
                "WHERE sid > ? AND seen < ? ORDER BY sid LIMIT ?",
                (last, self.number, number),
            ).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            yield [(row[0].decode("utf-8", "surrogatepass"), _entry(row[1:])) for row in rows]


def _entry(row: tuple[bytes | None, bytes, float, int, int, int]) -> Entry:
    return Entry(*row[:5], State(row[5]))


def _bytes(sid: str) -> bytes:
    return sid.encode("utf-8", "surrogatepass")
