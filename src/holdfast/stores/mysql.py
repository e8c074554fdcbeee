# The table is express-mysql-session's: sessions(session_id varchar(128), expires int unsigned, data mediumtext), and
# what MySQL does by habit is ruled out. Its collations take `a` and `a ` for the same, so payloads are compared as
# bytes. It counts a row that was written as it stood as not affected, so the flag FOUND_ROWS asks for what was found.
# It cuts what is too long, so the mode is strict. And it answers to a statement that is larger than one may be by
# hanging up, which looks like an outage; so those are measured before.
#
# There are two drivers, PyMySQL for synchronous code and asyncmy for asyncio. Both keep to the DB-API, and hand on the
# server's numbers of errors.
"""Keep sessions in MySQL or MariaDB, in the table of Node's express-mysql-session."""

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
from holdfast.stores.pool import AsyncPool, Pool, is_silent
from holdfast.stores.server import DEADLINE
from holdfast.stores.tables import PRUNE_EVERY, Rows, TableStore

__all__ = ["SCHEMA", "STATEMENTS", "MysqlStore", "fill_in", "from_url"]

_WORDS = {
    "text": "coalesce(data, '')",
    "bytes": "CAST(CONVERT(coalesce(data, '') USING utf8mb4) AS BINARY)",
    "live": "expires > %(now)s",
}

#: What `fill_in` makes into statements with the parameters sid, payload, expected, end, now, last and limit.
STATEMENTS = {
    "load": "SELECT {text}, expires FROM {table} WHERE session_id = %(sid)s AND {live}",
    "create": "INSERT INTO {table} (session_id, expires, data) VALUES (%(sid)s, %(end)s, %(payload)s)",
    "renew": """
        UPDATE {table} SET expires = %(end)s, data = %(payload)s
        WHERE session_id = %(sid)s AND expires <= %(now)s""",
    "replace": """
        UPDATE {table} SET expires = %(end)s, data = %(payload)s
        WHERE session_id = %(sid)s AND {live} AND {bytes} = CAST(CONVERT(%(expected)s USING utf8mb4) AS BINARY)""",
    "touch": "UPDATE {table} SET expires = %(end)s WHERE session_id = %(sid)s AND {live}",
    "delete": "DELETE FROM {table} WHERE session_id = %(sid)s AND {live}",
    "page": """
        SELECT session_id, {text}, expires FROM {table}
        WHERE session_id > %(last)s AND {live} ORDER BY session_id LIMIT %(limit)s""",
    "count": "SELECT count(*) FROM {table} WHERE {live}",
    "clear": "DELETE FROM {table} ORDER BY session_id LIMIT %(limit)s",
    "prune": "DELETE FROM {table} WHERE expires <= %(now)s ORDER BY expires LIMIT %(limit)s",
}

#: Node's, and an index: without one, to remove what has expired is to read all.
SCHEMA = """
    CREATE TABLE IF NOT EXISTS {table} (
        session_id varchar(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
        expires int(11) unsigned NOT NULL,
        data mediumtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
        PRIMARY KEY (session_id),
        KEY expires (expires)
    ) ENGINE=InnoDB"""

# https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html
_NO_TABLE = {1146}
_EXISTS = {1050, 1061}
_DUPLICATE = {1062}
_AGAIN = {1213, 1020}
_REFUSED = {1153, 1264, 1301, 1366, 1406, 3854, 3988}

#: From how many characters on a payload is measured before it is sent. No server allows less than a megabyte.
_LARGE = 250_000


def fill_in(table: str) -> tuple[dict[str, str], str]:
    """Return the statements and the schema for one table. Raises InvalidOption for what cannot be its name."""
    if not 0 < len(table) <= 64 or "\0" in table or table.endswith(" ") or max(table) > "\uffff":
        raise InvalidOption("table", f"{table!r} is no name", "Use 1 to 64 letters.")
    name = "`" + table.replace("`", "``").replace("%", "%%") + "`"
    words = {**_WORDS, "table": name}
    statements = {verb: statement.format(**words) for verb, statement in STATEMENTS.items()}
    return statements, SCHEMA.format(table=name.replace("%%", "%"))


class MysqlStore(TableStore):
    """Keeps records in the table ``table`` of a MySQL or MariaDB database, which is made if there is none.

    ``place`` is ``mysql://user:password@host:3306/database``, and after a ``?`` what the connection needs:
    ``unix_socket=/run/mysqld/mysqld.sock``; ``ssl=yes``, which wants a certificate that this machine trusts; or
    ``ssl_ca=/path``, which wants one of that authority. There are up to ``max_connections`` at a time for each process
    and event loop. If your application has an engine of SQLAlchemy, give that to ``SqlalchemyStore`` instead.

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

    #: An unsigned int. It is a day in February 2106.
    last_moment = 2.0**32 - 1

    def __init__(
        self,
        place: str,
        *,
        table: str = "sessions",
        max_connections: int = 10,
        timeout: float = DEADLINE,
        prune_every: float | None = PRUNE_EVERY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(timeout=timeout, prune_every=prune_every, clock=clock)
        if isinstance(max_connections, bool) or not isinstance(max_connections, int) or max_connections < 1:
            raise InvalidOption("max_connections", f"{max_connections!r} is no number from 1 on", "The default is 10.")
        self._max_connections = max_connections
        self._statements, self._schema = fill_in(table)
        self._turn = f"holdfast {table}"[:64]
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
        return ((yield cursor.fetchall()) if cursor.description else []), cursor.rowcount

    def _define(self, connection: Any) -> Steps[None]:
        yield connection.cursor().execute(self._schema)

    def _insert(self, client: Any, key: str, text: str, end: int) -> Steps[bool]:
        # ON DUPLICATE KEY UPDATE would not tell what it has done: 1 may mean "made", and "was there".
        values = {"sid": key, "payload": text, "end": end}
        try:
            yield from self._run(client, "create", **values)
            return True
        except Exception as error:
            if _code(error) not in _DUPLICATE:
                raise
        _, renewed = yield from self._run(client, "renew", **values, now=self._now())
        return bool(renewed)

    def _batch(self, client: Any, verb: str) -> Steps[int]:
        if verb != "sweep":
            return (yield from super()._batch(client, verb))

        def take_turn(connection: Any) -> Steps[int]:
            # A lock belongs to a connection, and is gone when that breaks.
            rows, _ = yield from self._execute(connection, "SELECT GET_LOCK(%(turn)s, 0)", {"turn": self._turn})
            if rows[0][0] != 1:
                return 0
            _, removed = yield from self._execute(connection, self._statements["prune"], self._batch_values())
            yield from self._execute(connection, "SELECT RELEASE_LOCK(%(turn)s)", {"turn": self._turn})
            return removed

        removed: int = yield from client.use(take_turn)
        return removed

    def _says_no_table(self, error: Exception) -> bool:
        return _code(error) in _NO_TABLE

    def _says_exists(self, error: Exception) -> bool:
        return _code(error) in _EXISTS

    def _says_again(self, error: Exception) -> bool:
        return _code(error) in _AGAIN

    def _says_refused(self, error: Exception) -> bool:
        return _code(error) in _REFUSED

    def _refusal(self, error: Exception) -> str:
        if _code(error) in (1153, 1406):
            return "is larger than its column, or a packet, may be"
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
        max_connections=urls.whole_number,
        timeout=urls.number,
        prune_every=urls.number_or_none,
    )
    return MysqlStore(place, **options, clock=clock)
