"""The tables of three stores of Node's that stand on an ORM: connect-session-sequelize, connect-typeorm, prisma."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from sessile import InvalidOption, Sessions, UnserialisableValue, stores
from sessile.stores.base import Replaced
from sessile.stores.mysql import MysqlStore
from sessile.stores.postgresql import PostgresqlStore
from sessile.stores.sqlalchemy import SqlalchemyStore
from sessile.stores.sqlite import SqliteStore
from sessile.testing import FrozenClock, StoreConformance
from tests.conftest import SECRET
from tests.stores.beside import Node, change_in_turn, end_here, node_site
from tests.stores.databases import Mariadb, Postgres

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "data/orms.json").read_text("utf-8"))
LAYOUTS = list(GOLDEN)
#: By layout: the columns of id, data and end.
COLUMNS = {
    "connect-session-sequelize": ("sid", "data", "expires"),
    "connect-typeorm": ("id", "json", "expiredAt"),
    "prisma-session-store": ("sid", "data", "expiresAt"),
}


# The contract ---------------------------------------------------------------------------------------------------------


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> str:
    return str(request.param)


#: The ids of connect-session-sequelize have 36 characters at most, and the contract's have more. A table that was made
#: for longer ones takes them.
LONG_IDS = "connect-session-sequelize"


class TestSqlite(StoreConformance):
    @pytest.fixture
    def store(self, clock: FrozenClock, tmp_path: Path, layout: str) -> Iterator[Any]:
        store = SqliteStore(tmp_path / "sessions.db", layout=layout, clock=clock)
        yield store
        store.close()


class TestSqliteUnderAsyncio(StoreConformance):
    @pytest.fixture
    def store(self, clock: FrozenClock, tmp_path: Path, layout: str) -> Iterator[Any]:
        store = SqliteStore(tmp_path / "sessions.db", layout=layout, clock=clock)
        yield store.asynchronous()
        store.close()


class TestPostgresql(StoreConformance):
    @pytest.fixture
    def store(self, postgres: Postgres, clock: FrozenClock, layout: str) -> Iterator[Any]:
        # Other tests have a table "kit" with other columns.
        store = PostgresqlStore(postgres.url(), table=f"kit_{layout}", layout=layout, timeout=20, clock=clock)
        store.count()
        if layout == LONG_IDS:
            with psycopg.connect(postgres.url(), autocommit=True) as connection:
                connection.execute(f'ALTER TABLE "kit_{layout}" ALTER sid TYPE varchar(255)')
        yield store
        store.clear()
        store.close()


class TestPostgresqlUnderAsyncio(TestPostgresql):
    @pytest.fixture
    async def store(self, store: Any) -> Any:
        yield store.asynchronous()
        await store.asynchronous().close()


class TestMysql(StoreConformance):
    @pytest.fixture
    def store(self, mariadb: Mariadb, clock: FrozenClock, layout: str) -> Iterator[Any]:
        store = MysqlStore(mariadb.url(), table=f"kit_{layout}", layout=layout, timeout=20, clock=clock)
        store.count()
        if layout == LONG_IDS:
            connection = mariadb.connect()
            with connection.cursor() as cursor:
                text = "varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
                cursor.execute(f"ALTER TABLE `kit_{layout}` MODIFY sid {text}")
            connection.close()
        yield store
        store.clear()
        store.close()


class TestMysqlUnderAsyncio(TestMysql):
    @pytest.fixture
    async def store(self, store: Any) -> Any:
        yield store.asynchronous()
        await store.asynchronous().close()


class TestSqlalchemyOnSqlite(StoreConformance):
    @pytest.fixture
    def store(self, clock: FrozenClock, tmp_path: Path, layout: str) -> Iterator[Any]:
        engine = create_engine(f"sqlite:///{tmp_path}/sessions.db")
        other = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/sessions.db", poolclass=NullPool)
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 20000"))
        yield SqlalchemyStore(engine, async_engine=other, layout=layout, timeout=20, clock=clock)
        engine.dispose()


class TestSqlalchemyOnSqliteUnderAsyncio(StoreConformance):
    @pytest.fixture
    async def store(self, clock: FrozenClock, tmp_path: Path, layout: str) -> Any:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/sessions.db")
        yield SqlalchemyStore(async_engine=engine, layout=layout, timeout=20, clock=clock).asynchronous()
        await engine.dispose()


# Golden rows ----------------------------------------------------------------------------------------------------------


def golden_file(layout: str, path: Path, row: dict[str, Any]) -> None:
    """Make the table as the package does, with one row of it."""
    golden = GOLDEN[layout]
    with sqlite3.connect(path) as node:
        node.execute(golden["create"])
        names = ", ".join(row)
        node.execute(
            f"INSERT INTO {golden['table']} ({names}) VALUES ({', '.join('?' * len(row))})", tuple(row.values())
        )
    node.close()


def row_of(layout: str, path: Path) -> dict[str, Any]:
    with sqlite3.connect(path) as node:
        node.row_factory = sqlite3.Row
        row = dict(node.execute(f"SELECT * FROM {GOLDEN[layout]['table']}").fetchone())
    node.close()
    return row


def moment_of(layout: str, end: Any) -> float:
    if isinstance(end, int):
        return end / 1000
    from datetime import datetime

    return datetime.fromisoformat(end.replace(" +", "+")).timestamp()


@pytest.mark.parametrize("way", ["driver", "sqlalchemy"])
@pytest.mark.parametrize("which", ["row", "without a life"])
def test_a_golden_row_is_read_and_written_byte_for_byte(layout: str, which: str, way: str, tmp_path: Path) -> None:
    """The same row comes of writing what was read, at the moment at which Node wrote it."""
    golden = GOLDEN[layout]
    row = {**golden["row"], **golden.get(which, {})}
    sid, data, end = COLUMNS[layout]
    path = tmp_path / "node.db"
    golden_file(layout, path, row)
    now = moment_of(layout, golden["row"].get("updatedAt", row[end]))
    now = now if "updatedAt" in row else now - 3600
    clock = FrozenClock(now)
    store = SqliteStore(path, layout=layout, clock=clock)
    record = store.load(row[sid])
    assert record is not None
    assert record.payload.decode("utf-8") == row[data]
    assert record.expires_at == pytest.approx(moment_of(layout, row[end]), abs=0.0005)
    if way == "sqlalchemy":
        # It has whole seconds.
        engine = create_engine(f"sqlite:///{path}")
        other = SqlalchemyStore(engine, layout=layout, clock=clock)
        assert other.load(row[sid]).payload == record.payload
        assert other.load(row[sid]).expires_at == pytest.approx(record.expires_at, abs=0.001)
        assert other.touch(row[sid], 5) is True
        assert other.replace(row[sid], record.payload, record.expires_at - now, record.payload) == Replaced()
        assert 0 <= store.load(row[sid]).expires_at - record.expires_at < 1
        engine.dispose()
    assert store.touch(row[sid], 5) is True
    assert store.replace(row[sid], record.payload, record.expires_at - now, record.payload) == Replaced()
    store.close()
    assert row_of(layout, path) == row


def test_a_row_of_typeorm_that_was_destroyed_is_dead(tmp_path: Path) -> None:
    """Node leaves it in the table; and we end sessions as it does."""
    golden, path = GOLDEN["connect-typeorm"], tmp_path / "node.db"
    golden_file("connect-typeorm", path, {**golden["row"], **golden["destroyed"]})
    clock = FrozenClock(golden["row"]["expiredAt"] / 1000 - 3600)
    store = SqliteStore(path, layout="connect-typeorm", clock=clock)
    sid = golden["row"]["id"]
    payload = golden["row"]["json"].encode()
    assert store.load(sid) is None
    assert store.touch(sid, 60) is False
    assert store.replace(sid, b"{}", 60, payload) not in (Replaced(),)
    assert store.delete(sid) is False
    assert (store.count(), list(store.all())) == (0, [])
    assert store.create(sid, payload, 60) is True
    assert store.delete(sid) is True
    row = row_of("connect-typeorm", path)
    assert row["destroyedAt"] == time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(clock()))
    store.close()


@pytest.mark.parametrize("value", [1_796_022_176_248, "2026-11-30T07:02:56.248+00:00", "2026-11-30T07:02:56.248Z"])
def test_an_end_of_prisma_in_sqlite_is_a_number_or_text(value: Any, tmp_path: Path) -> None:
    """Prisma up to 6 wrote the first, 7 writes the second, and reads all three."""
    layout, path = "prisma-session-store", tmp_path / "node.db"
    row = {**GOLDEN[layout]["row"], "expiresAt": value}
    golden_file(layout, path, row)
    for step, there in ((-0.5, True), (0.5, False)):
        store = SqliteStore(path, layout=layout, clock=FrozenClock(1_796_022_176.248 + step))
        assert (store.load(row["sid"]) is not None) is there
        assert store.count() == int(there)
        assert len(list(store.all())) == int(there)
        store.close()
    store = SqliteStore(path, layout=layout, clock=FrozenClock(1_796_022_177))
    assert store.prune() == 1
    store.close()


@pytest.mark.parametrize("end", ["", "soon", None, 0, -1, 2**62, 1e308, "9999-99-99 99:99:99.999 +00:00", b"\xff"])
@pytest.mark.parametrize("data", ["", "null", '{"cookie":', "\x00", b"\xff"])
def test_nothing_in_a_row_raises(layout: str, end: Any, data: Any, tmp_path: Path) -> None:
    """What Node would not have written is no session, or one whose data cannot be read; and all verbs bear it."""
    sid, payload, ends = COLUMNS[layout]
    golden, path = GOLDEN[layout], tmp_path / "node.db"
    row = {**golden["row"], payload: data, ends: end}
    create = golden["create"].replace(" NOT NULL", "")
    with sqlite3.connect(path) as node:
        node.execute(create)
        marks = ", ".join("?" * len(row))
        node.execute(f"INSERT INTO {golden['table']} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
    node.close()
    store = SqliteStore(path, layout=layout)
    sessions = Sessions(secret=SECRET, store=store)
    assert sessions.open(row[sid]) is None
    store.count()
    list(store.all())
    store.touch(row[sid], 60)
    assert sessions.open(row[sid]) is None
    store.prune()
    store.delete(row[sid])
    assert store.load(row[sid]) is None
    sessions.close()


# In databases with a server -------------------------------------------------------------------------------------------


@dataclass
class Database:
    """One of the two, without a table of sessions."""

    kind: str
    layout: str
    url: str
    query: Callable[[str], list[Any]]

    @property
    def table(self) -> str:
        quote = '"' if self.kind == "postgresql" else "`"
        return f"{quote}{GOLDEN[self.layout]['table']}{quote}"

    def store(self, clock: Callable[[], float] = time.time, more: str = "") -> Any:
        return stores.from_url(f"{self.url}?layout={self.layout}{more}", clock)

    def engine(self) -> Any:
        driver = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}[self.kind]
        return create_engine(self.url.replace(f"{self.kind}:", f"{driver}:"))

    def columns(self) -> list[str]:
        """Return what the database says of the columns: name and type."""
        name = GOLDEN[self.layout]["table"]
        where = "" if self.kind == "postgresql" else " AND table_schema = DATABASE()"
        return [
            f"{column} {kind} {length or ''} {nullable}".replace("  ", " ")
            for column, kind, length, nullable in self.query(
                "SELECT column_name, data_type, CASE WHEN data_type LIKE '%char%' OR data_type LIKE 'character%' "
                "THEN character_maximum_length END, is_nullable "
                f"FROM information_schema.columns WHERE table_name = '{name}'{where} ORDER BY column_name"
            )
        ]


@pytest.fixture(params=["postgresql", "mysql"])
def database(request: pytest.FixtureRequest, layout: str) -> Iterator[Database]:
    server = request.getfixturevalue({"postgresql": "postgres", "mysql": "mariadb"}[request.param])
    is_postgresql = request.param == "postgresql"
    connection: Any = psycopg.connect(server.url(), autocommit=True) if is_postgresql else server.connect()

    def query(text: str) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(text)
            return list(cursor.fetchall()) if cursor.description else []

    found = Database(request.param, layout, server.url(), query)
    query(f"DROP TABLE IF EXISTS {found.table}")
    if is_postgresql:
        yield found
    else:
        # Sequelize and TypeORM leave the character set of their columns to the database.
        ((before,),) = query("SELECT @@character_set_database")
        query("ALTER DATABASE CHARACTER SET utf8mb4")
        yield found
        query(f"ALTER DATABASE CHARACTER SET {before}")
    query(f"DROP TABLE IF EXISTS {found.table}")
    connection.close()


def test_the_table_is_the_one_that_node_makes(database: Database) -> None:
    """In MySQL but for text, which takes no more than 64 KB."""
    with node_site("orm-store.js", database.layout, database.kind, database.url) as node:
        node.get(None, set='{"n":1}')
    theirs = database.columns()
    database.query(f"DROP TABLE {database.table}")
    store = database.store()
    assert store.count() == 0
    store.close()
    ours = database.columns()
    if database.kind == "mysql":
        theirs = [line.replace(" text ", " mediumtext ") for line in theirs]
    assert ours == theirs


def as_text(moment: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment))


@pytest.mark.parametrize("which", ["row", "without a life"])
def test_a_golden_row_is_read_and_written_byte_for_byte_in_a_server(database: Database, which: str) -> None:
    """Each column as the database shows it; but there an end of ours is a whole second."""
    layout, quote = database.layout, {"postgresql": '"', "mysql": "`"}[database.kind]
    sid, data, end = COLUMNS[layout]
    row = {**GOLDEN[layout]["row"], **GOLDEN[layout].get(which, {})}
    ends = int(moment_of(layout, row[end]))
    written = int(moment_of(layout, row["updatedAt"])) if "updatedAt" in row else ends - 3600
    for name in row.keys() & {"createdAt", "updatedAt"}:
        row[name] = as_text(written)
    row[end] = ends * 1000 if layout == "connect-typeorm" else as_text(ends)
    store = database.store(FrozenClock(written))
    assert store.count() == 0
    names = ", ".join(f"{quote}{name}{quote}" for name in row)
    values = ", ".join("NULL" if value is None else f"'{value}'" for value in row.values())
    if database.kind == "postgresql":
        database.query("SET TIME ZONE 'UTC'")
    database.query(f"INSERT INTO {database.table} ({names}) VALUES ({values})")
    before = database.query(f"SELECT {names} FROM {database.table}")
    record = store.load(row[sid])
    assert (record.payload.decode("utf-8"), record.expires_at) == (row[data], ends)
    assert store.touch(row[sid], 5) is True
    assert database.query(f"SELECT {names} FROM {database.table}") != before
    assert store.replace(row[sid], record.payload, ends - written, record.payload) == Replaced()
    assert database.query(f"SELECT {names} FROM {database.table}") == before
    store.close()


def test_an_end_is_that_moment_in_any_time_zone(database: Database) -> None:
    """Whole seconds, rounded up, whatever zone the server or the connection is in. Nobody needs to be warned."""
    clock = FrozenClock(2_000_000_000.123)
    more = "&options=-c%20TimeZone%3DAsia/Kolkata" if database.kind == "postgresql" else ""
    if database.kind == "mysql":
        database.query("SET GLOBAL time_zone = '+05:30'")
    store = database.store(clock, more)
    try:
        assert store.create("a", b"{}", 3600) is True
        assert store.load("a").expires_at == 2_000_003_601
        column = COLUMNS[database.layout][2]
        quoted = f'"{column}"' if database.kind == "postgresql" else column
        ((end,),) = database.query(f"SELECT CAST({quoted} AS char(40)) FROM {database.table}")
        assert end.strip() in (
            "2033-05-18 04:33:21",
            "2033-05-18 04:33:21.000",
            "2033-05-18 04:33:21+00",
            "2000003601000",
        )
        clock.advance(3600.5)
        assert store.load("a") is not None
        clock.advance(0.5)
        assert store.load("a") is None
        assert store.prune() == 1
    finally:
        if database.kind == "mysql":
            database.query("SET GLOBAL time_zone = 'SYSTEM'")
        store.close()


def test_an_engine_of_sqlalchemy_uses_the_same_table(database: Database, clock: FrozenClock) -> None:
    own, engine = database.store(clock), database.engine()
    store = SqlalchemyStore(engine, layout=database.layout, clock=clock)
    assert store.create("a", '{"a":"Größe 😀"}'.encode(), 60) is True
    assert own.load("a") == store.load("a")
    assert own.load("a").expires_at == clock.now + 60
    assert own.touch("a", 1e15) is True
    assert store.load("a") == own.load("a")
    assert store.delete("a") is True
    assert own.load("a") is None
    assert own.create("a", b"{}", 60) is True
    own.close()
    engine.dispose()


def test_a_user_is_logged_out_everywhere(database: Database) -> None:
    """The keys of the index are longer than the ids of some packages."""
    sessions = Sessions(secret=SECRET, store=database.store())
    session = sessions.engine.blank()
    session.login("zoe")
    sessions.engine.commit_sync(session)
    assert len(sessions.of_user("zoe")) == 1
    assert sessions.revoke_user("zoe") == 1
    assert sessions.open(session.id) is None
    sessions.close()
    name = GOLDEN[database.layout]["table"]
    quote = '"' if database.kind == "postgresql" else "`"
    database.query(f"DROP TABLE {quote}{name}_index{quote}")


@pytest.mark.parametrize("layout", ["connect-session-sequelize"], indirect=False)
def test_an_id_that_its_column_cannot_hold_is_an_error_and_no_outage(database: Database) -> None:
    store = database.store()
    with pytest.raises(UnserialisableValue):
        store.create("x" * 37, b"{}", 60)
    store.close()


def test_a_time_zone_means_nothing(layout: str) -> None:
    with pytest.raises(InvalidOption, match="time_zone"):
        PostgresqlStore("dbname=x", layout=layout, time_zone="Europe/Berlin")


# Beside Node ----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["node", "us"])
async def beside(request: pytest.FixtureRequest, database: Database) -> Any:
    """A site of Node and a store of ours, in a table that one of them has made."""
    store = database.store()
    if request.param == "us":
        store.count()
    with node_site("orm-store.js", database.layout, database.kind, database.url) as node:
        node.get(None)
        yield node, store
    await store.asynchronous().close()
    store.close()


async def test_node_and_we_hand_a_session_to_and_fro(beside: tuple[Node, Any], layout: str) -> None:
    """In databases with a server."""
    await hand_to_and_fro(*beside, layout)


@pytest.mark.parametrize("maker", ["node", "us"])
async def test_node_and_we_hand_a_session_to_and_fro_in_sqlite(layout: str, maker: str, tmp_path: Path) -> None:
    """In a file that one of them has made."""
    path = tmp_path / "node.db"
    store = SqliteStore(path, layout=layout)
    if maker == "us":
        store.count()
    with node_site("orm-store.js", layout, "sqlite", str(path)) as node:
        node.get(None)
        await hand_to_and_fro(node, store, layout)
    store.close()


async def hand_to_and_fro(node: Node, store: Any, layout: str) -> None:
    """One session, changed here, under asyncio, and there in turn, from either beginning to either end."""
    ours, sid = await change_in_turn(node, store)

    # A touch moves the end, here and there.
    assert store.touch(sid, 3600) is True
    node.get(ours.cookie)
    assert store.load(sid).expires_at == pytest.approx(time.time() + 60, abs=5)

    # A life that is over here is over there; and so is a session that we end.
    assert store.touch(sid, -5) is True
    if layout == "connect-session-sequelize":
        # It does not look at the end: what has ended is served there until it has been removed.
        assert store.prune() == 1
    seen, _ = node.get(ours.cookie)
    assert "deep" not in seen
    await end_here(node, ours)
