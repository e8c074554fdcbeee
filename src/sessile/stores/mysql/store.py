# The table and the statements stand in table.py, what is done with them in _shared/tables.py, and what is special about
# the two drivers in driver.py.
"""Keep sessions in MySQL or MariaDB, in the table of a store of Node's."""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql
from asyncmy import errors as asyncmy_errors
from pymysql.constants import CLIENT

from sessile.dual import Steps
from sessile.errors import InvalidOption, UnserialisableValue
from sessile.stores._shared import options
from sessile.stores._shared import url as urls
from sessile.stores._shared.codes import Code
from sessile.stores._shared.pool import AsyncPool, Pool
from sessile.stores._shared.row import Keys
from sessile.stores._shared.server import DEADLINE
from sessile.stores._shared.statements import Rows
from sessile.stores._shared.tables import PRUNE_EVERY, TableStore, index_table
from sessile.stores.mysql.driver import AsyncDriver, Driver, code_of, words_of
from sessile.stores.mysql.table import CODES, LAYOUTS, fill_in

__all__ = ["MysqlStore", "from_url"]

#: From how many characters on a payload is measured before it is sent. No server allows less than a megabyte.
_LARGE = 250_000


class MysqlStore(TableStore):
    """Keeps records in a table of a MySQL or MariaDB database, which is made if there is none.

    ``place`` is ``mysql://user:password@host:3306/database``, and after a ``?`` what the connection needs:
    ``unix_socket=/run/mysqld/mysqld.sock``; ``ssl=yes``, which wants a certificate that this machine trusts; or
    ``ssl_ca=/path``, which wants one of that authority. There are up to ``max_connections`` at a time for each process
    and event loop. If your application has an engine of SQLAlchemy, give that to ``SqlalchemyStore`` instead.

    ``layout`` names the package of Node whose table it is: ``"express-mysql-session"``, ``"connect-session-knex"``,
    ``"connect-session-sequelize"``, ``"connect-typeorm"`` or ``"prisma-session-store"``.
    ``table`` is its name; None: what that package calls it, which is ``sessions`` in the first two.
    ``timeout`` is the deadline of a call, in seconds; in synchronous code, of each answer of the server.
    ``prune_every`` is about how often, in seconds, expired rows are removed in the background; None leaves it to
    ``prune()``.

    >>> store = MysqlStore("mysql://shop@localhost/shop")
    """

    lost = (
        pymysql.err.OperationalError,
        pymysql.err.InterfaceError,
        asyncmy_errors.OperationalError,
        asyncmy_errors.InterfaceError,
        OSError,
    )
    codes = CODES

    def __init__(
        self,
        place: str,
        *,
        table: str | None = None,
        layout: str = "express-mysql-session",
        max_connections: int = 10,
        timeout: float = DEADLINE,
        prune_every: float | None = PRUNE_EVERY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(timeout=timeout, prune_every=prune_every, clock=clock)
        self._max_connections = options.whole_number("max_connections", max_connections, 10)
        self._statements, self._schema, self.last_moment, longest = fill_in(layout, table)
        self._table = LAYOUTS[layout].table if table is None else table
        self._keys = Keys(longest)
        self._index_table = index_table(self._table, 64)
        self._of_index = fill_in(layout, self._index_table, indexes=True)[:2]
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

    def index(self) -> MysqlStore:
        """Return the store of the index: another table, made when it is first used."""
        statements, schema = self._of_index
        return self._for_index(_table=self._index_table, _statements=statements, _schema=schema)

    def _connect(self) -> Any:
        if self._asyncio:
            return AsyncPool(AsyncDriver(self._parameters), self._max_connections)
        return Pool(Driver({**self._parameters, "write_timeout": self._timeout}), self._max_connections)

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

    def _code(self, error: BaseException) -> Code:
        return code_of(error)

    def _words(self, error: BaseException) -> str:
        return words_of(error)

    def _unfit(self, error: Exception) -> str:
        if code_of(error) in (1153, 1406):
            return "is larger than its column, or a packet, may be"
        if code_of(error) in (3140, 4025):
            return "holds half a surrogate pair, or is nested too deep, for a column of type json. Make it longtext"
        return "holds characters that its column does not. Make its character set utf8mb4"

    def _now(self) -> int:
        # The column holds whole numbers, and is above 5.5 where it is above 5.
        return math.floor(self._clock())


def _parameters(place: str) -> dict[str, Any]:
    given = urls.options(place, unix_socket=str, ssl=urls.yes_or_no, ssl_ca=str)
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
    if "unix_socket" in given:
        found["unix_socket"] = given["unix_socket"]
    if "ssl_ca" in given or given.get("ssl"):
        try:
            found["ssl"] = ssl.create_default_context(cafile=given.get("ssl_ca"))
        except OSError:
            raise InvalidOption("ssl_ca", f"{given['ssl_ca']!r} holds no certificate", "Give a PEM file.") from None
    return found


def from_url(url: str, clock: Callable[[], float]) -> MysqlStore:
    """Return the store of ``mysql://user:password@host:3306/database?table=sessions&timeout=2``."""
    place, found = urls.split(
        url,
        table=str,
        layout=str,
        max_connections=urls.whole_number,
        timeout=urls.number,
        prune_every=urls.number_or_none,
    )
    return MysqlStore(place, **found, clock=clock)
