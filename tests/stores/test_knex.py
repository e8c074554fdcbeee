"""The stores for PostgreSQL and MySQL in the tables of Node's connect-session-knex."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine

from sessile import InvalidOption, UnserialisableValue, stores
from sessile.stores.mysql import MysqlStore
from sessile.stores.postgresql import PostgresqlStore
from sessile.stores.sqlalchemy import SqlalchemyStore
from sessile.testing import FrozenClock, StoreConformance
from tests.stores.beside import Node, change_in_turn, end_here, node_site
from tests.stores.databases import Mariadb, Postgres

LAYOUT = "connect-session-knex"


class TestPostgresql(StoreConformance):
    """The contract; how a failing server is borne does not depend on the table."""

    @pytest.fixture
    def store(self, postgres: Postgres, clock: FrozenClock) -> Iterator[Any]:
        store = PostgresqlStore(postgres.url(), table="kit", layout=LAYOUT, timeout=20, clock=clock)
        yield store
        store.clear()
        store.close()


class TestPostgresqlUnderAsyncio(StoreConformance):
    @pytest.fixture
    async def store(self, postgres: Postgres, clock: FrozenClock) -> Any:
        store = PostgresqlStore(postgres.url(), table="kit", layout=LAYOUT, timeout=20, clock=clock)
        yield store.asynchronous()
        await store.asynchronous().clear()
        await store.asynchronous().close()
        store.close()


class TestMysql(StoreConformance):
    """The contract, with ends that are dates."""

    @pytest.fixture
    def store(self, mariadb: Mariadb, clock: FrozenClock) -> Iterator[Any]:
        store = MysqlStore(mariadb.url(), table="kit", layout=LAYOUT, timeout=20, clock=clock)
        yield store
        store.clear()
        store.close()


class TestMysqlUnderAsyncio(StoreConformance):
    @pytest.fixture
    async def store(self, mariadb: Mariadb, clock: FrozenClock) -> Any:
        store = MysqlStore(mariadb.url(), table="kit", layout=LAYOUT, timeout=20, clock=clock)
        yield store.asynchronous()
        await store.asynchronous().clear()
        await store.asynchronous().close()
        store.close()


# The databases --------------------------------------------------------------------------------------------------------


@dataclass
class Database:
    """One of the two, without a table of sessions."""

    kind: str
    #: What knex calls the driver of Node's.
    client: str
    url: str
    query: Callable[[str], list[Any]]

    def store(self, clock: Callable[[], float] = time.time, more: str = "") -> Any:
        return stores.from_url(f"{self.url}?layout={LAYOUT}{more}", clock)

    def engine(self) -> Any:
        driver = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}[self.kind]
        return create_engine(self.url.replace(f"{self.kind}:", f"{driver}:"))

    def table(self) -> list[str]:
        """Return what the database says of the table, line by line."""
        if self.kind == "mysql":
            ((_, text),) = self.query("SHOW CREATE TABLE sessions")
            return [line.strip().rstrip(",") for line in text.splitlines()[1:-1]]
        columns = """SELECT column_name, data_type, character_maximum_length, is_nullable, datetime_precision,
            collation_name FROM information_schema.columns WHERE table_name = 'sessions' ORDER BY ordinal_position"""
        indexes = "SELECT indexdef FROM pg_indexes WHERE tablename = 'sessions' ORDER BY 1"
        return [str(row) for row in self.query(columns) + self.query(indexes)]


@pytest.fixture(params=["postgresql", "mysql"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    server = request.getfixturevalue({"postgresql": "postgres", "mysql": "mariadb"}[request.param])
    is_postgresql = request.param == "postgresql"
    connection: Any = psycopg.connect(server.url(), autocommit=True) if is_postgresql else server.connect()

    def query(text: str) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(text)
            return list(cursor.fetchall()) if cursor.description else []

    yield Database(request.param, {"postgresql": "pg", "mysql": "mysql2"}[request.param], server.url(), query)
    query("DROP TABLE IF EXISTS sessions")
    connection.close()


# The table ------------------------------------------------------------------------------------------------------------


def test_the_table_is_the_one_that_node_makes(database: Database) -> None:
    """To the letter in PostgreSQL; in MySQL but for what takes any session, and tells all ids apart."""
    with node_site("knex-store.js", database.client, database.url) as node:
        node.get(None, set='{"n":1}')
    theirs = database.table()
    database.query("DROP TABLE sessions")
    store = database.store()
    assert store.count() == 0
    store.close()
    ours = database.table()
    if database.kind == "postgresql":
        assert ours == theirs
        return
    assert [line for line in ours if line not in theirs] == [
        "`sid` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL",
        "`sess` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL",
    ]
    assert [line for line in theirs if line not in ours] == [
        "`sid` varchar(255) NOT NULL",
        "`sess` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL CHECK (json_valid(`sess`))",
    ]


def test_an_end_is_that_moment_in_any_time_zone(database: Database) -> None:
    """Whole seconds, rounded up; MySQL has them in UTC, and PostgreSQL with their zone. Nobody needs to be warned."""
    clock = FrozenClock(2_000_000_000.123)
    more = "&options=-c%20TimeZone%3DAsia/Kolkata" if database.kind == "postgresql" else ""
    if database.kind == "mysql":
        database.query("SET GLOBAL time_zone = '+05:30'")
    store = database.store(clock, more)
    try:
        assert store.create("a", b"{}", 3600) is True
        assert store.load("a").expires_at == 2_000_003_601
        ((end,),) = database.query("SELECT CAST(expired AS char(30)) FROM sessions")
        assert end.strip() in ("2033-05-18 04:33:21", "2033-05-18 04:33:21+00")
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
    store = SqlalchemyStore(engine, layout=LAYOUT, clock=clock)
    assert store.create("a", '{"a":"Größe 😀"}'.encode(), 60) is True
    assert own.load("a") == store.load("a")
    assert own.load("a").expires_at == clock.now + 60
    assert own.touch("a", 1e15) is True
    assert store.load("a") == own.load("a")
    own.close()
    engine.dispose()


@pytest.mark.parametrize("url", ["postgresql://localhost/x?layout=sequelize", "mysql://localhost/x?layout=sequelize"])
def test_an_unknown_layout_is_refused(url: str) -> None:
    with pytest.raises(InvalidOption, match=LAYOUT):
        stores.from_url(url, time.time)


def test_options_that_mean_nothing_are_refused() -> None:
    with pytest.raises(InvalidOption, match="time_zone"):
        PostgresqlStore("dbname=x", layout=LAYOUT, time_zone="Europe/Berlin")
    with pytest.raises(InvalidOption, match="layout"):
        SqlalchemyStore(create_engine("sqlite://"), layout="express-mysql-session")


# Beside Node ----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["node", "us"])
async def beside(request: pytest.FixtureRequest, database: Database) -> Any:
    """A site of Node and a store of ours, in a table that one of them has made."""
    store = database.store()
    if request.param == "us":
        store.count()
    with node_site("knex-store.js", database.client, database.url) as node:
        node.get(None, set="{}")  # Its first session waits until it has made the table.
        yield node, store
    await store.asynchronous().close()
    store.close()


async def test_node_and_we_hand_a_session_to_and_fro(beside: tuple[Node, Any]) -> None:
    """One session, changed here and there in turn, from either beginning to either end."""
    node, store = beside
    ours, sid = await change_in_turn(node, store)

    # A touch moves the end, here and there, and nothing else.
    payload = store.load(sid).payload
    assert store.touch(sid, 3600) is True
    node.get(ours.cookie)
    assert store.load(sid).expires_at == pytest.approx(time.time() + 60, abs=5)
    assert store.load(sid).payload == payload

    # A life that is over here is over there; and so is a session that we end.
    assert store.touch(sid, -5) is True
    seen, _ = node.get(ours.cookie)
    assert "deep" not in seen
    await end_here(node, ours)


async def test_half_a_surrogate_pair_is_kept_in_any_table_but_that_of_node_in_mariadb(
    database: Database, beside: tuple[Node, Any], request: pytest.FixtureRequest
) -> None:
    """There Node fails as well; it is told from an outage, and the remedy is named."""
    _, store = beside
    payload = rb'{"cookie":{},"lone":"\ud800"}'
    if database.kind == "mysql" and "node" in request.node.callspec.params.values():
        with pytest.raises(UnserialisableValue, match="Make it longtext"):
            store.create("a", payload, 60)
        database.query("ALTER TABLE sessions MODIFY sess longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL")
    assert store.create("a", payload, 60) is True
    assert store.load("a").payload == payload
