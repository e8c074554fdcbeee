"""The Redis store, with real servers of Redis and Valkey."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
import redis
import redis.asyncio
import trustme

from sessile import InvalidOption, SessionError, Sessions, StoreRefused, StoreUnavailable, stores
from sessile._records.record import decode, encode
from sessile.stores.base import Conflict, Missing, Record, Replaced
from sessile.stores.redis import RedisStore
from sessile.stores.redis.address import parse
from sessile.testing import FrozenClock, Link, StoreConformance
from sessile.testing.conformance import ask
from tests.conftest import SECRET
from tests.stores.beside import BesideNode, Node, Ours, node_site, sid_of
from tests.stores.redis_servers import Server, cluster, free_ports, raw, started, wait_for
from tests.stores.tap import Tap
from tests.stores.trials import visitor_is_told_to_come_again
from tests.waiting import PATIENCE

GOLDEN = json.loads((Path(__file__).parent / "data" / "connect-redis-10.json").read_text("utf-8"))["records"]


@pytest.fixture(scope="module", params=["redis-server", "valkey-server"])
def redis_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Redis of this machine, and Valkey 9."""
    with started(name=request.param) as server:
        yield server


@pytest.fixture
def clock() -> FrozenClock:
    """A day ahead of the servers, so that they remove nothing."""
    return FrozenClock(int(time.time()) + 86_400)


class TestRedis(StoreConformance):
    """The contract, for synchronous callers."""

    deadline = 1.0

    @pytest.fixture
    def clock(self) -> FrozenClock:
        return FrozenClock(int(time.time()) + 86_400)

    @pytest.fixture
    def server(self, redis_server: Server) -> Iterator[Link]:
        redis_server.ask("FLUSHALL")
        with Link(redis_server.port) as link:
            yield link

    @pytest.fixture
    def store(self, patience: float, clock: FrozenClock, server: Link) -> Iterator[Any]:
        store = RedisStore(f"redis://127.0.0.1:{server.port}", timeout=patience, clock=clock)
        yield store
        store.close()


class TestRedisUnderAsyncio(TestRedis):
    """The contract, for asyncio."""

    @pytest.fixture
    async def store(self, patience: float, clock: FrozenClock, server: Link) -> AsyncIterator[Any]:
        store = RedisStore(f"redis://127.0.0.1:{server.port}", timeout=patience, clock=clock).asynchronous()
        yield store
        await store.close()


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[Server]]:
    with cluster() as nodes:
        yield nodes


@pytest_asyncio.fixture(loop_scope="class", scope="class")
async def client(nodes: list[Server]) -> AsyncIterator[Any]:
    async with redis.asyncio.RedisCluster(host="127.0.0.1", port=nodes[0].port) as client:
        yield client


@pytest.mark.asyncio(loop_scope="class")
class TestCluster(StoreConformance):
    """The contract, in a cluster, with a client of the application's; it takes long to learn what its servers can."""

    @pytest.fixture
    def clock(self) -> FrozenClock:
        return FrozenClock(int(time.time()) + 86_400)

    @pytest_asyncio.fixture(loop_scope="class")
    async def store(self, clock: FrozenClock, client: Any) -> AsyncIterator[Any]:
        await client.flushall(target_nodes=client.PRIMARIES)
        store = RedisStore(async_client=client, clock=clock).asynchronous()
        yield store
        await store.close()


def test_a_cluster_serves_synchronous_code(nodes: list[Server], clock: FrozenClock) -> None:
    """All verbs, on all its parts."""
    for node in nodes[:3]:
        node.ask("FLUSHALL")
    store = RedisStore(f"redis+cluster://127.0.0.1:1,127.0.0.1:{nodes[4].port}", clock=clock)
    for number in range(300):
        assert store.create(f"sid{number}", b"%d" % number, 60) is True
    assert all(len(node.all_keys()) > 50 for node in nodes[:3])
    assert store.count() == len(dict(store.all())) == 300
    use_all_verbs(store, clock)
    store.clear()
    assert not any(node.all_keys() for node in nodes[:3])
    store.close()


