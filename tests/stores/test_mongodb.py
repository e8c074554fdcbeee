"""The MongoDB store.

The contract, the races and what is shared with Node run on a server that is not ours: the one that MONGODB_URI names, an
installed mongod, or else SecantusDB (mongo_server.py). Tests with ``stub`` in their names run on a stand-in of ours
(mongo_stub.py), which shows each command and fails as it is told to; not what a server of MongoDB's does.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bson
import pytest
from bson.datetime_ms import DatetimeMS
from pymongo import AsyncMongoClient, MongoClient
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from sessile import InvalidOption, SessionError, StoreRefused, StoreUnavailable, stores
from sessile._records.record import stringify
from sessile.stores.base import Conflict, Missing, Replaced
from sessile.stores.mongodb import MongoStore
from sessile.stores.mongodb.document import OPTIONS
from sessile.testing import FrozenClock, Link, StoreConformance
from sessile.testing.conformance import ask
from tests.processes import forked
from tests.stores.beside import BesideNode, Node, Ours, node_site, sid_of
from tests.stores.mongo_server import mongo_server
from tests.stores.mongo_stub import MongoStub
from tests.stores.test_mongodb_document import GOLDEN
from tests.stores.trials import visitor_is_told_to_come_again
from tests.waiting import wait_for

STUB = Path(__file__).parent / "mongo_stub.py"

# Servers --------------------------------------------------------------------------------------------------------------


def servers() -> list[str]:
    """Return which server is to be had: the one that is named, or an installed one, or else SecantusDB."""
    return ["MONGODB_URI" if "MONGODB_URI" in os.environ else "mongod" if shutil.which("mongod") else "secantusdb"]


@pytest.fixture(scope="module", params=servers())
def origin(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], str]]:
    """A function that returns the URL of a database, at the port of a link to its server; 0: without a link."""
    name = f"sessile_test_{os.getpid()}"
    if request.param == "secantusdb":
        with mongo_server(tmp_path_factory.mktemp("secantusdb")) as server:
            yield lambda port: f"mongodb://127.0.0.1:{port or server.port}/{name}?directConnection=true"
        return
    process = None
    if request.param == "mongod":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        folder = tmp_path_factory.mktemp("mongod")
        command = ["mongod", "--dbpath", str(folder), "--port", str(port), "--bind_ip", "127.0.0.1", "--quiet"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        url = f"mongodb://127.0.0.1:{port}/"
    else:
        url = os.environ["MONGODB_URI"]
    host, port = parse_uri(url)["nodelist"][0]
    user = f"{url.partition('://')[2].rpartition('@')[0]}@" if "@" in url else ""
    options = "directConnection=true" + ("&authSource=admin" if user else "")

    def at(link: int) -> str:
        return f"mongodb://{user}{'127.0.0.1' if link else host}:{link or port}/{name}?{options}"

    yield at
    with MongoClient[Any](at(0)) as client:
        client.drop_database(name)
    if process is not None:
        process.terminate()
        process.wait(60)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver looks no more than twice a second whether a server is back. That is long for a test."""
    monkeypatch.setattr("pymongo.common.MIN_HEARTBEAT_INTERVAL", 0.05)


@pytest.fixture
def url(origin: Callable[[int], str]) -> str:
    """The URL of a database without sessions."""
    with MongoClient[Any](origin(0)) as client:
        client.get_default_database()["sessions"].delete_many({})
    return origin(0)


# The contract ---------------------------------------------------------------------------------------------------------


class TestMongo(StoreConformance):
    """The contract, for synchronous callers."""

    deadline = 2.0

    if servers() == ["secantusdb"]:
        # It keeps no date beyond the year 9999, so this one is made on the stand-in, below.
        test_a_life_of_ten_thousand_years = None  # type: ignore[assignment]

    @pytest.fixture
    def clock(self) -> FrozenClock:
        # Of tomorrow: the server, which goes by its own clock, removes nothing meanwhile.
        return FrozenClock(int(time.time()) + 86_400)

    @pytest.fixture
    def server(self, url: str) -> Iterator[Link]:
        host, port = parse_uri(url)["nodelist"][0]
        with Link(port, host) as link:
            yield link
            link.resume()

    @pytest.fixture
    def sync_store(
        self, patience: float, clock: FrozenClock, server: Link, origin: Callable[[int], str]
    ) -> Iterator[MongoStore]:
        store = MongoStore(origin(server.port), timeout=patience, clock=clock)
        yield store
        server.resume()
        store.close()

    @pytest.fixture
    def store(self, sync_store: MongoStore) -> Any:
        return sync_store


class TestMongoUnderAsyncio(TestMongo):
    """The contract, for asyncio."""

    @pytest.fixture
    async def store(self, sync_store: MongoStore, server: Link) -> Any:
        store = sync_store.asynchronous()
        yield store
        server.resume()
        await store.close()


