# The table and the statements stand in mysql_table.py, what is done with them in tables.py.
#
# There are two drivers, PyMySQL for synchronous code and asyncmy for asyncio. Both keep to the DB-API, and hand on the
# server's numbers of errors.
"""Keep sessions in MySQL or MariaDB, in the table of Node's express-mysql-session or connect-session-knex."""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncmy
import pymysql
from asyncmy import errors as asyncmy_errors
from pymysql.constants import CLIENT

from holdfast.dual import Steps
from holdfast.errors import InvalidOption, SessionError, UnserialisableValue
from holdfast.stores import url as urls
from holdfast.stores.mysql_table import AGAIN, DUPLICATE, EXISTS, NO_TABLE, REFUSED, fill_in
from holdfast.stores.pool import AsyncPool, Pool, is_silent
from holdfast.stores.server import DEADLINE
from holdfast.stores.tables import PRUNE_EVERY, Rows, TableStore

__all__ = ["MysqlStore", "from_url"]

#: From how many characters on a payload is measured before it is sent. No server allows less than a megabyte.
_LARGE = 250_000


class MysqlStore(TableStore):
    """Keeps records in the table ``table`` of a MySQL or MariaDB database, which is made if there is none.

    ``place`` is ``mysql://user:password@host:3306/database``, and after a ``?`` what the connection needs:
    ``unix_socket=/run/mysqld/mysqld.sock``; ``ssl=yes``, which wants a certificate that this machine trusts; or
    ``ssl_ca=/path``, which wants one of that authority. There are up to ``max_connections`` at a time for each process
    and event loop. If your application has an engine of SQLAlchemy, give that to ``SqlalchemyStore`` instead.

    ``layout`` names the package of Node whose table it is: ``"express-mysql-session"`` or ``"connect-session-knex"``.
    ``timeout`` is the deadline of a call, in seconds; in synchronous code, of each answer of the server.
    ``prune_every`` is about how often, in seconds, expired rows are removed in the background; None leaves it to
    ``prune()``.
    """

    lost = (
        pymysql.err.OperationalError,
        pymysql.err.InterfaceError,
        asyncmy_errors.OperationalError,
        asyncmy_errors.InterfaceError,
        OSError,
    )

    def __init__(
        self,
        place: str,
        *,
        table: str = "sessions",
        layout: str = "express-mysql-session",
        max_connections: int = 10,
        timeout: float = DEADLINE,
        prune_every: float | None = PRUNE_EVERY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(timeout=timeout, prune_every=prune_every, clock=clock)
        if isinstance(max_connections, bool) or not isinstance(max_connections, int) or max_connections < 1:
            raise InvalidOption("max_connections", f"{max_connections!r} is no number from 1 on", "The default is 10.")
        self._max_connections = max_connections
        self._statements, self._schema, self.last_moment = fill_in(layout, table)
        seconds = max(1, math.ceil(self._timeout))
        self._parameters = _parameters(place) | {
            "charset": "utf8mb4",
            "autocommit": True,
            "client_flag": CLIENT.FOUND_ROWS,
            "connect_timeout": self._timeout,
            "read_timeout": self._timeout,
            # What was given up here is given up there: a statement that waits for a lock would keep its connection.
            "init_command": "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
            f"innodb_lock_wait_timeout = {seconds}, lock_wait_timeout = {seconds}",
        }

    def _connect(self) -> Any:
        if self._asyncio:
            return AsyncPool(_AsyncDriver(self._parameters), self._max_connections)
        return Pool(_Driver({**self._parameters, "write_timeout": self._timeout}), self._max_connections)

    def _disconnect(self, client: Any) -> Steps[None]:
        yield from client.close()

    def _execute(self, connection: Any, statement: str, values: Mapping[str, Any]) -> Steps[Rows]:
        cursor = connection.cursor()
        if len(values.get("payload", "")) > _LARGE:
            yield cursor.execute("SELECT @@max_allowed_packet")
            most = (yield cursor.fetchone())[0]
            if len(cursor.mogrify(statement, values).encode()) >= most:
                raise UnserialisableValue("session", f"is larger than the server's max_allowed_packet, {most}, allows")
        yield cursor.execute(statement, values)
        return ((yield cursor.fetchall()), 0) if cursor.description else ([], cursor.rowcount)

    def _define(self, connection: Any) -> Steps[None]:
        yield connection.cursor().execute(self._schema)

    def _says_no_table(self, error: Exception) -> bool:
        return _code(error) in NO_TABLE

    def _says_exists(self, error: Exception) -> bool:
        return _code(error) in EXISTS

    def _says_again(self, error: Exception) -> bool:
        return _code(error) in AGAIN

    def _says_taken(self, error: Exception) -> bool:
        return _code(error) in DUPLICATE

    def _says_refused(self, error: Exception) -> bool:
        return _code(error) in REFUSED

    def _refusal(self, error: Exception) -> str:
        if _code(error) in (1153, 1406):
            return "is larger than its column, or a packet, may be"
        if _code(error) in (3140, 4025):
            return "holds half a surrogate pair, or is nested too deep, for a column of type json. Make it longtext"
        return "holds characters that its column does not. Make its character set utf8mb4"

    def _now(self) -> int:
        # The column holds whole numbers, and is above 5.5 where it is above 5.
        return math.floor(self._clock())


def _code(error: BaseException) -> int | None:
    """Return MySQL's number of an error of a driver."""
    if isinstance(error, (pymysql.err.MySQLError, asyncmy_errors.MySQLError)) and error.args:
        return error.args[0] if isinstance(error.args[0], int) else None
    return None


class _Driver:
    """What a pool has to know of PyMySQL."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self._parameters = parameters

    def connect(self) -> Any:
        return pymysql.connect(**self._parameters)

    def is_sound(self, connection: Any) -> bool:
        return bool(connection.open) and is_silent(connection._sock.fileno())

    def is_clean(self, connection: Any, error: Exception) -> bool:
        # Numbers from 2000 on are the client's: it has lost its place.
        code = _code(error)
        return isinstance(error, SessionError) or (code is not None and code > 0 and not 2000 <= code < 3000)

    def shut(self, connection: Any) -> None:
        with suppress(Exception):
            connection.close()

    def leave(self, connection: Any) -> Any:
        self.shut(connection)


class _AsyncDriver(_Driver):
    """What a pool has to know of asyncmy."""

    def connect(self) -> Any:
        return asyncmy.connect(**self._parameters)

    def is_sound(self, connection: Any) -> bool:
        # That a connection has ended, asyncmy knows only when it is used; asyncio knows when it gets round to it.
        transport = connection._transport
        socket = None if transport is None or transport.is_closing() else transport.get_extra_info("socket")
        return socket is not None and is_silent(socket.fileno())

    def leave(self, connection: Any) -> Any:
        return connection.ensure_closed()


def _parameters(place: str) -> dict[str, Any]:
    options = urls.options(place, "unix_socket", "ssl", "ssl_ca")
    parts = urlsplit(place)
    try:
        port = parts.port or 3306
    except ValueError:
        raise InvalidOption("store", "its port is no number", 'For example "mysql://user@localhost/shop".') from None
    database = unquote(parts.path.removeprefix("/"))
    if not database:
        raise InvalidOption("store", "the URL names no database", 'For example "mysql://user@localhost/shop".')
    found = {
        "host": parts.hostname or "localhost",
        "port": port,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "database": database,
    }
    if "unix_socket" in options:
        found["unix_socket"] = options["unix_socket"]
    if options.get("ssl", "no") not in ("yes", "no"):
        raise InvalidOption("ssl", f"{options['ssl']!r} is no value for it", "It is yes or no.")
    if "ssl_ca" in options or options.get("ssl") == "yes":
        try:
            found["ssl"] = ssl.create_default_context(cafile=options.get("ssl_ca"))
        except OSError:
            raise InvalidOption("ssl_ca", f"{options['ssl_ca']!r} holds no certificate", "Give a PEM file.") from None
    return found


def from_url(url: str, clock: Callable[[], float]) -> MysqlStore:
    """Return the store of ``mysql://user:password@host:3306/database?table=sessions&timeout=2``."""
    place, options = urls.split(
        url,
        table=str,
        layout=str,
        max_connections=urls.whole_number,
        timeout=urls.number,
        prune_every=urls.number_or_none,
    )
    return MysqlStore(place, **options, clock=clock)