def use_all_verbs(store: RedisStore, clock: FrozenClock) -> None:
    """Go through a life, to its end."""
    assert store.create("life", b"a", 60) is True
    assert store.create("life", b"b", 60) is False
    assert store.load("life") == Record(b"a", pytest.approx(clock.now + 60, abs=0.01))
    assert store.replace("life", b"c", 60, b"b") == Conflict(b"a")
    assert store.replace("life", b"b", 60, b"a") == Replaced()
    assert store.touch("life", 120) is True
    clock.advance(119)
    assert dict(store.all())["life"].payload == b"b"
    clock.advance(2)
    assert store.load("life") is None
    assert store.touch("life", 60) is False
    assert store.delete("life") is False
    assert store.replace("life", b"b", 60, b"b") == Missing()
    assert store.create("life", b"c", 60) is True
    assert store.delete("life") is True


@pytest.fixture
def empty(redis_server: Server) -> Server:
    redis_server.ask("FLUSHALL")
    return redis_server


@pytest.fixture
def store(empty: Server, clock: FrozenClock) -> Iterator[RedisStore]:
    store = RedisStore(f"redis://127.0.0.1:{empty.port}", timeout=PATIENCE, clock=clock)
    yield store
    store.close()


# What is stored -------------------------------------------------------------------------------------------------------


def test_a_record_is_a_string_with_an_end(store: RedisStore, empty: Server, clock: FrozenClock) -> None:
    """As connect-redis keeps it; the end is by our clock."""
    store.create("the-sid", b'{"a":1}', 60)
    assert empty.ask("GET", "sess:the-sid") == b'{"a":1}'
    assert empty.ask("PEXPIRETIME", "sess:the-sid") == (clock.now + 60) * 1000


@pytest.mark.parametrize("golden", GOLDEN, ids=[record["name"] for record in GOLDEN])
def test_what_node_wrote_is_written_as_it_was_read(empty: Server, golden: Any) -> None:
    """To the byte, and with the life that Node gave it."""
    store = RedisStore(f"redis://127.0.0.1:{empty.port}")
    value = golden["value"].encode()
    empty.ask("SET", golden["key"], value, "EX", golden["ttl"])
    sid = golden["key"].removeprefix("sess:")
    record = store.load(sid)
    assert record.payload == value
    assert record.expires_at == pytest.approx(time.time() + golden["ttl"], abs=5)
    assert store.replace(sid, b"{}", 60, value) == Replaced()
    assert store.replace(sid, encode(decode(record.payload)), golden["ttl"], b"{}") == Replaced()
    assert empty.ask("GET", golden["key"]) == value
    assert golden["ttl"] - 5 <= empty.ask("TTL", golden["key"]) <= golden["ttl"]
    store.close()


def test_a_record_without_an_end_lives_on(store: RedisStore, empty: Server, clock: FrozenClock) -> None:
    """What was made persistent by hand, or by Node with disableTTL."""
    empty.ask("SET", "sess:a", "x")
    clock.advance(1e9)
    assert store.load("a") == Record(b"x", 2**53 / 1000)
    assert store.replace("a", b"y", 60, b"x") == Replaced()
    clock.advance(60)
    assert store.load("a") is None


def test_what_is_no_record_harms_nobody(store: RedisStore, empty: Server) -> None:
    """A key of another kind is no session, and nobody removes it; keys that are no text are passed over."""
    store.create("good", b"{}", 60)
    empty.ask("HSET", "sess:a", "b", "c")
    empty.ask("SET", b"sess:\xff", "x")
    assert store.load("a") is None
    assert store.touch("a", 60) is False
    assert store.replace("a", b"z", 60, b"y") == Missing()
    assert store.delete("a") is False
    assert [sid for sid, _ in store.all()] == ["good"]
    store.clear()
    assert empty.all_keys() == {b"sess:a"}


@pytest.mark.parametrize("prefix", ["[xy]app:", "*", "a?", "\\", "a\\*", "^-", "\ud800"])
def test_a_prefix_is_no_pattern(empty: Server, clock: FrozenClock, prefix: str) -> None:
    """Another application's keys are neither listed, counted nor removed."""
    others = {b"xapp:1", b"yapp:1", b"aa", b"ab1", b"\\\\", b"other", b"[xy]ap", b"a*"}
    for key in others:
        empty.ask("SET", key, "theirs")
    store = RedisStore(f"redis://127.0.0.1:{empty.port}", prefix=prefix, clock=clock)
    store.create("1", b"ours", 60)
    found = {key for key in empty.all_keys() if key.startswith(prefix.encode("utf-8", "surrogatepass"))}
    assert len(list(store.all())) == store.count() == len(found)
    store.clear()
    assert empty.all_keys() == (others | found) - found
    store.close()


