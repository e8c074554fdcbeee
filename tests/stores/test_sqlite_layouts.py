"""The SQLite store in the tables of stores of Node's."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sessile import InvalidOption, stores
from sessile.stores.base import Replaced
from sessile.stores.sqlite import SqliteStore
from sessile.stores.sqlite.layout import LAYOUTS
from sessile.testing import FrozenClock, StoreConformance
from tests.stores.beside import BesideNode, Node, Ours, node_site, sid_of

GOLDEN = json.loads((Path(__file__).parent / "data/better-sqlite3-session-store-0.1.json").read_text("utf-8"))
TEXT_LAYOUTS = ["better-sqlite3-session-store", "connect-session-knex"]


class TestBetterSqlite3(StoreConformance):
    """The contract, with an end that is text."""

    layout = "better-sqlite3-session-store"

    @pytest.fixture
    def store(self, clock: FrozenClock, tmp_path: Path) -> Iterator[Any]:
        store = SqliteStore(tmp_path / "sessions.db", layout=self.layout, clock=clock)
        yield store
        store.close()


class TestBetterSqlite3UnderAsyncio(TestBetterSqlite3):
    @pytest.fixture
    def store(self, clock: FrozenClock, tmp_path: Path) -> Iterator[Any]:
        store = SqliteStore(tmp_path / "sessions.db", layout=self.layout, clock=clock)
        yield store.asynchronous()
        store.close()


class TestKnex(TestBetterSqlite3):
    layout = "connect-session-knex"


class TestKnexUnderAsyncio(TestBetterSqlite3UnderAsyncio):
    layout = "connect-session-knex"


# Records of better-sqlite3-session-store ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GOLDEN["records"])
def test_a_golden_record_is_read_and_written_byte_for_byte(name: str, tmp_path: Path) -> None:
    """A row as Node wrote it: the same row comes of writing what was read, at the moment at which Node did."""
    row = GOLDEN["records"][name]
    path = tmp_path / "node.db"
    with sqlite3.connect(path) as node:
        node.execute(GOLDEN["schema"])
        node.execute("INSERT INTO sessions VALUES (?, ?, ?)", (row["sid"], row["sess"], row["expire"]))
    node.close()
    clock = FrozenClock(2_000_000_000.123)
    store = SqliteStore(path, layout="better-sqlite3-session-store", clock=clock)
    record = store.load(row["sid"])
    assert record is not None
    assert record.payload.decode("utf-8") == row["sess"]
    life = record.expires_at - clock()
    store.touch(row["sid"], 5)
    assert store.replace(row["sid"], record.payload, life, record.payload) == Replaced()
    store.close()
    with sqlite3.connect(path) as node:
        assert node.execute("SELECT sid, sess, expire FROM sessions").fetchone() == (
            row["sid"],
            row["sess"],
            row["expire"],
        )
    node.close()


@pytest.mark.parametrize("layout", TEXT_LAYOUTS)
@pytest.mark.parametrize(
    "end", ["never", "", "9999", 2_000_000_000_000, "2033-05-18 04:33:20", "2033-19-39T29:59:59.999Z"]
)
def test_what_is_no_end_is_no_session(layout: str, end: Any, tmp_path: Path) -> None:
    """Nothing in a row raises, and garbage does not live for ever."""
    path = tmp_path / "node.db"
    store = SqliteStore(path, layout=layout, clock=FrozenClock())
    assert store.count() == 0
    column = LAYOUTS[layout].words["end"]
    with sqlite3.connect(path) as node:
        node.execute(f"INSERT INTO sessions (sid, sess, {column}) VALUES ('a', '{{}}', ?)", (end,))
    node.close()
    record = store.load("a")
    assert record is None or record.expires_at < FrozenClock()()
    store.close()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_url_names_the_layout(layout: str, tmp_path: Path) -> None:
    store = stores.from_url(f"sqlite:///{tmp_path}/x.db?layout={layout}", FrozenClock())
    assert store.create("a", b"{}", 60)
    store.close()  # type: ignore[attr-defined]


def test_an_unknown_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="connect-session-knex"):
        SqliteStore(tmp_path / "x.db", layout="sequelize")


# Beside Node ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=LAYOUTS)
def beside(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Node, SqliteStore]]:
    """A site of Node and a store of ours, on one file."""
    path = tmp_path_factory.mktemp("node") / "sessions.db"
    with node_site("sqlite-store.js", request.param, str(path)) as node:
        node.get(None)
        store = SqliteStore(path, layout=request.param, clock=time.time)
        yield node, store
        store.close()


@pytest.fixture
def node(beside: tuple[Node, SqliteStore]) -> Node:
    return beside[0]


@pytest.fixture
def store(beside: tuple[Node, SqliteStore]) -> SqliteStore:
    return beside[1]


@pytest.fixture
def ours(store: SqliteStore) -> Ours:
    return Ours(store)


class TestBesideNode(BesideNode):
    """Of connect-sqlite3, better-sqlite3-session-store and connect-session-knex."""

    async def test_we_read_what_node_created(self, node: Node, ours: Ours, store: Any) -> None:
        """And do not take it for changed."""
        _, cookie = node.get(None, set=json.dumps(self.words), maxAge="60000")
        assert cookie is not None
        before = store.load(sid_of(cookie))
        ours.cookie = cookie
        await ours.visit(lambda session: session["deep"]["a"][0])
        after = store.load(sid_of(cookie))
        assert before.payload == after.payload
        assert after.expires_at >= before.expires_at
        await super().test_we_read_what_node_created(node, ours)


async def test_both_sides_reckon_the_same_life(node: Node, store: Any, request: pytest.FixtureRequest) -> None:
    """What one side lets expire has expired for the other."""
    _, cookie = node.get(None, set='{"n":1}', maxAge="60000")
    assert cookie is not None
    record = store.load(sid_of(cookie))
    assert record.expires_at == pytest.approx(time.time() + 60, abs=5)
    store.touch(sid_of(cookie), -5)
    if request.node.callspec.params["beside"] == "connect-session-sequelize":
        # It does not look at the end: what has ended is served there until it has been removed.
        assert store.prune() == 1
    seen, _ = node.get(cookie)
    assert "n" not in seen
