"""The store of MySQL and MariaDB."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from sessile import InvalidOption, StoreRefused, StoreUnavailable, UnserialisableValue, stores
from sessile.stores._shared import pool as pools
from sessile.stores._shared.tables import index_table
from sessile.stores.base import Conflict, Missing, Replaced
from sessile.stores.mysql import MysqlStore
from sessile.stores.sqlalchemy import SqlalchemyStore
from sessile.testing import FrozenClock, Link, StoreConformance
from sessile.testing.conformance import ask
from tests.processes import forked
from tests.stores.beside import Ours, hand_to_and_fro, node_site
from tests.stores.databases import Mariadb, eight_at_once, reach
from tests.stores.trials import (
    each_event_loop_has_connections_of_its_own,
    killed_server_comes_back,
    visitor_is_told_to_come_again,
)
from tests.waiting import PATIENCE, answered, wait_for

GOLDEN = json.loads((Path(__file__).parent / "data" / "express-mysql-session-3.json").read_text("utf-8"))


class Query:
    """A connection for tests: ``query(...)`` returns all rows."""

    def __init__(self, server: Mariadb) -> None:
        self.connection = server.connect()

    def __call__(self, text: str, *values: Any) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(text, values or None)
            return list(cursor.fetchall())


@pytest.fixture
def query(mariadb: Mariadb) -> Iterator[Query]:
    """A connection to a database that is emptied afterwards."""
    query = Query(mariadb)
    yield query
    query.connection.close()
    query = Query(mariadb)
    query("DROP DATABASE test")
    query("CREATE DATABASE test")
    query.connection.close()


@pytest.fixture(scope="class")
def emptied(mariadb: Mariadb) -> Iterator[Query]:
    """Rows are removed faster than tables."""
    query = Query(mariadb)
    yield query
    query("DROP TABLE sessions")
    query.connection.close()


class TestMysql(StoreConformance):
    """The contract, for synchronous callers."""

    deadline = 1.0

    @pytest.fixture
    def server(self, mariadb: Mariadb, emptied: Query) -> Iterator[Link]:
        with Link(mariadb.port) as link:
            yield link
        if emptied("SHOW TABLES LIKE 'sessions'"):
            emptied("DELETE FROM sessions")

    @pytest.fixture
    async def store(self, patience: float, mariadb: Mariadb, server: Link, clock: FrozenClock) -> AsyncIterator[Any]:
        store = MysqlStore(mariadb.url(server.port), timeout=patience, clock=clock)
        yield self.coloured(store)
        server.resume()
        await store.asynchronous().close()
        store.close()

    def coloured(self, store: MysqlStore) -> Any:
        return store


class TestMysqlUnderAsyncio(TestMysql):
    """The contract, for asyncio."""

    def coloured(self, store: MysqlStore) -> Any:
        return store.asynchronous()


@pytest.fixture
def store(mariadb: Mariadb, query: Query, clock: FrozenClock) -> Iterator[MysqlStore]:
    store = MysqlStore(mariadb.url(), timeout=PATIENCE, clock=clock)
    yield store
    store.close()


# Beside Node ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", GOLDEN["rows"], ids=lambda row: row["scenario"])
def test_rows_of_express_mysql_session_are_read_and_written(mariadb: Mariadb, query: Query, row: Any) -> None:
    """What it wrote is read; and what we write in its place is the same row, to the byte and the second."""
    clock = FrozenClock(2_000_000_000)
    store = MysqlStore(mariadb.url(), clock=clock)
    query(GOLDEN["schema"])
    before = (row["session_id"], row["expires"], row["data"])
    query("INSERT INTO sessions VALUES (%s, %s, %s)", *before)
    record = store.load(row["session_id"])
    assert record.payload == row["data"].encode()
    assert record.expires_at == row["expires"]
    assert list(store.all()) == [(row["session_id"], record)]
    store.delete(row["session_id"])
    assert store.create(row["session_id"], record.payload, row["expires"] - 2_000_000_000) is True
    assert query("SELECT * FROM sessions") == [before]
    if "touched" in row:
        clock.advance(10.5)
        store.touch(row["session_id"], 3600)
        assert query("SELECT expires, data FROM sessions") == [(row["touched"], row["data"])]
    store.close()


def test_the_table_is_the_one_that_node_makes(store: MysqlStore, query: Query) -> None:
    """Column for column; and an index more, for pruning."""
    store.count()
    ((_, ours),) = query("SHOW CREATE TABLE sessions")
    query("DROP TABLE sessions")
    query(GOLDEN["schema"])
    ((_, theirs),) = query("SHOW CREATE TABLE sessions")

    def lines(schema: str) -> set[str]:
        return {line.strip().rstrip(",") for line in schema.splitlines()[:-1]}

    assert lines(ours) - lines(theirs) == {"KEY `expires` (`expires`)"}
    assert lines(theirs) <= lines(ours)


def test_node_and_we_hand_a_session_to_and_fro(mariadb: Mariadb, query: Query, new_visitor: Any) -> None:
    """The same cookie, the same row, the real express-mysql-session."""
    store = MysqlStore(mariadb.url())
    store.count()
    with node_site("database-store.js", "mysql", str(mariadb.port)) as node:
        hand_to_and_fro(node, new_visitor(store=store, clock=time.time), store)
    store.close()


# The table ------------------------------------------------------------------------------------------------------------


def test_eight_processes_that_start_at_once(mariadb: Mariadb, query: Query) -> None:
    """With no table yet: all of them work."""
    eight_at_once(mariadb.url())
    assert query("SELECT count(*) FROM sessions") == [(8,)]


@pytest.mark.parametrize("table", ["user-sessions", "odd `name` 100%", "x" * 64, "Größe", "select"])
def test_any_name_is_a_name(mariadb: Mariadb, query: Query, clock: FrozenClock, table: str) -> None:
    """Two stores in one database do not get into each other's way."""
    store, other = (MysqlStore(mariadb.url(), table=name, clock=clock) for name in (table, "sessions"))
    assert store.create("a", b"{}", 60) is True
    assert other.create("a", b"[]", 60) is True
    assert store.load("a").payload == b"{}"
    clock.advance(60)
    assert store.prune() == 1
    store.clear()
    assert table in {name for (name,) in query("SHOW TABLES")}
    store.close()
    other.close()