def test_the_server_removes_what_has_ended(empty: Server) -> None:
    """Nothing has to be pruned."""
    store = RedisStore(f"redis://127.0.0.1:{empty.port}")
    store.create("a", b"x", 0.05)
    wait_for(lambda: empty.ask("DBSIZE") == 0)
    store.create("b", b"x", -1e9)
    assert empty.ask("EXISTS", "sess:b") == 0
    store.close()


# How it is asked ------------------------------------------------------------------------------------------------------


@pytest.fixture
def tap(empty: Server) -> Iterator[Tap]:
    with Tap(empty.port) as tap:
        yield tap


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_verb_is_one_round_trip(tap: Tap, clock: FrozenClock, asynchronous: bool) -> None:
    """Of few commands. The text of a script is sent to a server that does not know it, and then not again."""
    store: Any = RedisStore(f"redis://127.0.0.1:{tap.port}", timeout=PATIENCE, clock=clock)
    if asynchronous:
        store = store.asynchronous()
    calls: list[tuple[Callable[[], Any], list[str]]] = [
        (lambda: store.create("a", b"x", 60), ["SET"]),
        (lambda: store.load("a"), ["PEXPIRETIME", "GET"]),
        (lambda: store.replace("a", b"y", 60, b"x"), ["EVALSHA"]),
        (lambda: store.touch("a", 60), ["EVALSHA"]),
        (lambda: store.delete("a"), ["PEXPIRETIME", "GETDEL"]),
    ]
    await ask(store.load("a"))
    for call, commands in calls:
        tap.reset()
        answer = await ask(call())
        assert answer is not False
        assert tap.awaited in (commands, ["EVALSHA", "EVAL"])
    for call, commands in calls:
        tap.reset()
        await ask(call())
        assert (tap.awaited, tap.trips) == (commands, 1)
    await ask(store.close())


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_nobody_waits_for_a_renewal(tap: Tap, empty: Server, clock: FrozenClock, asynchronous: bool) -> None:
    """It goes with the next call, or by itself in a moment, and what it says is nobody else's answer."""
    store: Any = RedisStore(f"redis://127.0.0.1:{tap.port}", timeout=PATIENCE, clock=clock)
    if asynchronous:
        store = store.asynchronous()
    await ask(store.create("a", b"x", 60))
    tap.reset()
    for life in (100, 200, 300):
        assert (await ask(store.load("a"))).payload == b"x"
        store.renew("a", life)
    await until(lambda: empty.ask("PEXPIRETIME", "sess:a") == (clock.now + 300) * 1000)
    assert tap.trips == 3
    assert tap.commands.count("PEXPIREAT") == 3
    assert (await ask(store.load("a"))).expires_at == clock.now + 300
    assert await ask(store.delete("a")) is True
    store.renew("a", 60)
    assert await ask(store.load("a")) is None
    await ask(store.close())
    assert empty.all_keys() == set()


