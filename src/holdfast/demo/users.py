# Passwords are hashed with Argon2id, with the parameters that argon2-cffi recommends (RFC 9106, the second choice).
# A name that nobody has costs the same hash as a wrong password, so the time of an answer does not tell which names
# are taken. (Signing up does tell, as it must where names are unique.)
"""Who has signed up: names and hashed passwords, in an SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

__all__ = ["BadSignUp", "NameTaken", "User", "Users"]

LONGEST_NAME = 30
#: NIST SP 800-63B 3.1.1.2 asks for 8 at least, and for no rules about which characters.
SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 200

_SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL
)
"""


class BadSignUp(ValueError):
    """Says to the visitor why a name or a password cannot be used."""


class NameTaken(BadSignUp):
    """Says to the visitor that somebody has this name."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who has signed up."""

    id: int
    name: str


class Users:
    """The users in the file ``path``. Methods wait for the disk and for the hash: call them in a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._nobody = _hash_of_nobody()
        with self._connection() as connection:
            connection.execute(_SCHEMA)
        path.chmod(0o600)

    def register(self, name: str, password: str) -> User:
        """Add a user. Raises BadSignUp, or NameTaken, with a message for the visitor."""
        name = _checked_name(name)
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise BadSignUp(f"Use a password of {SHORTEST_PASSWORD} characters or more.")
        hashed = _hasher.hash(password)
        try:
            with self._connection() as connection:
                added = connection.execute(
                    "INSERT INTO users (name, key, password) VALUES (?, ?, ?)", (name, _key(name), hashed)
                )
        except sqlite3.IntegrityError:
            raise NameTaken("Somebody has this name already. Choose another, or log in.") from None
        assert added.lastrowid is not None
        return User(added.lastrowid, name)

    def authenticate(self, name: str, password: str) -> User | None:
        """Return the user with this name and password, or None; in about the same time, whichever of them is wrong."""
        with self._connection() as connection:
            row = connection.execute("SELECT id, name, password FROM users WHERE key = ?", (_key(name),)).fetchone()
        hashed = row[2] if row else self._nobody
        try:
            _hasher.verify(hashed, password[: LONGEST_PASSWORD + 1])
        except (VerificationError, InvalidHashError):
            return None
        if row is None:
            return None
        if _hasher.check_needs_rehash(hashed):
            with self._connection() as connection:
                connection.execute("UPDATE users SET password = ? WHERE id = ?", (_hasher.hash(password), row[0]))
        return User(row[0], row[1])

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path)
        try:
            with connection:
                yield connection
        finally:
            connection.close()


_hasher = PasswordHasher()


@cache
def _hash_of_nobody() -> str:
    return _hasher.hash("nobody has this password")


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadSignUp(f"Give a name of 1 to {LONGEST_NAME} letters.")
    return name


def _key(name: str) -> str:
    return " ".join(name.split()).casefold()
