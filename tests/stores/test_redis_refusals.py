"""What the Redis store makes of a server that answers, and says no."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio

from sessile import StoreRefused, StoreUnavailable
from sessile.stores._shared.breaker import FAILURES
from sessile.stores.base import Replaced
from sessile.stores.redis import RedisStore, refusals
from tests.stores.redis_servers import Server, raw, servers, started, wait_for
from tests.stores.tap import Tap
from tests.waiting import PATIENCE

PAYLOAD = b"x" * 200


class Caller:
    """Uses a store in one flavour."""

    def __init__(self, asynchronous: bool) -> None:
        self.asynchronous = asynchronous
        self._loop = asyncio.new_event_loop() if asynchronous else None

    def __call__(self, store: RedisStore, verb: str, *arguments: Any) -> Any:
        if self._loop is None:
            return getattr(store, verb)(*arguments)

        async def call() -> Any:
            answer = getattr(store.asynchronous(), verb)(*arguments)
            return await answer if hasattr(answer, "__await__") else answer

        return self._loop.run_until_complete(call())

    def close(self) -> None:
        if self._loop is not None:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()


@pytest.fixture(params=[False, True], ids=["sync", "asyncio"])
def call(request: pytest.FixtureRequest) -> Iterator[Caller]:
    caller = Caller(request.param)
    yield caller
    caller.close()


def store_at(server: Server, **options: Any) -> RedisStore:
    return RedisStore(f"redis://127.0.0.1:{server.port}", timeout=PATIENCE, **options)


def fill(server: Server) -> None:
    """Let the server have no room for one thing more."""
    server.ask("CONFIG", "SET", "maxmemory", "1")


def stop_saving(server: Server) -> None:
    """Let the server fail to write its snapshot, upon which it takes no writes."""
    shutil.rmtree(server.folder)
    server.ask("CONFIG", "SET", "save", "1 1")
    server.ask("SET", "changed", "x")
    wait_for(lambda: failed_to_save(server))


def failed_to_save(server: Server) -> bool:
    with redis.Redis(port=server.port) as client:
        if client.info("persistence")["rdb_last_bgsave_status"] == "err":
            return True
        client.execute_command("BGSAVE")
    return False


def want_replicas(server: Server) -> None:
    server.ask("CONFIG", "SET", "min-replicas-to-write", "1")


def become_a_replica(server: Server) -> None:
    """Of nobody: what is there is served, and nothing is written."""
    server.ask("CONFIG", "SET", "replica-serve-stale-data", "yes")
    server.ask("REPLICAOF", "127.0.0.1", "1")


REFUSALS: dict[str, Callable[[Server], None]] = {
    "OOM": fill,
    "MISCONF": stop_saving,
    "NOREPLICAS": want_replicas,
    "READONLY": become_a_replica,
}


@pytest.mark.parametrize("code", REFUSALS)
def test_a_server_that_takes_no_writes_serves_readers(call: Caller, code: str) -> None:
    """However many writes it has refused: it is not silent. Renewals are refused as well, and nobody is told so."""
    with started() as server:
        store = store_at(server)
        call(store, "create", "a", PAYLOAD, 600)
        REFUSALS[code](server)
        for number in range(FAILURES + 2):
            with pytest.raises(StoreRefused) as caught:
                call(store, "create", f"sid{number}", PAYLOAD, 600)
            assert caught.value.reason.startswith(code)
            with pytest.raises(StoreRefused) as caught:
                call(store, "replace", "a", b"y", 600, PAYLOAD)
            assert caught.value.reason.startswith(code)
            assert caught.value.operation == "replace"
            assert call(store, "load", "a").payload == PAYLOAD
            call(store, "renew", "a", 600)
        assert call(store, "count") == 1
        call(store, "close")
        store.close()


def test_a_full_server_removes_what_it_is_asked_to(call: Caller) -> None:
    """A log-out needs no room."""
    with started() as server:
        store = store_at(server)
        call(store, "create", "a", PAYLOAD, 600)
        call(store, "create", "b", PAYLOAD, 600)
        fill(server)
        assert call(store, "touch", "a", 900) is True
        assert call(store, "delete", "a") is True
        call(store, "clear")
        assert server.all_keys() == set()
        call(store, "close")
        store.close()


def test_a_refused_renewal_is_logged_once_in_a_while(
    call: Caller, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the reason, and the pages are served."""
    monkeypatch.setattr(refusals, "_logged", -refusals.LOGGED)
    with started() as server, caplog.at_level(logging.WARNING, "sessile"):
        store = store_at(server)
        call(store, "create", "the-sid", PAYLOAD, 600)
        become_a_replica(server)
        for _ in range(5):
            assert call(store, "load", "the-sid").payload == PAYLOAD
            call(store, "renew", "the-sid", 600)
        assert call(store, "load", "the-sid") is not None
        assert [record.message[:39] for record in caplog.records] == ["RedisStore refused renew: READONLY You "]
        assert "the-sid" not in caplog.text
        call(store, "close")
        store.close()