async def until(condition: Callable[[], bool]) -> None:
    """Wait, and let the event loop go on."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("size", [100, 400, 20_000])
def test_a_write_does_not_send_what_is_stored(tap: Tap, clock: FrozenClock, size: int) -> None:
    """Unless it is shorter than a hash of it, or so long that a hash of it would hold up the server."""
    store = RedisStore(f"redis://127.0.0.1:{tap.port}", timeout=PATIENCE, clock=clock)
    before, after = b"a" * size, b"b" * size
    store.create("sid", before, 60)
    assert store.replace("sid", after, 60, b"c" * size) == Conflict(before)
    tap.reset()
    assert store.replace("sid", after, 60, before) == Replaced()
    assert (tap.sent - size < 300) == (size == 400 or size == 100)
    assert store.replace("sid", before, 60, before) == Conflict(after)
    store.close()


def test_a_short_payload_is_compared_itself(store: RedisStore) -> None:
    """And one that is empty."""
    store.create("sid", b"", 60)
    assert store.replace("sid", b"", 60, b"x") == Conflict(b"")
    assert store.replace("sid", b"x", 60, b"") == Replaced()


def test_a_server_before_7_is_served() -> None:
    """It has no PEXPIRETIME; its time and PTTL say the same."""
    clock = FrozenClock(int(time.time()) + 86_400)
    with started("--rename-command", "PEXPIRETIME", "") as server:
        store = RedisStore(f"redis://127.0.0.1:{server.port}", clock=clock)
        use_all_verbs(store, clock)
        store.close()


def test_valkey_is_served(clock: FrozenClock) -> None:
    """By its name, too."""
    with started(name="valkey-server") as server:
        assert server.ask("INFO", "server")["server_name"] == "valkey"
        store = stores.from_url(f"valkey://127.0.0.1:{server.port}", clock)
        use_all_verbs(store, clock)
        assert store.count() == 0
        store.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a server's certificate, and a client's."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    for name, identity in (("server", "localhost"), ("client", "app@example.com")):
        certificate = authority.issue_cert(identity)
        certificate.private_key_pem.write_to_path(str(folder / f"{name}.key"))
        certificate.cert_chain_pems[0].write_to_path(str(folder / f"{name}.pem"))
    return folder


async def test_tls_with_certificates(certificates: Path, clock: FrozenClock) -> None:
    """The server's is checked against the authority and the name; ours is shown."""
    files = {"cert": "server.pem", "key": "server.key", "ca-cert": "ca.pem"}
    options = [text for name, file in files.items() for text in (f"--tls-{name}-file", str(certificates / file))]
    port = free_ports(1)[0]
    with started("--tls-port", str(port), *options):
        trusted = f"rediss://localhost:{port}?ssl_ca_certs={certificates}/ca.pem"
        shown = f"{trusted}&ssl_certfile={certificates}/client.pem&ssl_keyfile={certificates}/client.key"
        store = stores.from_url(shown, clock)
        use_all_verbs(store, clock)
        assert await store.asynchronous().create("a", b"x", 60) is True
        await store.asynchronous().close()
        store.close()
        for url in (trusted, shown.replace("localhost", "127.0.0.1"), f"rediss://localhost:{port}"):
            refused = stores.from_url(url, clock)
            with pytest.raises(StoreUnavailable):
                refused.load("a")
            with pytest.raises(StoreUnavailable):
                await refused.asynchronous().load("a")
            await refused.asynchronous().close()
            refused.close()


@pytest.mark.parametrize("scheme", ["unix", "redis+unix"])
async def test_a_socket_with_a_password(tmp_path: Path, clock: FrozenClock, scheme: str) -> None:
    """And a database of its own."""
    path = tmp_path / "a redis.sock"
    with started("--unixsocket", str(path)) as server:
        server.ask("ACL", "SETUSER", "app", "on", ">p@ss:/?", "~sess:*", "+@all")
        store = stores.from_url(f"{scheme}://app:{quote('p@ss:/?', safe='')}@{quote(str(path))}?db=3", clock)
        use_all_verbs(store, clock)
        assert await store.asynchronous().create("a", b"x", 60) is True
        assert server.ask("INFO", "keyspace")["db3"]["keys"] == 1
        assert store.count() == 1
        await store.asynchronous().close()
        store.close()


# Whose client ---------------------------------------------------------------------------------------------------------


async def test_clients_of_the_application_are_used_and_stay_open(empty: Server, clock: FrozenClock) -> None:
    """Even if they decode what they read."""
    ours = redis.Redis(port=empty.port, decode_responses=True)
    theirs = redis.asyncio.Redis(port=empty.port, decode_responses=True)
    store = RedisStore(client=ours, async_client=theirs, clock=clock)
    assert store.create("a", b"\xff", 60) is True
    under_asyncio = store.asynchronous()
    assert (await under_asyncio.load("a")).payload == b"\xff"
    assert await under_asyncio.replace("a", b"y", 60, b"x") == Conflict(b"\xff")
    assert [item async for item in under_asyncio.all()] == list(store.all())
    await under_asyncio.close()
    store.close()
    assert ours.connection_pool._available_connections[0]._sock is not None
    assert theirs.connection_pool._available_connections[0].is_connected
    ours.close()
    await theirs.aclose()


