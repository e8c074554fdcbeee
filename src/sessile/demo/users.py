# Passwords are hashed with Argon2id, with the parameters that argon2-cffi recommends (RFC 9106, the second choice).
# A name that nobody has costs the same hash as a wrong password, so the time of an answer does not tell which names
# are taken. (Signing up does tell, as it must where names are unique.)
#
# An id is a random number, not the next one: shops with folders of their own may share one store of sessions, and the
# index there goes by it. Of 53 bits, which every reader of JSON can hold.
"""Who has signed up: names and hashed passwords, in an SQLite file."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

__all__ = ["BadSignUp", "NameTaken", "User", "Users"]

LONGEST_NAME = 30
#: NIST SP 800-63B 3.1.1.2 asks for 8 at least, and for no rules about which characters.
SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 200

_SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS administrators (id INTEGER PRIMARY KEY);
"""

#: Whoever signs up first is the administrator. A shop that had users before it had an administrator has none.
_APPOINT = "INSERT INTO administrators SELECT ? WHERE (SELECT COUNT(*) FROM users) = 1"


class BadSignUp(ValueError):
    """Says to the visitor why a name or a password cannot be used."""


class NameTaken(BadSignUp):
    """Says to the visitor that somebody has this name."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who has signed up."""

    id: int
    name: str
    #: The password, hashed.
    hashed: str = field(repr=False)


class Users:
    """The users in the file ``path``. Methods wait for the disk and for the hash: call them in a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._nobody = _hash_of_nobody()
        with self._connection() as connection:
            connection.executescript(_SCHEMA)
        path.chmod(0o600)

    def register(self, name: str, password: str) -> User:
        """Add a user. Raises BadSignUp, or NameTaken, with a message for the visitor."""
        name = _checked_name(name)
        _check_password(password)
        user = User(secrets.randbits(53), name, _hasher.hash(password))
        try:
            with self._connection() as connection:
                connection.execute(
                    "INSERT INTO users (id, name, key, password) VALUES (?, ?, ?, ?)",
                    (user.id, name, _key(name), user.hashed),
                )
                connection.execute(_APPOINT, (user.id,))
        except sqlite3.IntegrityError:
            raise NameTaken("Somebody has this name already. Choose another, or log in.") from None
        return user

    def is_administrator(self, user_id: int) -> bool:
        """Tell whether a user may enter the console."""
        with self._connection() as connection:
            return connection.execute("SELECT 1 FROM administrators WHERE id = ?", (user_id,)).fetchone() is not None

    def authenticate(self, name: str, password: str) -> User | None:
        """Return the user with this name and password, or None; in about the same time, whichever of them is wrong."""
        user = self._find("key", _key(name))
        fits = _fits(user.hashed if user else self._nobody, password)
        if user is None or not fits:
            return None
        if _hasher.check_needs_rehash(user.hashed):
            renewed = replace(user, hashed=_hasher.hash(password))
            return renewed if self._swap(user, renewed.hashed) else None
        return user

    def change_password(self, user_id: int, present: str, new: str) -> bool:
        """Give a user the password ``new``. Return False, and change nothing, if ``present`` is not the present one.

        Raises BadSignUp, with a message for the visitor, if ``new`` is no password.
        """
        _check_password(new)
        user = self._find("id", user_id)
        return user is not None and _fits(user.hashed, present) and self._swap(user, _hasher.hash(new))

    def is_current(self, user: User) -> bool:
        """Tell whether ``user`` has still the password that they had."""
        return self._find("id", user.id) == user

    def _find(self, column: Literal["id", "key"], value: int | str) -> User | None:
        with self._connection() as connection:
            row = connection.execute(
                f"SELECT id, name, password FROM users WHERE {column} = ?",  # noqa: S608
                (value,),
            ).fetchone()
        return User(*row) if row else None

    def _swap(self, user: User, hashed: str) -> bool:
        """Give ``user`` another hash, unless somebody else was first. Return whether it was done."""
        with self._connection() as connection:
            statement = "UPDATE users SET password = ? WHERE id = ? AND password = ?"
            return connection.execute(statement, (hashed, user.id, user.hashed)).rowcount == 1

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path)
        try:
            with connection:
                yield connection
        finally:
            connection.close()


_hasher = PasswordHasher()


def _check_password(password: str) -> None:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise BadSignUp(f"Use a password of {SHORTEST_PASSWORD} characters or more.")


def _fits(hashed: str, password: str) -> bool:
    try:
        return _hasher.verify(hashed, password[: LONGEST_PASSWORD + 1])
    except (VerificationError, InvalidHashError):
        return False


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