NODE = (
    "+get",
    "+set",
    "+del",
    "+getdel",
    "+pexpiretime",
    "+pexpireat",
    "+evalsha",
    "+eval",
    "+scan",
    "+exists",
    "+hello",
)


@pytest.fixture
def guarded() -> Iterator[Server]:
    with started() as server:
        server.ask("ACL", "SETUSER", "app", "on", ">a-password", "~sess:*", *NODE)
        yield server


def test_a_user_who_may_not_use_the_index_may_use_the_sessions(call: Caller, guarded: Server) -> None:
    """The index is refused, with its reason, however often it is asked; its breaker is its own."""
    store = RedisStore(f"redis://app:a-password@127.0.0.1:{guarded.port}", timeout=PATIENCE)
    call(store, "create", "the-sid", PAYLOAD, 600)
    index = store.index()
    for _ in range(FAILURES + 1):
        for verb, arguments in (("load", ()), ("create", (b"{}", 60)), ("delete", ())):
            with pytest.raises(StoreRefused, match="NOPERM") as caught:
                call(index, verb, "the-sid", *arguments)
            assert caught.value.operation == verb
            assert "the-sid" not in str(caught.value) + str(caught.value.__cause__)
        assert call(store, "load", "the-sid").payload == PAYLOAD
    assert call(store, "replace", "the-sid", b"y" * 200, 60, PAYLOAD) == Replaced()
    assert call(store, "touch", "the-sid", 60) is True
    assert call(store, "delete", "the-sid") is True
    call(store, "close")
    store.close()


DOCUMENTED = re.search(
    r"^ACL SETUSER .*$", (Path(__file__).parents[2] / "docs/how-to/stores/redis.md").read_text("utf-8"), re.MULTILINE
)


@pytest.mark.parametrize("name", ["redis-server", "valkey-server"])
def test_the_commands_that_the_documentation_lists_are_enough(call: Caller, name: str) -> None:
    """For all verbs, for the index as well."""
    assert DOCUMENTED is not None
    with started(name=name) as server:
        server.ask(*DOCUMENTED.group().split())
        server.ask("ACL", "SETUSER", "default", "off")
        store = RedisStore(f"redis://shop:password@127.0.0.1:{server.port}/1", timeout=PATIENCE)
        for each in (store, store.index()):
            assert call(each, "create", "a", PAYLOAD, 60) is True
            assert call(each, "create", "a", PAYLOAD, 60) is False
            assert call(each, "load", "a").payload == PAYLOAD
            assert call(each, "replace", "a", b"y", 60, PAYLOAD) == Replaced()
            assert call(each, "touch", "a", 60) is True
            call(each, "renew", "a", 60)
            assert call(each, "count") == 1
            assert call(each, "delete", "a") is True
            assert call(each, "create", "a", PAYLOAD, 60) is True
            assert call(each, "evicts") is False
            call(each, "clear")
        call(store, "close")
        store.close()


def test_an_outage_of_the_index_is_none_of_the_sessions() -> None:
    """Each has a breaker of its own, and the index is one and the same each time it is asked for."""
    store = RedisStore("redis://127.0.0.1:1", timeout=1)
    assert store.index() is store.index()
    for _ in range(FAILURES):
        with pytest.raises(StoreUnavailable):
            store.index().load("a")
    sessions, index = store._clients_of_ours._breakers
    assert (sessions.enter(), index.enter()) == (False, True)


@pytest.mark.parametrize(
    ("user", "reason"), [("app:wrong-password@", "WRONGPASS"), ("nobody:a-password@", "WRONGPASS"), ("", "NOAUTH")]
)
def test_a_wrong_password_is_said_to_be_one(call: Caller, guarded: Server, user: str, reason: str) -> None:
    """By the server's words, and without the password."""
    guarded.ask("ACL", "SETUSER", "default", "off")
    store = RedisStore(f"redis://{user}127.0.0.1:{guarded.port}", timeout=PATIENCE)
    for _ in range(FAILURES + 1):
        with pytest.raises(StoreRefused) as caught:
            call(store, "load", "the-sid")
        assert caught.value.reason.startswith(reason)
        assert not {"wrong-password", "a-password", "the-sid"} & set(f"{caught.value}{caught.value.__cause__}".split())
    call(store, "close")
    store.close()


def test_a_command_that_the_server_does_not_have_is_named_and_no_id(call: Caller) -> None:
    """The server repeats what it was sent."""
    with started("--rename-command", "GETDEL", "") as server:
        store = store_at(server)
        call(store, "load", "the-sid-of-somebody")
        with pytest.raises(StoreRefused, match="unknown command 'GETDEL'") as caught:
            call(store, "delete", "the-sid-of-somebody")
        assert "somebody" not in str(caught.value) + str(caught.value.__cause__)
        call(store, "close")
        store.close()