class TestMongoObjects(TestMongo):
    """The contract, for ``stringify: false``; that the server fails has been proved above."""

    @pytest.fixture
    def server(self) -> None:
        return None

    @pytest.fixture
    def store(self, clock: FrozenClock, url: str) -> Iterator[MongoStore]:
        store = MongoStore(url, clock=clock, stringify=False)
        yield store
        store.close()


# Beside Node ----------------------------------------------------------------------------------------------------------


@dataclass
class MongoNode(Node):
    """A site of connect-mongo, and the database of its sessions."""

    database: str
    stringify: bool

    def document(self, cookie: str) -> Any:
        """Return what stands in the collection."""
        with MongoClient[Any](self.database) as client:
            sessions = client.get_default_database()["sessions"].with_options(codec_options=OPTIONS)
            return sessions.find_one({"_id": sid_of(cookie)})


@contextmanager
def site(database: str, **options: Any) -> Iterator[MongoNode]:
    with node_site("connect-mongo.js", database, json.dumps(options)) as node:
        yield MongoNode(node.url, database, options.get("stringify", True))


@pytest.fixture(scope="module", params=[True, False], ids=["stringify", "objects"])
def node(origin: Callable[[int], str], request: pytest.FixtureRequest) -> Iterator[MongoNode]:
    with site(origin(0), stringify=request.param) as node:
        yield node


@pytest.fixture
async def beside(node: MongoNode) -> AsyncIterator[Ours]:
    """A site of ours with Node's database."""
    ours = Ours(MongoStore(node.database, stringify=node.stringify), ttl=86_400)
    yield ours
    await ours.sessions.aclose()


class TestBesideNode(BesideNode):
    """Of connect-mongo, in both of its forms."""

    words = {
        "name": "Zoë Ωmega 漢字 😀",
        "quote": '\\"}',
        "0": [1.5, None],
        "big": 2**53 - 1,
        "deep": {"a": [1, {"b": 2}]},
        "a.b": {"c": [[], {}]},
    }

    @pytest.fixture
    def ours(self, beside: Ours) -> Ours:
        return beside

    async def test_what_one_ends_the_other_does_not_find(self, node: MongoNode, ours: Ours) -> None:
        """And the document is gone."""
        await super().test_what_one_ends_the_other_does_not_find(node, ours)
        assert node.document(ours.cookie) is None


async def test_a_document_has_nodes_fields(node: MongoNode, beside: Ours) -> None:
    """In its order, and the session in the form that the option says."""
    await beside.visit(lambda session: session.update(a=1))
    document = node.document(beside.cookie)
    assert list(document) == ["_id", "session", "expires"]
    assert isinstance(document["session"], str if node.stringify else dict)


async def test_what_nobody_changed_is_the_same_to_the_last_byte(node: MongoNode, beside: Ours) -> None:
    """What JSON has no name for stays as Node's driver wrote it, and is read as Node reads it."""
    theirs, cookie = node.get(None, odd="")
    assert cookie is not None
    before = node.document(cookie)
    beside.cookie = cookie
    theirs, _ = node.get(cookie)
    del theirs["cookie"]
    assert await beside.visit() == theirs
    await beside.visit(lambda session: session.update(python=1))
    after = node.document(cookie)
    old, new = before["session"], after["session"]
    if node.stringify:
        # A change renews the cookie.
        old, new = (re.sub('"expires":"[^"]*"', "", text) for text in (old, new))
        assert new == old[:-1] + ',"python":1}'
    else:
        assert new.pop("python") == 1
        new["cookie"]["expires"] = old["cookie"]["expires"]
        assert encoded(new) == encoded(old)
    seen, _ = node.get(cookie)
    assert {key: seen[key] for key in theirs} == theirs


def encoded(document: Any) -> bytes:
    return bson.encode(document, codec_options=OPTIONS)


def test_what_both_create_differs_in_the_nulls_of_the_cookie_only(node: MongoNode) -> None:
    """Node's driver writes what is undefined in a cookie as null; we leave it out, and keep it where it is."""
    _, cookie = node.get(None, set='{"a":1,"big":9007199254740991,"x":1.5,"l":[true,null,{"ü":""}]}')
    assert cookie is not None
    theirs = node.document(cookie)
    with closing(MongoStore(node.database, stringify=node.stringify)) as store:
        payload = store.load(sid_of(cookie)).payload
        store.delete(sid_of(cookie))
        left = payload if node.stringify else stringify(without_nulls(json.loads(payload))).encode()
        store.create(sid_of(cookie), left, 60)
        ours = node.document(cookie)
    if not node.stringify:
        theirs["session"]["cookie"] = {k: v for k, v in theirs["session"]["cookie"].items() if v is not None}
    assert encoded({"": ours["session"]}) == encoded({"": theirs["session"]})
    # (SecantusDB puts the fields of an upsert with $set, which is Node's, in the order of the alphabet.)
    in_order = sorted if servers() == ["secantusdb"] else list
    assert in_order(ours) == in_order(theirs)