async def test_a_cluster_client_of_the_application(nodes: list[Server], clock: FrozenClock) -> None:
    """Of either colour, decoding."""
    for node in nodes[:3]:
        node.ask("FLUSHALL")
    ours = redis.RedisCluster(port=nodes[0].port, host="127.0.0.1", decode_responses=True)
    theirs = redis.asyncio.RedisCluster(port=nodes[0].port, host="127.0.0.1", decode_responses=True)
    store = RedisStore(client=ours, async_client=theirs, clock=clock)
    use_all_verbs(store, clock)
    assert await store.asynchronous().create("a", b"\xff", 60) is True
    assert await store.asynchronous().count() == store.count() == 1
    assert [sid for sid, _ in store.all()] == ["a"]
    ours.close()
    await theirs.aclose()


@pytest.mark.parametrize("given", [False, True])
async def test_the_first_requests_to_a_cluster_may_all_come_at_once(nodes: list[Server], given: bool) -> None:
    """None is sent astray: redis-py would close the connections of the others where it is told so often."""
    for node in nodes:
        node.ask("CONFIG", "RESETSTAT")
    client = redis.asyncio.RedisCluster(host="127.0.0.1", port=nodes[0].port)
    store = RedisStore(async_client=client) if given else RedisStore(f"redis+cluster://127.0.0.1:{nodes[0].port}")
    under_asyncio = store.asynchronous()
    await asyncio.gather(*(under_asyncio.create(f"first{number}", b"x", 60) for number in range(40)))
    await under_asyncio.close()
    await client.aclose()
    assert not any(b"MOVED" in raw(node, "INFO", "errorstats") for node in nodes)


@pytest.mark.parametrize("given", [False, True])
async def test_slots_that_have_moved_cost_no_request(nodes: list[Server], given: bool) -> None:
    """Who is told so asks the servers again, and leaves alone the connections on which others wait."""
    client = redis.asyncio.RedisCluster(host="127.0.0.1", port=nodes[0].port, reinitialize_steps=0)
    store = RedisStore(async_client=client) if given else RedisStore(f"redis+cluster://127.0.0.1:{nodes[0].port}")
    under_asyncio = store.asynchronous()
    await under_asyncio.load("a")
    # As it was before they moved.
    if given:
        cache = client.nodes_manager.slots_cache
        client.nodes_manager.slots_cache = dict.fromkeys(cache, cache[0][:1])
    else:
        ours = store._clients_of_ours.pipelined()
        ours._slots = dict.fromkeys(ours._slots, ours._slots[0])
    await asyncio.gather(*(under_asyncio.create(f"moved{given}{number}", b"x", 60) for number in range(40)))
    await under_asyncio.close()
    await client.aclose()


def test_slots_that_have_moved_cost_no_request_of_synchronous_code(nodes: list[Server]) -> None:
    """It goes where it is sent."""
    store = RedisStore(f"redis+cluster://127.0.0.1:{nodes[0].port}")
    store.load("a")
    ours = store._clients_of_ours.blocking()
    ours._slots = dict.fromkeys(ours._slots, ours._slots[0])
    for number in range(40):
        assert store.create(f"moved too{number}", b"x", 60) is True
    store.close()


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_slot_on_its_way_to_another_server_is_followed(nodes: list[Server], asynchronous: bool) -> None:
    """ASK: the key is there already, or is made there."""
    source, target = nodes[0], nodes[1]
    key = next(f"way{n}" for n in range(10_000) if source.ask("CLUSTER", "KEYSLOT", f"sess:way{n}") < 5462)
    slot = str(source.ask("CLUSTER", "KEYSLOT", f"sess:{key}"))
    here, there = (node.ask("CLUSTER", "MYID").decode() for node in (source, target))
    store: Any = RedisStore(f"redis+cluster://127.0.0.1:{nodes[0].port}")
    if asynchronous:
        store = store.asynchronous()
    await ask(store.delete(key))
    target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", here)
    source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", there)
    try:
        assert await ask(store.create(key, b"x" * 200, 60)) is True
        assert (await ask(store.load(key))).payload == b"x" * 200
        assert await ask(store.replace(key, b"y", 60, b"x" * 200)) == Replaced()
        assert await ask(store.touch(key, 60)) is True
        assert await ask(store.delete(key)) is True
        assert await ask(store.load(key)) is None
    finally:
        for node in (source, target):
            node.ask("CLUSTER", "SETSLOT", slot, "STABLE")
        await ask(store.close())