def test_a_server_that_does_not_know_hello_is_spoken_to_in_the_old_way(call: Caller) -> None:
    """Some proxies do not. With a password, and a database."""
    with started("--rename-command", "HELLO", "") as server:
        server.ask("CONFIG", "SET", "requirepass", "a-password")
        store = RedisStore(f"redis://:a-password@127.0.0.1:{server.port}/2", timeout=PATIENCE)
        assert call(store, "create", "a", PAYLOAD, 60) is True
        assert call(store, "load", "a").payload == PAYLOAD
        assert call(store, "load", "b") is None
        call(store, "close")
        store.close()


def test_a_user_who_may_not_say_hello_is_served(call: Caller) -> None:
    """Nor PING."""
    with started() as server:
        server.ask("ACL", "SETUSER", "default", "reset", "on", "nopass", "~sess:*", "+get", "+pexpiretime", "+acl")
        store = store_at(server)
        assert call(store, "load", "a") is None
        other = RedisStore(f"redis://127.0.0.1:{server.port}/2", timeout=PATIENCE)
        with pytest.raises(StoreRefused, match="NOPERM"):  # In the database 0 it has no business.
            call(other, "load", "a")
        call(store, "close")
        store.close()


def test_a_server_that_has_no_place_for_one_more_says_so(call: Caller) -> None:
    """And serves when there is one again."""
    with started("--maxclients", "4") as server:
        others = [redis.Redis(port=server.port, single_connection_client=True) for _ in range(4)]
        store = store_at(server)
        with pytest.raises(StoreRefused, match="max number of clients"):
            call(store, "load", "a")
        for other in others:
            other.close()
        wait_for(lambda: server.ask("PING"))
        assert call(store, "load", "a") is None
        call(store, "close")
        store.close()


# A server that has become a replica --------------------------------------------------------------------------------


def test_a_write_follows_the_name_to_the_server_that_takes_it(call: Caller) -> None:
    """A replica that was promoted behind a name: the connections to the old one are not kept, and no write is lost."""
    with servers(2) as (old, new), Tap(old.port) as tap:
        store = RedisStore(f"redis://127.0.0.1:{tap.port}", timeout=PATIENCE)
        call(store, "create", "a", PAYLOAD, 60)
        old.ask("REPLICAOF", "127.0.0.1", str(new.port))
        wait_for(lambda: b"master_link_status:up" in raw(old, "INFO", "replication"))
        tap.target = new.port
        for number in range(40):
            assert call(store, "create", f"sid{number}", PAYLOAD, 60) is True
        assert new.ask("DBSIZE") == 40
        call(store, "close")
        store.close()


# Whether it evicts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "evicts"),
    [
        ((), False),
        (("--maxmemory", "100mb"), False),
        (("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"), True),
        (("--maxmemory", "100mb", "--maxmemory-policy", "volatile-ttl"), True),
        (("--maxmemory-policy", "allkeys-lru"), False),
    ],
)
def test_it_is_known_whether_the_server_evicts(call: Caller, options: tuple[str, ...], evicts: bool) -> None:
    """Of its own accord it says so: CONFIG is often forbidden."""
    with started(*options, "--rename-command", "CONFIG", "") as server:
        store = store_at(server)
        assert call(store, "evicts") is evicts
        assert call(store.index(), "evicts") is evicts
        brought = RedisStore(client=redis.Redis(port=server.port), timeout=PATIENCE)
        assert brought.evicts() is evicts
        call(store, "close")
        store.close()


def test_it_is_not_known_where_info_is_forbidden(call: Caller, guarded: Server) -> None:
    """None, and no error."""
    store = RedisStore(f"redis://app:a-password@127.0.0.1:{guarded.port}", timeout=PATIENCE)
    assert call(store, "evicts") is None
    call(store, "close")
    store.close()


# Whose client ------------------------------------------------------------------------------------------------------


def test_a_client_of_the_application_is_refused_in_the_same_words(tmp_path: Path) -> None:
    """In both flavours."""
    with started() as server:
        store = RedisStore(client=redis.Redis(port=server.port), timeout=PATIENCE)
        store.create("a", PAYLOAD, 600)
        fill(server)
        with pytest.raises(StoreRefused, match="^RedisStore refused create: OOM"):
            store.create("b", PAYLOAD, 600)
        with pytest.raises(StoreRefused, match="^RedisStore refused replace: OOM"):
            store.replace("a", b"y", 600, PAYLOAD)
        assert store.delete("a") is True


async def test_a_client_for_asyncio_of_the_application_is_refused_in_the_same_words() -> None:
    """And nobody waits for its renewals either."""
    with started() as server:
        async with redis.asyncio.Redis(port=server.port) as client:
            store = RedisStore(async_client=client, timeout=PATIENCE).asynchronous()
            await store.create("a", PAYLOAD, 600)
            store.renew("a", 1200)
            await asyncio.to_thread(wait_for, lambda: server.ask("TTL", "sess:a") > 1100)
            fill(server)
            with pytest.raises(StoreRefused, match="^RedisStore refused create: OOM"):
                await store.create("b", PAYLOAD, 600)
            assert await store.delete("a") is True