def without_nulls(session: Any) -> Any:
    return {**session, "cookie": {key: value for key, value in session["cookie"].items() if value is not None}}


async def test_a_touch_is_seen_on_the_other_side(node: MongoNode, beside: Ours) -> None:
    """Both move `expires`, and nothing else of the document."""
    _, cookie = node.get(None, set='{"a":1}')
    assert cookie is not None
    before = node.document(cookie)
    with closing(MongoStore(node.database, stringify=node.stringify)) as store:
        assert store.touch(sid_of(cookie), 90_000) is True
        after = node.document(cookie)
        assert int(after.pop("expires")) - int(before.pop("expires")) == pytest.approx(3_600_000, abs=60_000)
        assert encoded(after) == encoded(before)
        node.get(cookie)
        assert store.load(sid_of(cookie)).expires_at == pytest.approx(time.time() + 86_400, abs=60)


def test_a_change_by_node_is_a_conflict(node: MongoNode) -> None:
    """It knows nothing of us, and is noticed."""
    _, cookie = node.get(None, set='{"a":1}')
    assert cookie is not None
    with closing(MongoStore(node.database, stringify=node.stringify)) as store:
        loaded = store.load(sid_of(cookie)).payload
        node.get(cookie, set='{"a":2}')
        answer = store.replace(sid_of(cookie), loaded + b" ", 60, loaded)
        assert json.loads(answer.current)["a"] == 2
        node.get(cookie, destroy="")
        assert store.replace(sid_of(cookie), loaded, 60, answer.current) == Missing()


@pytest.mark.parametrize("stringify", [True, False])
def test_a_document_in_the_other_form_is_read_and_replaced(node: MongoNode, stringify: bool) -> None:
    """So both sides can change the option, and nobody is logged out."""
    _, cookie = node.get(None, odd="")
    assert cookie is not None
    with closing(MongoStore(node.database, stringify=stringify)) as store:
        loaded = store.load(sid_of(cookie)).payload
        changed = loaded.replace(b'"nan"', b'"nine"')
        assert store.replace(sid_of(cookie), changed, 60, loaded + b" ") == Conflict(loaded)
        assert store.replace(sid_of(cookie), changed, 60, loaded) == Replaced()
        assert store.replace(sid_of(cookie), changed, 60, loaded) == Conflict(changed)
        assert store.load(sid_of(cookie)).payload == changed
    assert isinstance(node.document(cookie)["session"], str if stringify else dict)


async def test_beside_touch_after_and_timestamps(origin: Callable[[int], str]) -> None:
    """Fields that Node keeps for itself are no part of the session, and stay."""
    with site(origin(0), touchAfter=3600, timestamps=True) as node:
        _, cookie = node.get(None, set='{"a":1}')
        assert cookie is not None
        visitor = Ours(MongoStore(node.database), ttl=86_400)
        visitor.cookie = cookie
        assert await visitor.visit() == {"a": 1}
        before = node.document(cookie)
        await visitor.visit(lambda session: session.update(b=2))
        after = node.document(cookie)
        for field in ("lastModified", "createdAt", "updatedAt"):
            assert after[field] == before[field]
        seen, _ = node.get(cookie)
        assert (seen["a"], seen["b"]) == (1, 2)
        await visitor.sessions.aclose()


@pytest.fixture
def other(url: str) -> Iterator[MongoNode]:
    """A site of connect-mongodb-session, which writes objects and reads nothing else."""
    with node_site("connect-mongodb-session.js", url) as node:
        yield MongoNode(node.url, url, stringify=False)


@pytest.mark.parametrize("begins", ["node", "we"])
async def test_beside_connect_mongodb_session(other: MongoNode, begins: str) -> None:
    """Nobody has said `stringify=False`: a document keeps the form that it has, and a new one is like the others."""
    _, cookie = other.get(None, set='{"a":1}')
    ours = Ours(MongoStore(other.database))
    if begins == "node":
        assert cookie is not None
        ours.cookie = cookie
        assert await ours.visit() == {"a": 1}
    else:
        await ours.visit(lambda session: session.update(a=1))
    await ours.visit(lambda session: session.update(b=2))
    assert isinstance(other.document(ours.cookie)["session"], dict)
    seen, _ = other.get(ours.cookie, set='{"c":3}')
    assert {key: seen[key] for key in "abc"} == {"a": 1, "b": 2, "c": 3}
    assert (await ours.visit())["c"] == 3
    await ours.sessions.aclose()