async def test_connections_to_a_cluster_that_the_servers_close_cost_no_read(nodes: list[Server]) -> None:
    """While forty are under way."""
    store = RedisStore(f"redis+cluster://127.0.0.1:{nodes[0].port}").asynchronous()
    sids = [f"first{number}" for number in range(40)]
    before = await asyncio.gather(*(store.load(sid) for sid in sids))
    for _ in range(5):
        answers = [store.load(sid) for sid in sids]
        for node in nodes:
            node.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert await asyncio.gather(*answers) == before
    await store.close()


async def test_closing_lets_go_of_a_cluster(nodes: list[Server]) -> None:
    """No connection is left open."""
    store = RedisStore(f"redis+cluster://127.0.0.1:{nodes[0].port}").asynchronous()
    await asyncio.gather(*(store.load(f"sid{number}") for number in range(40)))
    await store.close()
    for node in nodes:
        wait_for(lambda node=node: b"name=sessile" not in raw(node, "CLIENT", "LIST"))


async def test_a_synchronous_client_is_refused_under_asyncio(empty: Server) -> None:
    """It would stall the event loop. And the other way round."""
    with redis.Redis(port=empty.port) as client:
        sessions = Sessions(secret=SECRET, store=RedisStore(client=client))
        with pytest.raises(SessionError, match="async_client= too") as caught:
            await sessions.aopen("a")
        assert not isinstance(caught.value, StoreUnavailable)
    async with redis.asyncio.Redis(port=empty.port) as other:
        with pytest.raises(SessionError, match="client= too"):
            RedisStore(async_client=other).load("a")
        with pytest.raises(InvalidOption, match="other colour"):
            RedisStore(client=other)
    with pytest.raises(InvalidOption, match="other colour"):
        RedisStore(async_client=client)


def test_each_event_loop_has_a_client(empty: Server, clock: FrozenClock) -> None:
    """And closes it."""
    store = RedisStore(f"redis://127.0.0.1:{empty.port}", timeout=PATIENCE, clock=clock).asynchronous()

    async def visit(number: int) -> bool:
        created = await store.create(f"sid{number}", b"x", 60)
        await store.close()
        return bool(created)

    assert all(asyncio.run(visit(number)) for number in range(3))


FORK = """
import os, sys
from sessile.stores.redis import RedisStore
from sessile.stores.redis.address import parse
store = RedisStore(sys.argv[1])
store.create("a", b"parent", 60)
child = os.fork()
if child == 0:
    mine = all(store.load("a").payload == b"parent" for _ in range(200))
    store.close()
    os._exit(0 if mine else 1)
mine = all(store.load("b") is None for _ in range(200))
print(mine, os.waitpid(child, 0)[1])
"""


def test_a_forked_child_has_connections_of_its_own(empty: Server) -> None:
    """Nobody reads another's replies."""
    command = [sys.executable, "-W", "error", "-c", FORK, f"redis://127.0.0.1:{empty.port}"]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout == "True 0\n"


async def test_a_burst_of_requests_is_one_connection(tap: Tap, clock: FrozenClock) -> None:
    """And one write."""
    store = RedisStore(f"redis://127.0.0.1:{tap.port}", timeout=PATIENCE, clock=clock).asynchronous()
    assert all(await asyncio.gather(*(store.create(f"sid{number}", b"x", 60) for number in range(100))))
    assert tap.connections == 1
    assert max(len(write) for write in tap.writes) == 100
    await store.close()


