# To remove a row from a database takes room on the disk: for the log, or for the journal. When the disk is full, a
# log-out would be refused, and the session would live. So a file beside the database keeps some room, which is given
# up piece by piece to whoever ends a session, and to nobody else.
"""Room on the disk that is kept for ending sessions when there is none left."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["keep_room", "yield_room"]

#: How much room is kept, in bytes.
RESERVE = 1024 * 1024

#: What ending one session takes at most: some pages of 4096 bytes, and the index of the log may grow by 32 kB.
PIECE = 64 * 1024


def keep_room(database: Path) -> None:
    """Keep some room beside ``database``, as far as there is any."""
    with suppress(OSError):
        file = os.open(_reserve_of(database), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            size = os.fstat(file).st_size
            if size < RESERVE:
                os.posix_fallocate(file, size, RESERVE - size)
        except OSError:
            os.truncate(file, size)
        finally:
            os.close(file)


def yield_room(database: Path) -> bool:
    """Give up a piece of the room that is kept beside ``database``. Return whether there was one."""
    with suppress(OSError):
        file = os.open(_reserve_of(database), os.O_RDWR)
        try:
            size = os.fstat(file).st_size
            os.truncate(file, max(0, size - PIECE))
            return size > 0
        finally:
            os.close(file)
    return False


def _reserve_of(database: Path) -> Path:
    return database.with_name(database.name + "-reserve")