@pytest.mark.parametrize("new", ["text", "object"])
def test_a_document_keeps_its_form(url: str, new: str) -> None:
    """Whichever was seen before it."""
    payloads = {"text": b'{"cookie":{},"a":1}', "object": b'{"cookie":{},"a":2}'}
    for form, payload in payloads.items():
        with closing(MongoStore(url, stringify=form == "text")) as store:
            store.create(form, payload, 60)
    with closing(MongoStore(url)) as store, MongoClient[Any](url) as client:
        store.load(new)
        for form, payload in payloads.items():
            changed = payload.replace(b'"a"', b'"b"')
            assert store.replace(form, changed, 60, payload) == Replaced()
            assert store.load(form).payload == changed
        store.load(new)
        store.create("new", payloads["text"], 60)
        documents = {each["_id"]: each["session"] for each in client.get_default_database()["sessions"].find()}
    assert isinstance(documents["text"], str)
    assert isinstance(documents["object"], dict)
    assert isinstance(documents["new"], {"text": str, "object": dict}[new])


def test_the_first_document_is_text(url: str) -> None:
    """As connect-mongo writes it. The index beside it, which is always text, decides nothing."""
    with closing(MongoStore(url, stringify=False)) as store:
        store.create("old", b'{"cookie":{}}', 60)
    with closing(MongoStore(url)) as store, MongoClient[Any](url) as client:
        store.index().create("user", b"{}", 60)
        store.create("like the old", b'{"cookie":{}}', 60)
        sessions = client.get_default_database()["sessions"]
        document = sessions.find_one({"_id": "like the old"})
        assert isinstance(document["session"], dict)
        store.index().clear()
        sessions.delete_many({})
    with closing(MongoStore(url)) as store, MongoClient[Any](url) as client:
        store.create("new", b'{"cookie":{}}', 60)
        assert client.get_default_database()["sessions"].find_one({"_id": "new"})["session"] == '{"cookie":{}}'


async def test_a_session_without_an_end_lives_for_two_weeks(origin: Callable[[int], str], url: str) -> None:
    """As connect-mongo says: a look at a page of ours shortens nothing. An option says otherwise."""
    given: list[tuple[dict[str, Any], int]] = [({}, 14), ({"ttl": None}, 14), ({"ttl": 86_400}, 1)]
    with site(origin(0), cookie={}) as node:
        _, cookie = node.get(None, set='{"a":1}')
        assert cookie is not None
        for options, days in given:
            ours = Ours(MongoStore(node.database), **options)
            ours.cookie = cookie
            assert await ours.visit() == {"a": 1}
            left = int(node.document(cookie)["expires"]) / 1000 - time.time()
            assert left == pytest.approx(days * 86_400, abs=60)
            await ours.sessions.aclose()


# Commands, as the stand-in gets them ----------------------------------------------------------------------------------


@pytest.fixture(params=["stub"])
def stub(request: pytest.FixtureRequest) -> Iterator[MongoStub]:
    """The stand-in, whatever servers there are: it can be told to fail. The names of the tests say so."""
    stub = MongoStub()
    yield stub
    stub.close()


@pytest.fixture
def ours(stub: MongoStub, clock: FrozenClock) -> Iterator[MongoStore]:
    """A store in the stand-in, its clock at the time of the golden documents."""
    clock.now = 2_000_000_000.123
    store = MongoStore(at(stub), timeout=5, clock=clock, stringify=True)
    yield store
    store.close()


def at(stub: MongoStub, more: str = "") -> str:
    return f"mongodb://127.0.0.1:{stub.port}/test?{more}"


def sent(stub: MongoStub) -> list[dict[str, Any]]:
    """Return the commands without what the driver adds to each, and forget them."""
    found = [
        {key: value for key, value in command.items() if key not in ("lsid", "$db", "maxTimeMS")}
        for command in stub.commands
    ]
    stub.commands.clear()
    return found


def test_commands_are_nodes_where_they_mean_the_same(stub: MongoStub, ours: MongoStore) -> None:
    """Index, load, touch: to the letter as connect-mongo 6.0.0 sent them. Create, count: but for the filter."""
    index, stored, find, touch, count = GOLDEN["commands"]
    name, document = stored["updates"][0]["q"]["_id"], stored["updates"][0]["u"]["$set"]
    ours.create(name, document["session"].encode(), 3600)
    indexed, created = sent(stub)
    assert indexed == index
    live = [{"expires": {"$exists": False}}, {"expires": {"$gt": DatetimeMS(2_000_000_000_123)}}]
    assert created["updates"][0] == {
        "q": {"_id": name, "$nor": live},
        "u": {"session": document["session"], "expires": DatetimeMS(2_000_003_600_123)},
        "multi": False,
        "upsert": True,
    }
    ours._clock.advance(10.5)
    ours.load(name)
    live[1] = {"expires": {"$gt": DatetimeMS(2_000_000_010_623)}}
    assert find["filter"] == {**find["filter"], "_id": name}
    assert sent(stub) == [{**find, "filter": {"_id": name, "$or": live}}]
    ours.touch(name, 3600)
    (touched,) = sent(stub)
    assert touched["updates"][0].pop("multi") is False
    assert touched["updates"][0].pop("upsert", False) is False
    moved = {"$set": {"expires": DatetimeMS(2_000_003_610_623)}}
    assert touched == {**touch, "updates": [{"q": {"_id": name, "$or": live}, "u": moved}]}
    assert touch["updates"][0]["u"] == {"$set": {"expires": {"$date": "2033-05-18T04:33:30.623Z"}}}
    ours.count()
    count["pipeline"][0] = {"$match": {"$or": live}}
    assert sent(stub) == [count]


