# There are two drivers, PyMySQL for synchronous code and asyncmy for asyncio. Both keep to the DB-API, and hand on the
# server's numbers of errors.
"""What a pool has to know of the drivers of MySQL."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import asyncmy
import pymysql
from asyncmy import errors as asyncmy_errors

from sessile.errors import SessionError
from sessile.stores._shared.pool import is_silent
from sessile.stores.mysql.table import CODES

__all__ = ["AsyncDriver", "Driver", "code_of", "words_of"]


def code_of(error: BaseException) -> int | None:
    """Return MySQL's number of an error of a driver."""
    if isinstance(error, (pymysql.err.MySQLError, asyncmy_errors.MySQLError)) and error.args:
        return error.args[0] if isinstance(error.args[0], int) else None
    return None


def words_of(error: BaseException) -> str:
    """Return what the server said."""
    return str(error.args[1]) if len(error.args) > 1 else str(error)


class Driver:
    """What a pool has to know of PyMySQL."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self._parameters = parameters

    def connect(self) -> object:
        return pymysql.connect(**self._parameters)

    def is_sound(self, connection: Any) -> bool:
        return bool(connection.open) and is_silent(connection._sock.fileno())  # noqa: SLF001 - PyMySQL's ping asks the server.

    def is_clean(self, connection: Any, error: Exception) -> bool:
        # Numbers from 2000 on are the client's: it has lost its place.
        code = code_of(error)
        return isinstance(error, SessionError) or (code is not None and code > 0 and not 2000 <= code < 3000)

    def is_demoted(self, error: Exception) -> bool:
        return CODES.say(code_of(error), CODES.demoted)

    def shut(self, connection: Any) -> None:
        with suppress(Exception):
            connection.close()

    def leave(self, connection: Any) -> object:
        self.shut(connection)
        return None


class AsyncDriver(Driver):
    """What a pool has to know of asyncmy."""

    def connect(self) -> object:
        return asyncmy.connect(**self._parameters)

    def is_sound(self, connection: Any) -> bool:
        # That a connection has ended, asyncmy knows only when it is used; asyncio knows when it gets round to it.
        transport = connection._transport  # noqa: SLF001 - Nothing of asyncmy's says so without asking the server.
        socket = None if transport is None or transport.is_closing() else transport.get_extra_info("socket")
        return socket is not None and is_silent(socket.fileno())

    def leave(self, connection: Any) -> object:
        return connection.ensure_closed()