async def test_what_is_asked_without_waiting_in_between_is_one_write(tap: Tap, clock: FrozenClock) -> None:
    """And is carried out in this order."""
    store = RedisStore(f"redis://127.0.0.1:{tap.port}", timeout=PATIENCE, clock=clock).asynchronous()
    await store.load("a")
    tap.reset()
    answers = store.index().create("a", b"i", 60), store.create("a", b"x", 60), store.delete("a"), store.load("a")
    assert await asyncio.gather(*answers) == [True, True, True, None]
    assert tap.writes == [["SET", "SET", "PEXPIRETIME", "GETDEL", "PEXPIRETIME", "GET"]]
    await store.close()


def test_a_thread_that_finds_no_connection_free_waits(tap: Tap, clock: FrozenClock) -> None:
    """There are never more than were allowed."""
    store = RedisStore(f"redis://127.0.0.1:{tap.port}", max_connections=3, timeout=PATIENCE, clock=clock)
    with ThreadPoolExecutor(20) as threads:
        assert all(threads.map(lambda number: store.create(f"sid{number}", b"x", 60), range(200)))
    assert 1 <= tap.connections <= 3
    store.close()


# Outages --------------------------------------------------------------------------------------------------------------


async def test_a_visitor_is_told_to_come_again(empty: Server) -> None:
    """Whether the server is gone or silent."""
    with Link(empty.port) as link:
        ours = Ours(RedisStore(f"redis://127.0.0.1:{link.port}", timeout=1))
        await visitor_is_told_to_come_again(ours, link)


async def test_a_server_that_is_killed_loses_nothing_that_it_has_acknowledged(clock: FrozenClock) -> None:
    """If it writes to its disk before it answers (appendfsync always). Requests succeed as soon as it is back."""
    with started("--appendonly", "yes", "--appendfsync", "always") as server:
        store = RedisStore(f"redis://127.0.0.1:{server.port}", clock=clock).asynchronous()
        await store.create("a", b"0", 60)
        acknowledged = 0

        async def write() -> None:
            nonlocal acknowledged
            while True:
                mine = b"%d" % (acknowledged + 1)
                answer = await store.replace("a", mine, 60, b"%d" % acknowledged)
                # The kill may have come between the write and the answer.
                assert answer == Replaced() or answer.current == mine
                acknowledged += 1

        for round in range(1, 3):
            writer = asyncio.ensure_future(write())
            while acknowledged < 50 * round:
                await asyncio.sleep(0.001)
            server.kill()
            with pytest.raises(StoreUnavailable):
                await writer
            server.start().ready()
            assert int((await store.load("a")).payload) - acknowledged in (0, 1)
        await store.close()


def test_a_server_that_is_full_is_an_outage_for_writers(clock: FrozenClock) -> None:
    """It says so; readers are served, and nothing is lost."""
    with started("--maxmemory", "3mb", "--maxmemory-policy", "noeviction") as server:
        store = RedisStore(f"redis://127.0.0.1:{server.port}", clock=clock)
        created = 0
        with pytest.raises(StoreRefused, match="^RedisStore refused create: OOM ") as caught:
            while True:
                store.create(f"sid{created}", b"x" * 100_000, 60)
                created += 1
        assert (caught.value.store, caught.value.operation) == ("RedisStore", "create")
        assert store.count() == created > 0
        assert store.touch("sid0", 60) is True
        assert store.delete("sid0") is True
        store.close()


# Beside Node ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def node(redis_server: Server) -> Iterator[Node]:
    with node_site("redis-store.js", f"redis://127.0.0.1:{redis_server.port}") as node:
        yield node


@pytest.fixture
async def ours(empty: Server) -> AsyncIterator[Ours]:
    """A site of ours with Node's server."""
    ours = Ours(RedisStore(f"redis://127.0.0.1:{empty.port}"))
    yield ours
    await ours.sessions.aclose()


class TestBesideNode(BesideNode):
    """Of connect-redis."""


async def test_who_changes_nothing_moves_no_byte(node: Node, ours: Ours, empty: Server) -> None:
    """And who changes something, no other byte: neither Node in what is ours, nor we in what is Node's."""
    await ours.visit(lambda session: session.update(BesideNode.words))
    key = f"sess:{sid_of(ours.cookie)}"
    before = empty.ask("GET", key)
    node.get(ours.cookie, set='{"node":"Größe"}')
    after = empty.ask("GET", key)
    assert after.replace(',"node":"Größe"'.encode(), b"") == before
    await ours.visit()
    assert empty.ask("GET", key) == after
    await ours.visit(lambda session: session["deep"]["a"][1].update(b=3))
    assert empty.ask("GET", key) == after.replace(b'{"b":2}', b'{"b":3}')

    _, ours.cookie = node.get(None, set='{"user":{"name":"Zoë 😀","lone":"\\ud800"}}')
    key = f"sess:{sid_of(ours.cookie)}"
    before = empty.ask("GET", key)
    await ours.visit()
    assert empty.ask("GET", key) == before


