"""The DynamoDB store, with moto in the place of AWS."""

from __future__ import annotations

import asyncio
import http.server
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from sessile import InvalidOption, SessionError, StoreRefused, StoreUnavailable, stores
from sessile.stores._shared.breaker import FAILURES
from sessile.stores._shared.pool import MOST_IDLE_SECONDS
from sessile.stores.base import Conflict, Missing, Replaced
from sessile.stores.dynamodb import DynamoDBStore
from sessile.stores.dynamodb.item import LIMIT
from sessile.testing import FrozenClock, Link, StoreConformance
from sessile.testing.conformance import PAYLOADS, SID, ask
from tests.processes import forked
from tests.stores.beside import BesideNode, Node, Ours, node_site, sid_of
from tests.stores.dynamodb import Moto, moto
from tests.stores.trials import visitor_is_told_to_come_again
from tests.waiting import PATIENCE

NODE_WROTE = json.loads((Path(__file__).parent / "data" / "connect-dynamodb-3.json").read_text("utf-8"))["records"]
LARGE = {**PAYLOADS, "1 MiB": b"x" * (LIMIT - 10_000)}
HALF = {**PAYLOADS, "1 MiB": b"x" * 190_000}

_numbers = count()


@pytest.fixture(scope="module", autouse=True)
def credentials() -> Iterator[None]:
    """Such as moto wants: any."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield


@pytest.fixture(scope="module")
def process(credentials: None) -> Iterator[Moto]:
    with moto() as process:
        store = DynamoDBStore("shared", endpoint=process.endpoint, create_table=True, timeout=PATIENCE)
        store.load(SID)
        store.close()
        yield process


@pytest.fixture
def aws(process: Moto) -> Iterator[Any]:
    """Somebody else's client."""
    client = boto3.client("dynamodb", endpoint_url=process.endpoint)
    yield client
    client.close()


@pytest.fixture
def table() -> str:
    return f"sessions{next(_numbers)}"


class TestDynamoDB(StoreConformance):
    """The contract, for synchronous callers."""

    deadline = 1.0

    @pytest.fixture
    def server(self, process: Moto) -> Iterator[Link]:
        with Link(process.port) as link:
            yield link

    @pytest.fixture
    def prefix(self) -> str:
        """Each test has the table for itself, as it were: to make one takes moto as long as a test."""
        return f"{next(_numbers)}:"

    @pytest.fixture
    async def store(self, patience: float, clock: FrozenClock, server: Link, prefix: str) -> AsyncIterator[Any]:
        endpoint = f"http://127.0.0.1:{server.port}"
        store = DynamoDBStore("shared", endpoint=endpoint, prefix=prefix, timeout=patience, clock=clock)
        yield self.coloured(store)
        store.close()
        await store.asynchronous().close()

    def coloured(self, store: DynamoDBStore) -> Any:
        return store

    @pytest.mark.parametrize("payload", LARGE.values(), ids=LARGE.keys())
    async def test_a_payload_comes_back_byte_for_byte(self, store: Any, payload: bytes) -> None:
        """Up to 400 KB: what is larger is refused, see below."""
        await super().test_a_payload_comes_back_byte_for_byte(store, payload)

    @pytest.mark.parametrize("payload", HALF.values(), ids=HALF.keys())
    async def test_a_payload_can_be_expected_and_replaced(self, store: Any, payload: bytes) -> None:
        """Up to half of that, for moto counts the old and the new payload together."""
        await super().test_a_payload_can_be_expected_and_replaced(store, payload)

    async def test_all_yields_what_is_live(self, store: Any, aws: Any, prefix: str, clock: FrozenClock) -> None:
        """Each record once, expired ones left out. (Written 25 at a time, for moto takes its time.)"""
        await ask(store.create("ended", b"e", 10))
        for first in range(0, 600, 25):
            items = [
                {"id": {"S": f"{prefix}sid{n}"}, "expires": {"N": f"{clock.now + 60:.0f}"}, "sess": {"S": str(n)}}
                for n in range(first, first + 25)
            ]
            aws.batch_write_item(RequestItems={"shared": [{"PutRequest": {"Item": item}} for item in items]})
        clock.advance(10)
        assert sorted(await self.listed(store)) == sorted((f"sid{n}", b"%d" % n) for n in range(600))

    async def test_no_increment_is_lost(self, store: Any) -> None:
        """Four clients count to 10 each by comparing and replacing."""
        await ask(store.create(SID, b"0", 60))

        async def increment() -> None:
            for _ in range(10):
                current = (await ask(store.load(SID))).payload
                while True:
                    answer = await ask(store.replace(SID, b"%d" % (int(current) + 1), 60, current))
                    if answer == Replaced():
                        break
                    current = answer.current

        if await self.waits(store):
            await asyncio.gather(*(increment() for _ in range(4)))
        else:
            self.in_threads([increment] * 4)
        assert (await ask(store.load(SID))).payload == b"40"