def test_each_verb_is_one_command(stub: MongoStub, ours: MongoStore) -> None:
    """But for a conflict, which has to say what is there."""
    ours.create("a", b"a", 60)
    sent(stub)
    for verb, arguments, commands in [
        ("create", (b"b", 60), ["update"]),
        ("load", (), ["find"]),
        ("touch", (60,), ["update"]),
        ("replace", (b"b", 60, b"a"), ["update"]),
        ("replace", (b"b", 60, b"a"), ["update", "find"]),
        ("delete", (), ["findAndModify"]),
        ("replace", (b"b", 60, b"a"), ["update", "find"]),
    ]:
        getattr(ours, verb)("a", *arguments)
        assert [next(iter(command)) for command in sent(stub)] == commands


def test_nothing_in_a_session_is_an_operator(stub: MongoStub, ours: MongoStore) -> None:
    """What is expected stands behind $eq; an id is text, whatever it says."""
    for name in ("a", "b"):
        ours.create(name, b'{"$ne":1}', 60)
    assert ours.replace("a", b"x", 60, b'{"$gt":""}') == Conflict(b'{"$ne":1}')
    assert ours.replace("a", b"x", 60, b'{"$ne":1}') == Replaced()
    assert ours.load("b").payload == b'{"$ne":1}'
    assert ours.load('{"$gt":""}') is None


def test_reads_go_to_the_primary(stub: MongoStub) -> None:
    """Whatever the URL prefers: a member that is behind would still have a session that was ended."""
    with closing(MongoStore(at(stub, "readPreference=secondaryPreferred"))) as store:
        store.load("a")
    assert "$readPreference" not in stub.commands[-1] or stub.commands[-1]["$readPreference"]["mode"] == "primary"


# Expiry ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asyncio", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("stringify", [True, False], ids=["text", "objects"])
async def test_a_life_of_ten_thousand_years(
    stub: MongoStub, clock: FrozenClock, asyncio: bool, stringify: bool
) -> None:
    """The date that stands in the document is one that MongoDB and Node know."""
    with closing(MongoStore(at(stub), clock=clock, stringify=stringify)) as plain:
        store: Any = plain.asynchronous() if asyncio else plain
        await StoreConformance().test_a_life_of_ten_thousand_years(store, clock)
        if asyncio:
            await store.close()


def test_the_server_removes_what_has_expired(stub: MongoStub) -> None:
    """By the index that the first creation made: the stand-in does as the TTL monitor is said to do."""
    with closing(MongoStore(at(stub))) as store:
        store.create("a", b"a", 60)
        store.create("b", b"b", 6000)
        (_, index) = stub.indexes["test.sessions"]
        assert (index["name"], index["expireAfterSeconds"]) == ("expires_1", 0)
        stub.clock = lambda: time.time() + 61
        wait_for(lambda: [document["_id"] for document in stub.find()] == ["b"])
        assert store.load("a") is None