async def test_a_touch_is_seen_on_the_other_side(node: Node, ours: Ours, empty: Server) -> None:
    """Either moves the end, and nothing else."""
    _, cookie = node.get(None, set='{"a":1}')
    assert cookie is not None
    key = f"sess:{sid_of(cookie)}"
    before = empty.ask("GET", key)
    empty.ask("EXPIRE", key, "100")
    ours.cookie = cookie
    await ours.visit()
    assert 3590 < empty.ask("TTL", key) <= 3600, "the life that Node's cookie names, from now on"
    empty.ask("EXPIRE", key, "100")
    node.get(cookie)
    assert 3590 < empty.ask("TTL", key) <= 3600
    assert empty.ask("GET", key) == before


async def test_both_list_the_same(node: Node, ours: Ours) -> None:
    """Whoever made them."""
    _, one = node.get(None, set='{"a":1}')
    assert one is not None
    await ours.visit(lambda session: session.update(b=2))
    both = sorted([sid_of(one), sid_of(ours.cookie)])
    assert sorted(node.get(None, ids="")[0]) == both
    assert sorted([session.id async for session in ours.sessions.all()]) == both
    assert await ours.sessions.acount() == 2


# Options --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://localhost/x", "no number"),
        ("redis://localhost?db=1", "no option 'db'"),
        ("redis://localhost:port", "no host and port"),
        ("redis://a,b", "several servers"),
        ("redis://localhost?ssl_ca_certs=x", "no option"),
        ("rediss://localhost?ssl_cert_reqs=maybe", "required"),
        ("redis+sentinel://localhost", "names no service"),
        ("redis+cluster://localhost/1", "no databases"),
        ("unix://", "names no socket"),
        ("unix://host/redis.sock", "names no socket"),
        ("redis://localhost?timeout=soon", "no number"),
        ("redis://localhost?timeout=0", "no number of seconds"),
        ("redis://localhost?timeout=nan", "no number of seconds"),
        ("redis://localhost?max_connections=0", "no number from 1"),
    ],
)
def test_a_wrong_url_says_what_to_write(url: str, message: str) -> None:
    """At construction, with the remedy."""
    with pytest.raises(InvalidOption, match=message):
        stores.from_url(url, time.time)


def test_sessions_without_a_prefix_are_not_listed(empty: Server) -> None:
    """Nobody could tell them from other keys; each of them is as good as any."""
    empty.ask("SET", "other", "theirs")
    store = stores.from_url(f"redis://127.0.0.1:{empty.port}?prefix=", time.time)
    assert store.create("a", b"x", 60) is True
    assert empty.ask("GET", "a") == b"x"
    for verb in (store.all, store.count, store.clear):
        with pytest.raises(SessionError, match="without a prefix"):
            verb()
    assert store.delete("a") is True
    assert empty.all_keys() == {b"other"}
    store.close()


@pytest.mark.parametrize("given", [{}, {"server": "redis://", "client": redis.Redis()}, {"server": "http://x"}])
def test_one_server_or_client_is_needed(given: Any) -> None:
    """And it must be a Redis."""
    with pytest.raises(InvalidOption):
        RedisStore(**given)


def test_nobody_connects_before_it_is_used_and_no_password_is_told() -> None:
    """Neither by repr nor by an error."""
    store = stores.from_url("redis://app:secret-word@127.0.0.1:1/2?prefix=a:&timeout=1&max_connections=3", time.time)
    assert "secret-word" not in repr([store, vars(store), parse("redis://app:secret-word@127.0.0.1")])
    with pytest.raises(StoreUnavailable) as caught:
        store.load("the-sid")
    assert not {"secret-word", "the-sid"} & set(f"{caught.value} {caught.value.__cause__}".split())
    store.close()