class TestDynamoDBUnderAsyncio(TestDynamoDB):
    """The contract, for asyncio."""

    def coloured(self, store: DynamoDBStore) -> Any:
        return store.asynchronous()


@pytest.fixture
async def store(process: Moto, table: str) -> AsyncIterator[DynamoDBStore]:
    store = DynamoDBStore(table, endpoint=process.endpoint, create_table=True, timeout=PATIENCE)
    yield store
    store.close()
    await store.asynchronous().close()


def item_of(aws: Any, table: str, sid: str) -> Any:
    return aws.get_item(TableName=table, Key={"id": {"S": f"sess:{sid}"}}, ConsistentRead=True).get("Item")


# Beside Node ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", NODE_WROTE, ids=[record["scenario"] for record in NODE_WROTE])
def test_what_node_wrote_is_read_and_written_as_it_was(
    process: Moto, aws: Any, table: str, golden: Any, record: Any
) -> None:
    """Item for item. What Node gave a fraction of a second ends with it, and gets a whole one when we write."""
    item = record["item"]
    sid, end, payload = item["id"]["S"].removeprefix("sess:"), float(item["expires"]["N"]), item["sess"]["S"].encode()
    assert item["sess"]["S"] in [known["payload"] for known in golden["records"]]
    clock = FrozenClock(2_000_000_000)
    store = DynamoDBStore(table, endpoint=process.endpoint, create_table=True, timeout=PATIENCE, clock=clock)
    assert store.load(sid) is None
    aws.put_item(TableName=table, Item=item)
    found = store.load(sid)
    assert (found.payload, found.expires_at) == (payload, end)
    assert store.replace(sid, b"{}", 60, payload) == Replaced()
    assert store.replace(sid, payload, end - clock.now, b"{}") == Replaced()
    ours = {**item, "expires": {"N": str(-int(-end // 1))}}
    assert item_of(aws, table, sid) == ours
    assert store.delete(sid) is True
    assert store.create(sid, payload, end - clock.now) is True
    assert item_of(aws, table, sid) == ours
    assert list(item) == ["id", "expires", "type", "sess"]
    clock.now = end
    assert store.load(sid) is None or end % 1
    store.close()


@pytest.fixture(scope="module")
def node(process: Moto) -> Iterator[Node]:
    with node_site("dynamodb-store.js", process.endpoint, "shared") as site:
        yield site


@pytest.fixture
async def shared(process: Moto) -> AsyncIterator[DynamoDBStore]:
    store = DynamoDBStore("shared", endpoint=process.endpoint, create_table=True, timeout=PATIENCE)
    yield store
    store.close()
    await store.asynchronous().close()


@pytest.fixture
def ours(shared: DynamoDBStore) -> Ours:
    return Ours(shared)


class TestBesideNode(BesideNode):
    """Of connect-dynamodb."""

    async def test_what_one_ends_the_other_does_not_find(
        self, node: Node, ours: Ours, shared: DynamoDBStore, aws: Any
    ) -> None:
        """And the item without a session that Node's touch leaves after that is none."""
        await super().test_what_one_ends_the_other_does_not_find(node, ours)
        sid = sid_of(ours.cookie)
        aws.update_item(
            TableName="shared",
            Key={"id": {"S": f"sess:{sid}"}},
            UpdateExpression="set expires = :e",
            ExpressionAttributeValues={":e": {"N": str(int(time.time()) + 600)}},
        )
        assert shared.load(sid) is None
        assert shared.touch(sid, 60) is False
        assert shared.replace(sid, b"{}", 60, b"") == Missing()
        assert shared.delete(sid) is False
        assert await ours.visit(lambda session: session.is_new) is True


async def test_a_touch_is_seen_on_the_other_side(node: Node, ours: Ours, shared: DynamoDBStore) -> None:
    """Both move the end alone."""
    _, ours.cookie = node.get(None, set='{"a":1}', maxAge="600000")
    sid = sid_of(ours.cookie)
    payload = shared.load(sid).payload
    assert shared.touch(sid, 90_000) is True
    assert shared.load(sid).expires_at == pytest.approx(time.time() + 90_000, abs=5)
    assert shared.load(sid).payload == payload
    node.get(ours.cookie)
    assert shared.load(sid).expires_at == pytest.approx(time.time() + 600, abs=5), "Node's touch counts from now"
    assert shared.load(sid).payload == payload


def test_what_node_added_to_an_item_stays(store: DynamoDBStore, aws: Any, table: str) -> None:
    """Its option specialKeys."""
    store.create("a", b"{}", 60)
    key = {"id": {"S": "sess:a"}}
    values = {":u": {"S": "Zoë"}}
    aws.update_item(TableName=table, Key=key, UpdateExpression="SET userId = :u", ExpressionAttributeValues=values)
    assert store.replace("a", b'{"b":1}', 60, b"{}") == Replaced()
    assert store.touch("a", 60) is True
    assert item_of(aws, table, "a")["userId"] == {"S": "Zoë"}


# Items ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sid", ["DVqOYaEKEmQNw4zwSTSwLWLTkR2quQSm", "a b", "zoë", "x" * 2043])
def test_an_id_is_its_key(store: DynamoDBStore, aws: Any, table: str, sid: str) -> None:
    """Wherever DynamoDB can have it: so Node finds it."""
    store.create(sid, b"{}", 60)
    assert set(item_of(aws, table, sid)) == {"id", "expires", "type", "sess"}


@pytest.mark.parametrize("sid", ["\ud800", "~", "~" + "0" * 64, "x" * 2044])
def test_other_ids_are_digests(store: DynamoDBStore, aws: Any, table: str, sid: str) -> None:
    """With the id beside them."""
    store.create(sid, b"{}", 60)
    (item,) = aws.scan(TableName=table)["Items"]
    assert len(item["id"]["S"]) == len("sess:~") + 64
    assert item["sid"] == {"B": sid.encode("utf-8", "surrogatepass")}
    assert [found for found, _ in store.all()] == [sid]


def test_only_what_has_the_prefix_is_listed_and_removed(
    process: Moto, store: DynamoDBStore, aws: Any, table: str
) -> None:
    """Other applications may share the table."""
    other = DynamoDBStore(table, endpoint=process.endpoint, prefix="", create_table=True, timeout=PATIENCE)
    store.create("a", b"{}", 60)
    other.create("b", b"{}", 60)
    other.create("ses", b"{}", 60)
    aws.put_item(TableName=table, Item={"id": {"S": "sess:"}, "n": {"N": "1"}})
    assert [sid for sid, _ in store.all()] == ["a"]
    assert store.count() == 1
    store.clear()
    assert other.count() == 2
    assert {item["id"]["S"] for item in aws.scan(TableName=table)["Items"]} == {"b", "ses"}
    other.close()


@pytest.mark.parametrize(
    "spoilt",
    [
        {"expires": {"NULL": True}},
        {"sess": {"N": "1"}},
        {"sess": {"NULL": True}},
    ],
)
def test_what_is_no_record_harms_nobody(store: DynamoDBStore, aws: Any, table: str, spoilt: Any) -> None:
    """It is no session, and the others are served."""
    store.create("good", b"{}", 60)
    whole = {"expires": {"N": str(int(time.time()) + 600)}, "sess": {"S": "{}"}}
    aws.put_item(TableName=table, Item={"id": {"S": "sess:a"}, **whole, **spoilt})
    assert store.load("a") is None
    assert store.replace("a", b"z", 60, b"y") == Missing()
    assert [sid for sid, _ in store.all()] == ["good"]
    assert store.delete("a") is False
    assert store.create("a", b"{}", 60) is True
    store.clear()
    assert store.load("good") is None


async def test_a_session_that_is_too_large_is_refused(store: DynamoDBStore) -> None:
    """With both numbers, and neither an outage nor a loss."""
    large = b"x" * LIMIT
    under_asyncio = store.asynchronous()
    assert store.create("a", b"{}", 60) is True
    calls: list[Callable[[], Any]] = [
        lambda: store.create("b", large, 60),
        lambda: store.replace("a", large, 60, b"{}"),
        lambda: under_asyncio.replace("a", large, 60, b"{}"),
    ]
    for call in calls * 2:
        with pytest.raises(SessionError, match=r"409701 bytes.* 409600 at most") as caught:
            await answer if hasattr(answer := call(), "__await__") else answer
        assert not isinstance(caught.value, StoreUnavailable)
        assert store.load("a").payload == b"{}"
    assert store.load("b") is None


def test_what_others_added_counts_for_the_size(store: DynamoDBStore, aws: Any, table: str) -> None:
    """Then DynamoDB says so, and that is no outage either."""
    store.create("a", b"{}", 60)
    key, values = {"id": {"S": "sess:a"}}, {":u": {"S": "x" * 200_000}}
    aws.update_item(TableName=table, Key=key, UpdateExpression="SET more = :u", ExpressionAttributeValues=values)
    with pytest.raises(SessionError, match="409600") as caught:
        store.replace("a", b"x" * 300_000, 60, b"{}")
    assert not isinstance(caught.value, StoreUnavailable)
    assert store.load("a").payload == b"{}"


def test_many_pages_are_read(store: DynamoDBStore) -> None:
    """DynamoDB shows a megabyte at a time."""
    for number in range(8):
        store.create(f"sid{number}", b"%d" % number * 350_000, 60)
    assert sorted(sid for sid, _ in store.all()) == [f"sid{number}" for number in range(8)]
    assert store.count() == 8
    store.clear()
    assert store.count() == 0


# The table ------------------------------------------------------------------------------------------------------------


def test_the_table_is_made_with_its_expiry(store: DynamoDBStore, aws: Any, table: str) -> None:
    """As Node would make it, but paid by use, and cleaned by DynamoDB itself."""
    store.create("a", b"{}", 60)
    made = aws.describe_table(TableName=table)["Table"]
    assert made["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert made["AttributeDefinitions"] == [{"AttributeName": "id", "AttributeType": "S"}]
    assert made["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    expiry = aws.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}


async def test_many_may_make_it_at_once(process: Moto, table: str) -> None:
    """Whoever comes second finds it, or is asked to come again; and nobody is stuck."""
    made = [DynamoDBStore(table, endpoint=process.endpoint, create_table=True, timeout=20) for _ in range(4)]
    asked = [store.asynchronous() for store in made]
    answers = await asyncio.gather(*(store.create("a", b"{}", 60) for store in asked), return_exceptions=True)
    assert all(answer in (True, False) or isinstance(answer, StoreUnavailable) for answer in answers)
    assert [(await store.load("a")) is not None or True in answers for store in asked]
    for store in asked:
        await store.create("a", b"{}", 60)
        assert (await store.load("a")).payload == b"{}"
        await store.close()


def test_a_table_that_is_missing_is_an_outage(process: Moto, aws: Any, table: str) -> None:
    """Which names the remedy; and ends as soon as there is one."""
    store = DynamoDBStore(table, endpoint=process.endpoint)
    for _ in range(4):
        with pytest.raises(StoreUnavailable, match=f"no table {table}: .*create_table=True"):
            store.load("a")
    DynamoDBStore(table, client=aws, create_table=True).load("a")
    assert store.load("a") is None
    store.close()


# Clients --------------------------------------------------------------------------------------------------------------


async def test_your_own_client_is_used_and_left_open(aws: Any, table: str) -> None:
    """In both colours."""
    store = DynamoDBStore(table, client=aws, create_table=True)
    under_asyncio = store.asynchronous()
    assert await under_asyncio.create("a", b"{}", 60) is True
    await under_asyncio.close()
    assert store.load("a").payload == b"{}"
    store.close()
    assert item_of(aws, table, "a") is not None


async def test_a_call_never_stalls_the_event_loop(store: DynamoDBStore) -> None:
    """Not even the first, which makes the client."""
    turns = 0
    call = asyncio.ensure_future(store.asynchronous().load("a"))
    while not call.done():
        turns += 1
        before = time.thread_time()  # What other programs do on this machine is not in it.
        await asyncio.sleep(0)
        assert time.thread_time() - before < 0.5
    assert turns > 10
    assert await call is None


def test_a_child_of_a_fork_has_connections_of_its_own(process: Moto, store: DynamoDBStore) -> None:
    """Or it would read its parent's replies."""
    store.create("a", b"{}", 60)

    def reads() -> bool:
        return all(store.load("a").payload == b"{}" for _ in range(10))

    assert forked(lambda: not store._clients.here().count() and reads(), reads)


# Outages --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("colour", ["sync", "asyncio"])
async def test_a_server_that_was_killed_is_found_again(colour: str) -> None:
    """While it is gone, that is an outage. (moto forgets its tables with it, which AWS does not.)"""
    with moto() as process:
        store = DynamoDBStore("sessions", endpoint=process.endpoint, create_table=True, timeout=PATIENCE)
        verbs = store.asynchronous() if colour == "asyncio" else store

        assert await ask(verbs.create("a", b"{}", 60)) is True
        process.kill()
        with pytest.raises(StoreUnavailable) as caught:
            await ask(verbs.load("a"))
        assert caught.value.__cause__ is not None
        process.start()
        with pytest.raises(StoreUnavailable, match="no table"):
            await ask(verbs.load("a"))
        assert await ask(verbs.create("a", b"{}", 60)) is True
        assert await ask(verbs.load("a")) is not None
        await ask(verbs.close())


async def test_a_visitor_is_told_to_come_again(process: Moto, table: str) -> None:
    """Whether the server is gone or silent."""
    with Link(process.port) as link:
        store = DynamoDBStore(table, endpoint=f"http://127.0.0.1:{link.port}", create_table=True, timeout=1)
        await visitor_is_told_to_come_again(Ours(store), link)


@pytest.mark.parametrize("body", [b"", b'{"Item":'])
@pytest.mark.parametrize("verb", ["load", "delete", "touch"])
def test_a_reply_that_breaks_off_is_an_outage(verb: str, body: bytes) -> None:
    """botocore makes an empty answer of it, which would say that there is no such session: the visitor is logged out."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 50\r\n\r\n"

    def serve() -> None:
        for _ in range(2):  # What may be asked twice is.
            connection, _ = server.accept()
            with connection:
                connection.recv(100_000)
                connection.sendall(head + body)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        store = DynamoDBStore("shared", endpoint=f"http://127.0.0.1:{server.getsockname()[1]}", timeout=20)
        with pytest.raises(StoreUnavailable):
            getattr(store, verb)(SID, *((60,) if verb == "touch" else ()))
        store.close()
        thread.join()


def test_missing_credentials_are_an_outage(process: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """They may be served by the machine, and come back; the text names the reason."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    store = DynamoDBStore("sessions", endpoint=process.endpoint)
    with pytest.raises(StoreUnavailable, match="NoCredentialsError"):
        store.load(SID)
    store.close()


@pytest.mark.parametrize(
    ("status", "code", "refused"),
    [
        (400, "ProvisionedThroughputExceededException", True),
        (400, "ThrottlingException", True),
        (400, "AccessDeniedException", True),
        (503, "", False),
    ],
)
def test_what_aws_refuses_is_not_silence(status: int, code: str, refused: bool) -> None:
    """It names the code, and however often it comes, the breaker stays closed; a balancer without servers is an outage."""
    words = json.dumps({"__type": f"com.amazonaws#{code}", "message": "secret"}) if code else "<html>"
    times = 2 * FAILURES

    class Refuse(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(words)))
            self.end_headers()
            self.wfile.write(words.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuse) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        store = DynamoDBStore("shared", endpoint=f"http://127.0.0.1:{server.server_address[1]}", timeout=20)
        errors = []
        for _ in range(times):
            with pytest.raises(StoreUnavailable) as caught:
                store.load(SID)
            errors.append(caught.value)
        server.shutdown()
        store.close()
    assert [isinstance(error, StoreRefused) for error in errors] == [refused] * times
    assert store._breaker._failures == (0 if refused else times)
    if refused:
        assert str(errors[-1]) == f"DynamoDBStore refused load: {code}"


def test_your_own_client_drops_the_connections_of_its_parent(process: Moto, aws: Any, table: str) -> None:
    """It stays yours, and open; but a child must not read what was answered to the parent."""
    store = DynamoDBStore(table, client=aws, create_table=True)
    store.create("a", b"{}", 60)

    def reads() -> bool:
        return all(store.load("a").payload == b"{}" for _ in range(20))

    assert forked(reads, reads)


def test_connections_that_were_idle_for_minutes_are_not_used(
    store: DynamoDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A firewall may have forgotten them. Those of your own client are yours."""
    store.create("a", b"{}", 60)
    client = store._connected()._made[0]
    closed: list[None] = []
    close = client.close
    monkeypatch.setattr(client, "close", lambda: (closed.append(None), close()))
    assert store.load("a").payload == b"{}"
    assert closed == []
    now = time.monotonic() + MOST_IDLE_SECONDS + 1
    monkeypatch.setattr("sessile.stores.dynamodb.client.time", SimpleNamespace(monotonic=lambda: now))
    assert [store.load("a").payload for _ in range(3)] == [b"{}"] * 3
    assert closed == [None]


# Options --------------------------------------------------------------------------------------------------------------


def test_the_url_names_the_table(process: Moto, table: str) -> None:
    """And the rest that boto3 has to know."""
    url = f"dynamodb://{table}?region=eu-west-1&endpoint={process.endpoint}&prefix=app:&create_table=true&timeout=1"
    store = stores.from_url(url, FrozenClock())
    assert isinstance(store, DynamoDBStore)
    assert store.create("a", b"{}", 60) is True
    client = boto3.client("dynamodb", endpoint_url=process.endpoint, region_name="eu-west-1")
    assert client.scan(TableName=table)["Items"][0]["id"] == {"S": "app:a"}
    assert client.scan(TableName=table)["Items"][0]["expires"] == {"N": "1700000060"}
    assert repr(store) == f"<DynamoDBStore {table}>"
    store.close()
    client.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("dynamodb://", "dynamodb://sessions"),
        ("dynamodb://sessions/x", "dynamodb://sessions"),
        ("dynamodb://a", "3 to 255"),
        ("dynamodb://ses:sions", "3 to 255"),
        ("dynamodb://sessions?timeout=soon", "The default is 2"),
        ("dynamodb://sessions?timeout=0", "The default is 2"),
        ("dynamodb://sessions?create_table=yes", "neither true nor false"),
        ("dynamodb://sessions?endpoint=localhost", "http://localhost:8000"),
        ("dynamodb://sessions?ttl=1", "region and endpoint"),
    ],
)
def test_a_wrong_url_says_what_to_write(url: str, message: str) -> None:
    """At construction, with the remedy."""
    with pytest.raises(InvalidOption, match=message):
        stores.from_url(url, time.time)


def test_a_wrong_client_is_refused(aws: Any) -> None:
    """And one of asyncio's, which would never be awaited here."""
    with pytest.raises(InvalidOption, match="no client of boto3"):
        DynamoDBStore(client=object())
    with pytest.raises(InvalidOption, match="Leave those out"):
        DynamoDBStore(client=aws, region="eu-west-1")

    class AioClient(type(aws)):  # type: ignore[misc]
        async def _make_api_call(self) -> None: ...

    with pytest.raises(InvalidOption, match="no client of boto3"):
        DynamoDBStore(client=AioClient.__new__(AioClient))


def test_a_conflict_takes_one_round_trip(store: DynamoDBStore) -> None:
    """What is there comes with the refusal."""
    store.create("a", b"{}", 60)
    client = store._connected()
    asked: list[str] = []
    ask = client.ask
    client.ask = lambda operation, **more: (asked.append(operation), ask(operation, **more))[1]
    assert store.replace("a", b"z", 60, b"y") == Conflict(b"{}")
    assert asked == ["update_item"]