def test_an_index_that_is_refused_costs_no_session(
    stub: MongoStub, ours: MongoStore, clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told, with the remedy, and tried again an hour later; expiry is ours to decide anyway."""
    stub.answer(fail("createIndexes", errorCode=13))
    assert ours.create("a", b"a", 7200)
    assert ours.create("b", b"b", 7200)
    assert [next(iter(command)) for command in sent(stub)] == ["createIndexes", "update", "update"]
    (warning,) = caplog.messages
    assert "OperationFailure 13" in warning
    assert "db.sessions.createIndex({expires: 1}, {expireAfterSeconds: 0})" in warning
    clock.advance(3600)
    assert ours.create("c", b"c", 7200)
    assert ours.create("d", b"d", 7200)
    assert [next(iter(command)) for command in sent(stub)] == ["createIndexes", "update", "update"]
    assert len(caplog.messages) == 1


def test_an_index_that_the_connection_lost_is_tried_again_at_once(stub: MongoStub, ours: MongoStore) -> None:
    """A first try that failed is not remembered."""
    stub.answer(fail("createIndexes", closeConnection=True))
    assert ours.create("a", b"a", 60)
    assert "test.sessions" not in stub.indexes
    assert ours.create("b", b"b", 60)
    assert len(stub.indexes["test.sessions"]) == 2


def test_an_index_of_other_options_is_left_alone(
    stub: MongoStub, ours: MongoStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody made it; it is not ours to drop."""
    other = {"v": 2, "key": {"expires": 1}, "name": "expires_1"}
    stub.answer({"createIndexes": "sessions", "indexes": [other], "$db": "test"})
    assert ours.create("a", b"a", 60)
    assert "OperationFailure 85" in caplog.text
    assert stub.indexes["test.sessions"][1] == other


@pytest.mark.parametrize(
    "document",
    [
        {"session": 7},
        {"session": None},
        {"session": "{}", "expires": "tomorrow"},
        {"session": "{}", "expires": None},
        {"expires": DatetimeMS(2_000_003_600_123)},
        {"session": ["{}"], "expires": DatetimeMS(2_000_003_600_123)},
    ],
)
def test_a_corrupt_document_is_no_session(stub: MongoStub, ours: MongoStore, document: dict[str, Any]) -> None:
    """For no verb, and for none an error; deleting removes it all the same."""
    stub.answer({"insert": "sessions", "documents": [{"_id": "a", **document}], "$db": "test"})
    assert ours.load("a") is None
    assert ours.replace("a", b"b", 60, b"a") == Missing()
    assert list(ours.all()) == []
    assert ours.delete("a") is False
    assert stub.find() == []


def test_what_lost_its_end_is_taken_over(stub: MongoStub, ours: MongoStore) -> None:
    """No server would ever remove it."""
    stub.answer({"insert": "sessions", "documents": [{"_id": "a", "session": "{}", "expires": "?"}], "$db": "test"})
    assert ours.create("a", b"a", 60) is True
    assert stub.find() == [{"_id": "a", "session": "a", "expires": DatetimeMS(2_000_000_060_123)}]


def test_a_document_without_an_end_lives_until_it_is_touched(stub: MongoStub, ours: MongoStore) -> None:
    """As in connect-mongo."""
    stub.answer({"insert": "sessions", "documents": [{"_id": "a", "session": "{}", "x": 1}], "$db": "test"})
    assert ours.load("a").payload == b"{}"
    assert ours.create("a", b"a", 60) is False
    assert ours.touch("a", 60) is True
    assert stub.find() == [{"_id": "a", "session": "{}", "x": 1, "expires": DatetimeMS(2_000_000_060_123)}]


def test_documents_of_others_are_not_listed(stub: MongoStub, ours: MongoStore) -> None:
    """An _id that is no text is no session's; clear removes it with the rest."""
    documents = [{"_id": 7, "session": "{}"}, {"_id": b"\xff", "session": "{}"}, {"_id": "a", "session": "{}"}]
    stub.answer({"insert": "sessions", "documents": documents, "$db": "test"})
    assert [name for name, _ in ours.all()] == ["a"]
    ours.clear()
    assert stub.find() == []


def test_a_session_that_is_too_large_is_refused_clearly(stub: MongoStub, ours: MongoStore) -> None:
    """By how much, before anything is sent; and what was there stays there."""
    ours.create("a", b"a", 60)
    with pytest.raises(SessionError, match="MongoDB can keep 8000000") as caught:
        ours.replace("a", b"x" * 8_000_001, 60, b"a")
    assert not isinstance(caught.value, StoreUnavailable)
    assert ours.load("a").payload == b"a"
    largest = b"x" * 7_999_900
    assert ours.replace("a", largest, 60, b"a") == Replaced()
    assert ours.replace("a", b"y" + largest[1:], 60, largest) == Replaced()
    objects = MongoStore(at(stub), stringify=False)
    with closing(objects), pytest.raises(SessionError, match="takes 1"):
        objects.create("b", b'{"a":[%b0]}' % (b"0," * 1_200_000), 60)


# Faults, by the fail points of the stand-in ---------------------------------------------------------------------------


def fail(*commands: str, times: int = 1, **data: Any) -> dict[str, Any]:
    return {
        "configureFailPoint": "failCommand",
        "mode": {"times": times},
        "data": {"failCommands": list(commands), **data},
        "$db": "admin",
    }


FAULTS: dict[str, dict[str, Any]] = {
    "not primary": {"errorCode": 10107},
    "stepped down": {"errorCode": 189},
    "shutting down": {"errorCode": 91},
    "hung up": {"closeConnection": True},
}


@pytest.mark.parametrize("asyncio", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_what_may_be_asked_twice_is(
    stub: MongoStub, ours: MongoStore, fault: dict[str, Any], asyncio: bool
) -> None:
    """A primary that has stepped down costs no request."""
    store: Any = ours.asynchronous() if asyncio else ours
    await ask(store.create("a", b"a", 60))
    for command, verb, arguments in [("find", "load", ()), ("update", "touch", (60,)), ("findAndModify", "delete", ())]:
        stub.answer(fail(command, **fault))
        assert await ask(getattr(store, verb)("a", *arguments))
    if asyncio:
        await store.close()


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_what_may_not_is_an_outage(stub: MongoStub, ours: MongoStore, fault: dict[str, Any]) -> None:
    """Nobody knows whether it was carried out; the driver's error is the cause."""
    ours.create("a", b"a", 60)
    for verb, arguments in [("create", ("b", b"b", 60)), ("replace", ("a", b"b", 60, b"a"))]:
        stub.answer(fail("update", **fault))
        with pytest.raises(StoreUnavailable) as caught:
            getattr(ours, verb)(*arguments)
        assert isinstance(caught.value.__cause__, PyMongoError)
    assert ours.load("a").payload == b"a"


def test_an_error_of_the_server_is_a_refusal(stub: MongoStub, ours: MongoStore) -> None:
    """Which tells its code, and nothing of the session; and however many there are, nobody takes it for silent."""
    for _ in range(5):
        stub.answer(fail("find", errorCode=13))
        with pytest.raises(StoreRefused, match="MongoStore refused load: error 13") as caught:
            ours.load("secret")
        assert "secret" not in str(caught.value)
        assert ours.touch("a", 60) is False


@pytest.mark.parametrize("asyncio", [False, True], ids=["sync", "async"])
async def test_slow_commands_share_one_deadline(stub: MongoStub, asyncio: bool) -> None:
    """A replace that takes two commands has not twice the time."""
    with closing(MongoStore(at(stub), timeout=1)) as plain:
        store: Any = plain.asynchronous() if asyncio else plain
        await ask(store.create("a", b"a", 60))
        stub.answer(fail("update", "find", times=3, blockConnection=True, blockTimeMS=700))
        # Each command alone is in time.
        with pytest.raises(StoreUnavailable):
            await ask(store.replace("a", b"c", 60, b"b"))
        stub.answer({**fail("find"), "mode": "off"})
        if asyncio:
            await store.close()


@pytest.mark.parametrize("code", [10107, 189, 91])
def test_a_server_that_steps_down_is_an_outage_and_no_refusal(stub: MongoStub, ours: MongoStore, code: int) -> None:
    """Another one is about to answer: that is for the second try, and for the breaker."""
    stub.answer(fail("update", errorCode=code))
    with pytest.raises(StoreUnavailable) as caught:
        ours.create("a", b"a", 60)
    assert not isinstance(caught.value, StoreRefused)


# A server that fails and comes back -----------------------------------------------------------------------------------


def test_a_server_that_is_killed_and_started_again(tmp_path: Path) -> None:
    """With SIGKILL, in the middle: an outage, and then everybody is who they were."""
    with mongo_server(tmp_path, "--sync-on-commit") as server, closing(MongoStore(server.url(), timeout=1)) as store:
        store.create("a", b"a", 600)
        server.kill()
        with pytest.raises(StoreUnavailable):
            store.load("a")
        server.start()
        assert store.load("a").payload == b"a"
        assert store.replace("a", b"b", 600, b"a") == Replaced()


async def test_an_event_loop_that_ends_closes_its_connections(url: str) -> None:
    """Celery, tests, `asyncio.run` in a row: none is left for a garbage collection to close."""
    with closing(MongoStore(url)) as plain:
        store = plain.asynchronous()
        clients: list[Any] = []

        async def work() -> None:
            await store.load("nobody")
            clients.append(store._connected().database.client)

        await asyncio.to_thread(lambda: [asyncio.run(work()) for _ in range(3)])
        assert [client._closed for client in clients] == [True] * 3


@pytest.mark.parametrize("verb", ["load", "replace"])
async def test_a_loop_that_stood_still_is_no_outage(url: str, verb: str) -> None:
    """A handler has blocked it for longer than the deadline; the reply lies in the socket, and is read."""
    store = MongoStore(url, timeout=0.5).asynchronous()
    await store.create("still", b"{}", 60)
    arguments = {"load": (), "replace": (b"[]", 60, b"{}")}[verb]
    call = asyncio.ensure_future(getattr(store, verb)("still", *arguments))
    for _ in range(5):
        await asyncio.sleep(0)
    time.sleep(0.8)
    assert await call
    await store.close()


async def test_a_visitor_is_told_to_come_again(origin: Callable[[int], str], url: str) -> None:
    """Whether the server is gone or silent."""
    host, port = parse_uri(url)["nodelist"][0]
    with Link(port, host) as link:
        store = MongoStore(origin(link.port), timeout=1)
        await visitor_is_told_to_come_again(Ours(store), link)


# Processes and event loops --------------------------------------------------------------------------------------------


def test_a_fork_makes_connections_of_its_own(url: str) -> None:
    """Parent and child go on, each for itself."""
    ours = MongoStore(url)
    ours.create("a", b"a", 60)

    def child() -> bool:
        found = ours.load("a").payload == b"a"
        ours.close()
        return found

    assert forked(child, lambda: ours.load("a").payload == b"a")
    ours.close()


def test_several_event_loops(ours: MongoStore) -> None:
    """One after the other, and beside synchronous code."""
    store = ours.asynchronous()

    async def once() -> Any:
        record = await store.load("a")
        await store.close()
        return record

    ours.create("a", b"a", 60)
    for _ in range(3):
        assert asyncio.run(once()).payload == b"a"


def test_many_clients_make_the_index_at_once(origin: Callable[[int], str], url: str) -> None:
    """Nobody fails."""
    stores = [MongoStore(url) for _ in range(8)]
    answers = StoreConformance.in_threads(
        [lambda store=store, name=f"sid{n}": store.create(name, b"a", 60) for n, store in enumerate(stores)]
    )
    assert answers == [True] * 8
    for store in stores:
        store.close()


# Your own collections -------------------------------------------------------------------------------------------------


async def test_collections_of_your_own_are_used_and_not_closed(stub: MongoStub) -> None:
    """Each in its colour; both are one store."""
    client, other = MongoClient[Any](at(stub)), AsyncMongoClient[Any](at(stub))
    store = MongoStore(collection=client.shop.visits, async_collection=other.shop.visits)
    assert store.create("a", b"a", 60)
    under_asyncio = store.asynchronous()
    assert (await under_asyncio.load("a")).payload == b"a"
    await under_asyncio.close()
    store.close()
    assert len(stub.find("shop.visits")) == 1
    assert client.shop.visits.count_documents({}) == await other.shop.visits.count_documents({}) == 1
    client.close()
    await other.aclose()


async def test_a_collection_of_the_other_colour_is_refused(stub: MongoStub) -> None:
    """Before it blocks the event loop, or returns what nobody awaits."""
    client, other = MongoClient[Any](at(stub)), AsyncMongoClient[Any](at(stub))
    with pytest.raises(InvalidOption, match="Give one of an AsyncMongoClient"):
        await MongoStore(collection=client.test.sessions).asynchronous().load("a")
    with pytest.raises(InvalidOption, match="Give one of a MongoClient"):
        MongoStore(async_collection=other.test.sessions).load("a")
    with pytest.raises(InvalidOption, match="Give one for asyncio as async_collection"):
        MongoStore(collection=other.test.sessions)  # type: ignore[arg-type]
    with pytest.raises(InvalidOption, match="async_collection"):
        MongoStore(async_collection=client.test.sessions)  # type: ignore[arg-type]
    client.close()
    await other.aclose()


# Options --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "database", "collection"),
    [
        ("mongodb://localhost", "test", "sessions"),
        ("mongodb://localhost/", "test", "sessions"),
        ("mongodb://localhost?collection=logins", "test", "logins"),
        ("mongodb://localhost?w=majority&collection=logins", "test", "logins"),
        ("mongodb://user:p%40ss@a:1,b:2/shop?replicaSet=rs0&collection=logins&stringify=false", "shop", "logins"),
        ("mongodb://[::1]:27018/shop?timeout=0.5", "shop", "sessions"),
        ("mongodb+srv://user:secret@cluster.example.net/shop?retryWrites=true&stringify=true", "shop", "sessions"),
    ],
)
def test_a_url_names_database_and_collection(url: str, database: str, collection: str) -> None:
    """Three options are ours, all others the driver's. Nothing is connected, and no name is looked up."""
    store = stores.from_url(url, time.time)
    assert isinstance(store, MongoStore)
    opened = store._connect()
    assert (opened.database.name, opened.name) == (database, collection)
    assert store._stringify is (None if "stringify" not in url else "stringify=true" in url)
    assert store._timeout == (0.5 if "timeout" in url else 2)
    assert repr(store) == "<MongoStore>"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mongodb://", "store: the driver does not take this URL (InvalidURI)"),
        ("mongodb://host:99999", "store: the driver does not take this URL (ValueError)"),
        ("mongodb://user:sec/ret@host/", "store: what is before the last @ of its URL is not percent-encoded"),
        ("mongodb://host/?stringify=no", "stringify: 'no' is neither true nor false"),
        ("mongodb://host/?timeout=soon", "timeout: 'soon' is no number of seconds"),
        ("mongodb://host/?timeout=0", "timeout: 0.0 is no number of seconds up to 60"),
        ("mongodb://host/?collection=", "collection: '' is no name for one"),
        ("mongodb://host/?collection=system.users", "collection: 'system.users' is no name for one"),
        ("mongodb://host/?w=0", "w: 0 tells nothing of what became of a write"),
    ],
)
def test_what_cannot_be_is_refused_at_construction(url: str, message: str) -> None:
    """With the remedy, and without a part of the password."""
    with pytest.raises(InvalidOption) as caught:
        stores.from_url(url, time.time)
    assert str(caught.value).startswith(message)
    assert "ret" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_neither_or_both_are_refused(stub: MongoStub) -> None:
    """A URL, or collections."""
    with pytest.raises(InvalidOption, match="neither a URL nor a collection"):
        MongoStore()
    with MongoClient[Any](at(stub, "w=0")) as client:
        with pytest.raises(InvalidOption, match="there is a URL as well"):
            MongoStore(at(stub), collection=client.test.sessions)
        with pytest.raises(InvalidOption, match="w: 0 tells nothing"):
            MongoStore(collection=client.test.sessions)
    with pytest.raises(InvalidOption, match="stringify"):
        MongoStore(at(stub), stringify="false")  # type: ignore[arg-type]
