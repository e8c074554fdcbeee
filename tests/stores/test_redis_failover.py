"""The Redis store while a cluster or Sentinel puts a replica in the place of a server that was killed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from sessile import StoreUnavailable
from sessile.stores.base import Replaced
from sessile.stores.redis import RedisStore
from sessile.testing import FrozenClock, Link
from tests.stores.redis_servers import Server, cluster, raw, sentinels, wait_for

SIDS = [f"sid{number}" for number in range(12)]

#: Within how many seconds requests succeed again. The servers find out after half a second, and then hold an election.
FAILOVER = 10


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[Server]]:
    with cluster() as nodes:
        yield nodes


@pytest.fixture(scope="module")
def watched() -> Iterator[tuple[list[Server], list[Server]]]:
    with sentinels() as watched:
        yield watched


class Visitors:
    """Each counts up in a session of its own, as fast as it can, through all outages."""

    def __init__(self, store: Any, sids: list[str] = SIDS) -> None:
        self.store = store
        self.acknowledged = dict.fromkeys(sids, 0)
        #: What must not be lost.
        self.safe = dict.fromkeys(sids, 0)
        self.outages = 0
        self.stopped = False

    async def run(self) -> None:
        await asyncio.gather(*map(self.visit, self.acknowledged))

    async def visit(self, sid: str) -> None:
        while not self.stopped:
            try:
                record = await self.store.load(sid)
                assert record is not None, "a session was lost"
                count = int(record.payload)
                assert count >= self.safe[sid], "an acknowledged write was lost"
                if await self.store.replace(sid, b"%d" % (count + 1), 600, record.payload) == Replaced():
                    self.acknowledged[sid] = count + 1
            except StoreUnavailable:
                self.outages += 1
                await asyncio.sleep(0.01)

    async def more(self) -> None:
        """Wait until each has been served ten times more."""
        goal = {sid: count + 10 for sid, count in self.acknowledged.items()}
        deadline = time.monotonic() + FAILOVER
        while any(self.acknowledged[sid] < goal[sid] for sid in goal):
            assert time.monotonic() < deadline, "requests do not succeed again"
            await asyncio.sleep(0.005)


def make_safe(server: Server, key: str) -> None:
    """Wait until a replica has all that was written before."""
    with redis.Redis(port=server.port, single_connection_client=True) as client:
        client.set(key, "x")
        assert client.wait(1, 5000) >= 1


async def kill_in_the_middle(store: RedisStore, victim: Server, key: str) -> None:
    """Kill ``victim``, which serves ``key``, among requests; what its replica had is there when they succeed again."""
    under_asyncio = store.asynchronous()
    for sid in SIDS:
        assert await under_asyncio.create(sid, b"0", 600) is True
    visitors = Visitors(under_asyncio)
    running = asyncio.ensure_future(visitors.run())
    await visitors.more()
    acknowledged = dict(visitors.acknowledged)
    await asyncio.to_thread(make_safe, victim, key)
    visitors.safe = acknowledged
    victim.kill()
    # Some may be served by the other parts of a cluster before the first one finds out.
    while not visitors.outages and not running.done():
        await asyncio.sleep(0.005)
    await visitors.more()
    visitors.stopped = True
    await running
    # Each node of a cluster finds out for itself that the others go on.
    await asyncio.to_thread(wait_for, lambda: is_served(store))
    for sid in SIDS:
        assert int(store.load(sid).payload) - visitors.acknowledged[sid] in (0, 1)
    await under_asyncio.close()
    store.close()


def is_served(store: RedisStore) -> bool:
    """Tell whether the synchronous client gets all its sessions."""
    try:
        return all(store.load(sid) for sid in SIDS)
    except StoreUnavailable:
        return False


def uptime(node: Server) -> int:
    """Return for how many seconds a server has been there."""
    return int(raw(node, "INFO", "server").partition(b"uptime_in_seconds:")[2].split()[0])


async def test_a_primary_of_a_cluster_hands_over_and_nobody_notices(nodes: list[Server]) -> None:
    """Who is told that the slots have moved learns it without closing the connections of others."""
    store = RedisStore(f"redis+cluster://127.0.0.1:{nodes[0].port}", timeout=FAILOVER).asynchronous()
    sids = [f"visitor{number}" for number in range(30)]
    for sid in sids:
        await store.create(sid, b"0", 600)
    visitors = Visitors(store, sids)
    running = asyncio.ensure_future(visitors.run())
    await visitors.more()
    # A primary refuses everybody for the first two seconds of its process if it doubts the cluster for a moment.
    await asyncio.to_thread(wait_for, lambda: all(uptime(node) > 3 for node in nodes))
    nodes[4].ask("CLUSTER", "FAILOVER")
    await asyncio.to_thread(wait_for, lambda: b"role:master" in raw(nodes[4], "INFO", "replication"))
    await visitors.more()
    visitors.stopped = True
    await running
    assert visitors.outages == 0
    await store.close()


async def test_a_primary_of_a_cluster_is_killed(nodes: list[Server]) -> None:
    """The first part of the slots changes hands; both colours follow."""
    clock = FrozenClock(int(time.time()) + 86_400)
    addresses = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
    store = RedisStore(f"redis+cluster://{addresses}", clock=clock)
    store.create("before", b"x", 600)  # The synchronous client is connected, too.
    key = next(f"{number}" for number in range(1000) if nodes[0].ask("CLUSTER", "KEYSLOT", f"{number}") < 5462)
    await kill_in_the_middle(store, nodes[0], key)


@pytest.mark.parametrize("sync", [False, True])
async def test_a_sentinel_that_is_silent_costs_no_request(
    watched: tuple[list[Server], list[Server]], sync: bool
) -> None:
    """There is time to ask the next one."""
    _, watchers = watched
    with Link(watchers[0].port) as silent:
        silent.silence()
        url = f"redis+sentinel://127.0.0.1:{silent.port},127.0.0.1:{watchers[1].port}/sessions"
        store = RedisStore(url, timeout=1)
        if sync:
            assert store.create("a", b"x", 60) is True
            store.close()
        else:
            assert await store.asynchronous().create("b", b"x", 60) is True
            await store.asynchronous().close()


async def test_a_master_hands_over_that_sentinels_watch() -> None:
    """It becomes a replica, and goes on answering: the first write after that goes to the new master."""
    with sentinels() as ((master, *_), watchers):
        addresses = ",".join(f"127.0.0.1:{watcher.port}" for watcher in watchers)
        store = RedisStore(f"redis+sentinel://{addresses}/sessions", timeout=FAILOVER)
        under_asyncio = store.asynchronous()
        assert store.create("one", b"x", 600) is True
        assert await under_asyncio.create("two", b"x", 600) is True
        await asyncio.to_thread(make_safe, master, "probe")
        watchers[0].ask("SENTINEL", "FAILOVER", "sessions")
        await asyncio.to_thread(wait_for, lambda: b"role:slave" in raw(master, "INFO", "replication"))
        assert await under_asyncio.replace("one", b"y", 600, b"x") == Replaced()
        assert store.replace("two", b"y", 600, b"x") == Replaced()
        await under_asyncio.close()
        store.close()


async def test_the_master_is_killed_that_sentinels_watch(watched: tuple[list[Server], list[Server]]) -> None:
    """A replica is promoted; both colours find it."""
    (master, *_), watchers = watched
    clock = FrozenClock(int(time.time()) + 86_400)
    addresses = ",".join(f"127.0.0.1:{watcher.port}" for watcher in watchers)
    store = RedisStore(f"redis+sentinel://{addresses}/sessions?db=0", clock=clock)
    store.create("before", b"x", 600)
    await kill_in_the_middle(store, master, "probe")