def test_a_table_that_vanished_is_made_again(store: MysqlStore, query: Query) -> None:
    """Who drops the table ends the sessions; that is all."""
    assert store.create("a", b"{}", 60) is True
    query("DROP TABLE sessions")
    assert store.load("a") is None
    assert store.create("a", b"{}", 60) is True


def test_a_row_without_data_is_a_record(store: MysqlStore, query: Query) -> None:
    """The column allows it, and nobody's request may fail for it."""
    store.count()
    query("INSERT INTO sessions VALUES ('a', 4000000000, NULL)")
    assert store.load("a").payload == b""
    assert store.count() == 1
    assert [sid for sid, _ in store.all()] == ["a"]


def test_what_is_too_large_is_named_and_no_outage(store: MysqlStore, query: Query) -> None:
    """Neither cut nor taken for a server that is gone."""
    ((most,),) = query("SELECT @@max_allowed_packet")
    assert most == 16 * 1024 * 1024
    store.create("a", b"{}", 60)
    for size in (most, most - 100):
        with pytest.raises(UnserialisableValue, match="max_allowed_packet, 16777216"):
            store.replace("a", b'"' + b"x" * size + b'"', 60, b"{}")
    query("ALTER TABLE sessions MODIFY data text CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    with pytest.raises(UnserialisableValue, match="larger than its column") as caught:
        store.replace("a", b'"' + b"secret" * 15_000 + b'"', 60, b"{}")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert store.load("a").payload == b"{}"


def test_a_column_that_knows_no_emoji(store: MysqlStore, query: Query) -> None:
    """It is named; what it can hold, it holds."""
    store.create("a", '{"a":"Größe"}'.encode(), 60)
    query("ALTER TABLE sessions MODIFY data mediumtext CHARACTER SET utf8mb3 COLLATE utf8mb3_bin")
    with pytest.raises(UnserialisableValue, match="utf8mb4"):
        store.replace("a", '{"a":"😀"}'.encode(), 60, '{"a":"Größe"}'.encode())
    assert store.replace("a", '{"a":"Öl"}'.encode(), 60, '{"a":"Größe"}'.encode()) == Replaced()
    assert store.load("a").payload.decode() == '{"a":"Öl"}'


def test_ends_beyond_what_the_column_holds(store: MysqlStore, query: Query) -> None:
    """Are its last second, in 2106."""
    store.create("a", b"{}", float("inf"))
    assert query("SELECT expires FROM sessions") == [(2**32 - 1,)]


def test_a_server_of_other_modes(mariadb: Mariadb, query: Query, clock: FrozenClock) -> None:
    """Our connections have their own: strict, and with backslashes as ever."""
    query("SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'")
    store = MysqlStore(mariadb.url(), clock=clock)
    try:
        for payload in (b'{"a":"\\\\ \\" \' \\n"}', b'"\\ud800"'):
            store.create("a'b\\", payload, 60)
            assert store.load("a'b\\").payload == payload
            store.delete("a'b\\")
        query("ALTER TABLE sessions MODIFY data tinytext")
        with pytest.raises(UnserialisableValue):
            store.create("a", b'"' + b"x" * 300 + b'"', 60)
    finally:
        query("SET GLOBAL sql_mode = DEFAULT")
        store.close()


# Races ----------------------------------------------------------------------------------------------------------------


def test_replace_sees_what_it_has_waited_for(mariadb: Mariadb, store: MysqlStore, query: Query) -> None:
    """It began before the other's change was committed, and tells what that was; or that the row is gone."""
    from concurrent.futures import ThreadPoolExecutor

    changes: dict[str, Any] = {
        "UPDATE sessions SET data = '[2]'": Conflict(b"[2]"),
        "UPDATE sessions SET expires = expires + 3600": Replaced(),
        "UPDATE sessions SET expires = 0": Missing(),
        "DELETE FROM sessions": Missing(),
    }
    store.count()
    for change, answer in changes.items():
        store.create("a", b"[1]", 60)
        other = Query(mariadb)
        other("BEGIN")
        other(change)
        with ThreadPoolExecutor(1) as thread:
            call = thread.submit(store.replace, "a", b"[3]", 60, b"[1]")
            wait_for(
                lambda: query("SELECT count(*) FROM information_schema.processlist WHERE state = 'Updating'") == [(1,)]
            )
            other("COMMIT")
            assert call.result() == answer
        other.connection.close()
        store.clear()


# Pruning --------------------------------------------------------------------------------------------------------------


def expired(query: Query, number: int) -> None:
    query(f"INSERT INTO sessions SELECT concat('old', seq), 5, '{{}}' FROM seq_1_to_{number}")


def test_expired_rows_are_removed_in_passing(store: MysqlStore, query: Query, clock: FrozenClock) -> None:
    """In the background, in batches, by whoever creates a session when it is due."""
    store.count()
    expired(query, 2500)
    clock.advance(1351)
    store.create("a", b"{}", 86_400)
    wait_for(lambda: query("SELECT count(*) FROM sessions") == [(1,)])


async def test_and_under_asyncio_too(mariadb: Mariadb, query: Query, clock: FrozenClock) -> None:
    """Without holding up the one who is served."""
    store = MysqlStore(mariadb.url(), prune_every=60, clock=clock).asynchronous()
    await store.count()
    expired(query, 1500)
    clock.advance(91)
    await store.create("a", b"{}", 60)
    while query("SELECT count(*) FROM sessions") != [(1,)]:
        await asyncio.sleep(0.005)
    await store.close()


def test_one_process_prunes_at_a_time(mariadb: Mariadb, store: MysqlStore, query: Query) -> None:
    """The others go on; and the lock is given back."""
    store.count()
    expired(query, 10)
    query("SELECT GET_LOCK('sessile sessions', 0)")
    assert store._drive(store._sweep(store._connected())) == 0
    assert store.prune() == 10, "whoever asks for it gets it"
    query("SELECT RELEASE_LOCK('sessile sessions')")
    expired(query, 10)
    assert store._drive(store._sweep(store._connected())) == 10
    assert query("SELECT IS_FREE_LOCK('sessile sessions')") == [(1,)]


# Outages --------------------------------------------------------------------------------------------------------------


async def test_a_server_that_is_killed_and_comes_back(mariadb: Mariadb, query: Query, clock: FrozenClock) -> None:
    """Once after an outage that was noticed, once in between."""

    def restart() -> None:
        mariadb.kill()
        mariadb.start()

    await killed_server_comes_back(MysqlStore(mariadb.url(), timeout=1, clock=clock), mariadb.kill, restart)


async def test_a_visitor_is_told_to_come_again(mariadb: Mariadb, query: Query) -> None:
    """Whether the server is gone or silent."""
    with Link(mariadb.port) as link:
        await visitor_is_told_to_come_again(Ours(MysqlStore(mariadb.url(link.port), timeout=1)), link)


async def test_who_waits_for_a_lock_waits_no_longer_than_the_deadline(
    mariadb: Mariadb, store: MysqlStore, query: Query, clock: FrozenClock
) -> None:
    """Here, and a little longer at the server, where nothing of it stays behind."""
    store.create("a", b"{}", 60)
    impatient = MysqlStore(mariadb.url(), timeout=0.2, clock=clock)
    under_asyncio = impatient.asynchronous()
    other = Query(mariadb)
    other("LOCK TABLES sessions WRITE")
    # The lock is still held: who got an answer did not wait for it.
    with pytest.raises(StoreUnavailable):
        impatient.touch("a", 60)
    with pytest.raises(StoreUnavailable):
        await under_asyncio.touch("a", 60)
    waiting = "SELECT count(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for table%'"
    wait_for(lambda: query(waiting) == [(0,)])
    other.connection.close()
    wait_for(lambda: impatient.touch("a", 60) is True)
    assert await answered(lambda: under_asyncio.touch("a", 60)) is True
    await under_asyncio.close()
    impatient.close()


def test_there_are_never_more_connections_than_said(mariadb: Mariadb, query: Query, clock: FrozenClock) -> None:
    """Who comes when all are in use waits his turn; and closing closes them."""
    query("CREATE USER IF NOT EXISTS counted")
    query("GRANT ALL ON test.* TO counted")
    store = MysqlStore(mariadb.url().replace("root@", "counted@"), max_connections=2, clock=clock)
    store.create("a", b"{}", 60)
    StoreConformance.in_threads([lambda: [store.load("a") for _ in range(20)]] * 6)
    count = "SELECT count(*) FROM information_schema.processlist WHERE user = 'counted'"
    assert query(count) in ([(1,)], [(2,)])
    store.close()
    wait_for(lambda: query(count) == [(0,)])


def test_one_store_for_several_event_loops(store: MysqlStore) -> None:
    """One after the other."""
    each_event_loop_has_connections_of_its_own(store)
    gc.collect()


def test_a_forked_child_has_connections_of_its_own(store: MysqlStore) -> None:
    """It neither uses nor closes its parent's."""
    store.create("a", b"{}", 60)
    assert forked(lambda: store.replace("a", b"[]", 60, b"{}") == Replaced())
    assert store.load("a").payload == b"[]"


def test_a_fork_that_nobody_tells_of(store: MysqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """As uWSGI's: to a process with another id the connections are its parent's, and are left alone."""
    store.create("a", b"{}", 60)
    (inherited,) = store._connected()._idle
    monkeypatch.setattr(pools.os, "getpid", lambda: -1)
    assert store.load("a").payload == b"{}"
    assert inherited not in store._connected()._idle
    monkeypatch.undo()
    inherited.connection.ping(reconnect=False)


# Refusals -------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["sync", "async", "sqlalchemy"])
async def any_store(request: pytest.FixtureRequest, query: Query, clock: FrozenClock) -> AsyncIterator[Any]:
    """A function that makes a store for a URL: ours, of either kind, or by an engine."""
    made: list[Callable[[], Any]] = []

    def make(url: str) -> Any:
        if request.param == "sqlalchemy":
            engine = create_engine(url.replace("mysql:", "mysql+pymysql:"))
            made.append(engine.dispose)
            return SqlalchemyStore(engine, timeout=PATIENCE, clock=clock)
        store = MysqlStore(url, timeout=PATIENCE, clock=clock)
        if request.param == "async":
            store = store.asynchronous()
        made.append(store.close)
        return store

    yield make
    for close in made:
        await ask(close())


async def test_a_writer_that_was_demoted_is_left(any_store: Any, mariadb: Mariadb, query: Query) -> None:
    """While it takes no writes it says so, and serves who reads. The first write that can be done is done."""
    query("CREATE USER IF NOT EXISTS modest")  # Who may do everything may write all the same.
    query("GRANT ALL ON test.* TO modest")
    store = any_store(mariadb.url().replace("root@", "modest@"))
    await ask(store.create("a", b"{}", 60))
    query("SET GLOBAL read_only = 1")
    try:
        for operation, call in {
            "touch": lambda: store.touch("a", 60),
            "create": lambda: store.create("b", b"{}", 60),
            "replace": lambda: store.replace("a", b"[]", 60, b"{}"),
            "delete": lambda: store.delete("a"),
        }.items():
            with pytest.raises(StoreRefused, match="1290: .*read-only") as caught:
                await ask(call())
            assert caught.value.operation == operation
            assert (await ask(store.load("a"))).payload == b"{}"
    finally:
        query("SET GLOBAL read_only = 0")
    assert await ask(store.touch("a", 60)) is True


async def test_connections_of_a_demoted_writer_are_not_kept(any_store: Any, mariadb: Mariadb, query: Query) -> None:
    """Those that were opened while it took no writes: the first refusal ends them all, and the write is done elsewhere."""
    store = any_store(mariadb.url())
    await ask(store.create("a", b"{}", 60))
    query("SET GLOBAL tx_read_only = 1")
    try:
        for (number,) in query("SELECT id FROM information_schema.processlist WHERE id <> connection_id()"):
            query(f"KILL {number}")
        with pytest.raises(StoreRefused, match="1792") as caught:
            await reach(lambda: store.touch("a", 60))
        assert caught.value.operation == "touch"
    finally:
        query("SET GLOBAL tx_read_only = 0")
    assert await reach(lambda: store.replace("a", b"[0]", 60, b"{}"), refused=True) == Replaced()
    for number in range(3):
        assert await ask(store.replace("a", b"[%d]" % (number + 1), 60, b"[%d]" % number)) == Replaced()


async def test_a_user_who_may_not(any_store: Any, mariadb: Mariadb, query: Query) -> None:
    """Says which right is missing; and a database that is not there is named."""
    query("CREATE DATABASE shop")  # In the one called test everybody may do everything.
    try:
        query("CREATE USER IF NOT EXISTS reader")
        query("GRANT SELECT ON shop.* TO reader")
        store = any_store(mariadb.url().replace("root@", "reader@").replace("/test", "/shop"))
        with pytest.raises(StoreRefused, match="is no table sessions, and it cannot be made: 1142: CREATE") as caught:
            await ask(store.load("a"))
        assert caught.value.operation == "load"
        missing = any_store(mariadb.url().replace("/test", "/nowhere"))
        with pytest.raises(StoreRefused, match="1049: Unknown database 'nowhere'"):
            await ask(missing.load("a"))
    finally:
        query("DROP DATABASE shop")


async def test_a_table_of_somebody_else(any_store: Any, mariadb: Mariadb, query: Query) -> None:
    """Laravel's, say: the error names it, and what to do; nothing is quoted that was sent."""
    store = any_store(mariadb.url())
    for schema in (
        "CREATE TABLE sessions (id varchar(255) PRIMARY KEY, user_id bigint, payload longtext, last_activity int)",
        "CREATE TABLE sessions (session_id varchar(128) PRIMARY KEY, expires int unsigned, data text, user int NOT NULL)",
    ):
        query("DROP TABLE IF EXISTS sessions")
        query(schema)
        with pytest.raises(StoreRefused, match="sessions is not a table of sessions.*by table=") as caught:
            await ask(store.create("the-sid", b'{"secret":1}', 60))
        for text in (str(caught.value), str(caught.value.__cause__)):
            assert "the-sid" not in text
            assert "secret" not in text


def test_ids_of_nodes_that_differ_in_little(store: MysqlStore, query: Query) -> None:
    """They stand as they are. In a table as Node makes it, no collation takes one for the other."""
    store.create("Zoë@example.com 1", b"[1]", 60)
    assert query("SELECT session_id FROM sessions") == [("Zoë@example.com 1",)]
    query("ALTER TABLE sessions MODIFY session_id varchar(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    for other in ("zoë@example.com 1", "Zoe@example.com 1"):
        assert store.load(other) is None
        assert store.touch(other, 60) is False
        assert store.replace(other, b"[2]", 60, b"[1]") == Missing()
        assert store.create(other, b"[2]", 60) is False
        assert store.delete(other) is False
    assert store.load("Zoë@example.com 1").payload == b"[1]"


# Options --------------------------------------------------------------------------------------------------------------


def test_the_url_carries_the_options(mariadb: Mariadb, query: Query, clock: FrozenClock) -> None:
    """Ours, and those of the connection beside them."""
    more = f"?table=web%20sessions&timeout=1.5&prune_every=none&max_connections=3&unix_socket={mariadb.folder}/socket"
    for url in (
        mariadb.url(1, more),
        mariadb.url(1, more).replace("mysql:", "mariadb:").replace("root@127.0.0.1", "root@h"),
    ):
        store: Any = stores.from_url(url, clock)
        store.create("a", b"{}", 60)
        store.delete("a")
        assert query("SELECT count(*) FROM `web sessions`") == [(0,)]
        store.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://u:hush@h/d?tabel=x", "no option 'tabel'"),
        ("mysql://u:hush@h:port/d", "port is no number"),
        ("mysql://u:hush@h", "names no database"),
        ("mysql://u:hush@h/d?timeout=soon", "timeout: .* a number"),
        ("mysql://u:hush@h/d?max_connections=0", "from 1 on"),
        ("mysql://u:hush@h/d?table=", "table: "),
        ("mysql://u:hush@h/d?table=" + "x" * 65, "1 to 64"),
        ("mysql://u:hush@h/d?ssl=maybe", "yes or no"),
        ("mysql://u:hush@h/d?ssl_ca=/no/such/file", "PEM file"),
    ],
)
def test_a_wrong_url_says_what_to_write(url: str, message: str) -> None:
    """At construction, without the password."""
    with pytest.raises(InvalidOption, match=message) as caught:
        stores.from_url(url, FrozenClock())
    assert "hush" not in str(caught.value)


def test_its_repr_tells_no_password() -> None:
    """Nor anything else of the place."""
    assert repr(MysqlStore("mysql://u:hush@h/d")) == "<MysqlStore>"


def test_the_index_of_a_table_with_a_long_name_has_a_name_too() -> None:
    """Two tables whose names differ at their ends have two."""
    short, one, other = (index_table(name, 64) for name in ("sessions", "x" * 63 + "1", "x" * 63 + "2"))
    assert short == "sessions_index"
    assert one != other
    assert len(one) == len(other) <= 64
