"""The memory store."""

from __future__ import annotations

import json
import sys
import threading
import warnings
from typing import Any

import pytest

import sessile.stores.memory as module
from sessile import InvalidOption, Sessions, StoreUnavailable, stores
from sessile.stores.base import Replaced
from sessile.stores.memory import MemoryStore, ProcessLocalWarning
from sessile.testing import FrozenClock, StoreConformance
from tests.conftest import SECRET


class TestMemory(StoreConformance):
    """The contract."""

    @pytest.fixture
    def store(self, clock: FrozenClock) -> MemoryStore:
        return MemoryStore(clock=clock)


def test_a_full_store_evicts_what_would_end_first(clock: Any) -> None:
    """Which is what was idle longest, where all live equally long."""
    store = MemoryStore(max_sessions=3, clock=clock)
    for number in range(3):
        store.create(str(number), b"x", 100)
        clock.advance(1)
    store.touch("0", 100)
    store.create("3", b"x", 100)
    assert sorted(sid for sid, _ in store.all()) == ["0", "2", "3"]


def test_a_full_store_makes_room_by_removing_what_has_expired(clock: Any) -> None:
    """Nobody is evicted while there is something to remove."""
    store = MemoryStore(max_sessions=2, clock=clock)
    store.create("short", b"x", 1)
    store.create("long", b"x", 100)
    clock.advance(1)
    store.create("new", b"x", 50)
    assert sorted(sid for sid, _ in store.all()) == ["long", "new"]


def test_a_full_store_can_refuse(clock: Any) -> None:
    """New visitors are turned away, and those who are in stay in."""
    store = MemoryStore(max_sessions=1, full="refuse", clock=clock)
    store.create("a", b"x", 100)
    with pytest.raises(StoreUnavailable, match="max_sessions=1"):
        store.create("b", b"x", 100)
    assert store.create("a", b"y", 100) is False
    clock.advance(100)
    assert store.create("b", b"x", 100) is True


@pytest.mark.parametrize("seed", range(5))
def test_it_never_holds_more_than_its_limit(clock: Any, seed: int) -> None:
    """Whatever is created, touched, shortened and deleted, in whatever order."""
    import random

    chance = random.Random(seed)
    store = MemoryStore(max_sessions=50, clock=clock)
    for _ in range(3000):
        sid = str(chance.randrange(120))
        act = chance.randrange(6)
        if act < 3:
            store.create(sid, b"x", chance.choice([0, 1, 10, 100]))
        elif act == 3:
            store.touch(sid, chance.choice([1, 10, 100]))
        elif act == 4:
            store.delete(sid)
        else:
            clock.advance(chance.random() * 3)
        assert len(store._records) <= 50
        assert sum(map(len, store._strangers._groups.values())) == len(store._records)
        assert len(store._strangers._seconds) <= 2 * len(store._strangers._groups) + module.SPARE_SECONDS + 1


def test_bookkeeping_does_not_grow_with_what_is_gone(clock: Any) -> None:
    """A hundred thousand sessions that came and went leave nothing behind."""
    store = MemoryStore(clock=clock)
    for number in range(100_000):
        store.create(str(number), b"x", 100)
        store.touch(str(number), 100)
        store.delete(str(number))
    assert (len(store._records), len(store._strangers._groups)) == (0, 0)
    assert len(store._strangers._seconds) <= module.SPARE_SECONDS + 1


def test_expiring_looks_at_what_expired_and_nothing_else(clock: Any) -> None:
    """Not one of ten thousand live records is moved when one ends."""
    store = MemoryStore(clock=clock)
    for number in range(10_000):
        store.create(str(number), b"x", 1000)
    store.create("short", b"x", 1)
    (live,) = [group for group in store._strangers._groups.values() if "short" not in group]
    clock.advance(2)
    assert store.prune() == 1
    assert list(store._strangers._groups.values()) == [live]
    assert len(live) == 10_000


def test_many_threads_may_use_it_at_once(clock: Any) -> None:
    """Creating, reading, listing and pruning do not disturb each other."""
    store = MemoryStore(max_sessions=500, clock=clock)
    errors = []

    def work(name: int) -> None:
        try:
            for number in range(2000):
                sid = f"{name}-{number % 200}"
                store.create(sid, b"x", 10)
                store.load(sid)
                store.touch(sid, 10)
                if number % 50 == 0:
                    list(store.all())
                    store.prune()
                store.delete(sid)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert store.count() == 0


@pytest.mark.parametrize(
    ("arguments", "environment", "warned"),
    [
        (["uvicorn", "app:app"], {}, None),
        (["uvicorn", "app:app", "--workers", "4"], {}, "4 worker processes"),
        (["gunicorn", "-w", "2", "app:app"], {}, "2 worker processes"),
        (["granian", "--workers=3"], {}, "3 worker processes"),
        (["uvicorn", "--workers", "1"], {}, None),
        (["uvicorn", "--workers"], {}, None),
        (["app"], {"WEB_CONCURRENCY": "2"}, "2 worker processes"),
        (["app"], {"APP_ENV": "production"}, "production"),
    ],
)
def test_it_warns_once_where_it_is_the_wrong_store(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], environment: dict[str, str], warned: str | None
) -> None:
    """Several workers, or production: each process would forget what the others know."""
    monkeypatch.setattr("sessile.stores._shared.processes._warned", False)
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        MemoryStore().create("a", b"x", 1)
        MemoryStore().create("a", b"x", 1)
    messages = [str(item.message) for item in caught if item.category is ProcessLocalWarning]
    assert len(messages) == (1 if warned else 0)
    assert all(warned in message and "sqlite:///" in message for message in messages if warned)


def test_the_url_may_carry_its_options(clock: Any) -> None:
    """And names the ones it has if another is asked for."""
    store = stores.from_url("memory://?max_sessions=1&full=refuse", clock)
    store.create("a", b"x", 1)
    with pytest.raises(StoreUnavailable):
        store.create("b", b"x", 1)
    with pytest.raises(InvalidOption, match="max_sessions and full"):
        stores.from_url("memory://?size=1", clock)


@pytest.mark.parametrize(
    "wrong", [{"max_sessions": 0}, {"max_sessions": True}, {"max_sessions": "9"}, {"full": "explode"}]
)
def test_wrong_options_are_refused(wrong: dict[str, Any]) -> None:
    """At construction, with the remedy."""
    with pytest.raises(InvalidOption):
        MemoryStore(**wrong)
    if isinstance(wrong.get("max_sessions"), str):
        return
    with pytest.raises(InvalidOption):
        stores.from_url("memory://?" + "&".join(f"{key}={value}" for key, value in wrong.items()), lambda: 0.0)


def test_an_unknown_scheme_names_the_known_ones() -> None:
    """A typo in a URL is told at construction."""
    with pytest.raises(InvalidOption, match=r"'postgresq://'.*Did you mean .postgresql://"):
        stores.from_url("postgresq://localhost", lambda: 0.0)
    with pytest.raises(InvalidOption, match=r"'oracle://'.*memory://, sqlite://"):
        stores.from_url("oracle://localhost", lambda: 0.0)


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    from sessile.errors import MissingExtra

    monkeypatch.setitem(stores.SCHEMES, "imaginary", ("sessile.stores.imaginary", "imaginary"))
    with pytest.raises(MissingExtra, match=r"pip install 'sessile\[imaginary\]'"):
        stores.from_url("imaginary://", lambda: 0.0)


def test_what_ended_within_this_second_has_ended(clock: Any) -> None:
    """Records are filed by the second, but they end by the fraction: for create, count, all and prune."""
    store = MemoryStore(clock=clock)
    store.create("short", b"x", 1.2)
    store.create("long", b"x", 1.8)
    clock.advance(1.5)
    store.create("other", b"x", 60)
    assert store.count() == 2
    assert store.create("long", b"y", 60) is False
    assert store.create("short", b"y", 0.1) is True
    clock.advance(0.2)
    assert store.create("short", b"z", 60) is True
    assert sorted(sid for sid, _ in store.all()) == ["long", "other", "short"]


def test_a_full_store_refuses_only_for_the_living(clock: Any) -> None:
    """In the second in which some end, those that have ended make room, and those that have not stay in."""
    store = MemoryStore(max_sessions=2, full="refuse", clock=clock)
    store.create("short", b"x", 1.2)
    store.create("long", b"x", 1.8)
    clock.advance(1.1)
    with pytest.raises(StoreUnavailable):
        store.create("new", b"x", 60)
    clock.advance(0.2)
    assert store.create("new", b"x", 60) is True
    assert store.load("long") is not None


def test_no_visitor_pays_for_all_that_ended_at_once(clock: Any) -> None:
    """One create removes a bounded number of expired records; prune removes the rest, in batches."""
    store = MemoryStore(clock=clock)
    for number in range(10 * module.EXPIRE_BATCH):
        store.create(str(number), b"x", 10)
    clock.advance(20)
    store.create("new", b"x", 60)
    assert len(store._records) == 9 * module.EXPIRE_BATCH + 1
    assert store.prune() == 9 * module.EXPIRE_BATCH
    assert store.count() == 1


def test_a_second_each_leaves_nothing_behind(clock: Any) -> None:
    """Sessions that live for a year, one a second, each deleted at once: the seconds are forgotten as well."""
    store = MemoryStore(clock=clock)
    for _ in range(10_000):
        store.create("a", b"x", 86_400 * 365)
        store.delete("a")
        clock.advance(1)
    assert len(store._strangers._groups) == 0
    assert len(store._strangers._seconds) <= module.SPARE_SECONDS + 1


def test_an_endless_life_is_a_life(clock: Any) -> None:
    """Infinity is a number of seconds like any other."""
    store = MemoryStore(clock=clock)
    store.create("a", b"x", float("inf"))
    clock.advance(1e12)
    assert store.touch("a", float("inf")) is True
    assert store.count() == 1


# Users and strangers --------------------------------------------------------------------------------------------------


def test_strangers_evict_no_user() -> None:
    """However many sessions a stranger begins, those that the index names stay; without strangers, users make room."""
    now = [1000.0]
    store = MemoryStore(max_sessions=10, clock=lambda: now[0])
    index = store.index()
    for number in range(5):
        index.create(f"key{number}", json.dumps({"sessions": {f"user{number}": now[0]}}).encode(), 1000)
        store.create(f"user{number}", b"{}", 100)
        now[0] += 2
    for number in range(100):
        store.create(f"stranger{number}", b"{}", 1000)
    assert {sid for sid, _ in store.all() if sid.startswith("user")} == {f"user{number}" for number in range(5)}
    assert store.count() == 10
    for number in range(5, 10):
        index.create(f"key{number}", json.dumps({"sessions": {f"user{number}": now[0]}}).encode(), 1000)
        store.create(f"user{number}", b"{}", 100)
    assert {sid for sid, _ in store.all()} == {f"user{number}" for number in range(10)}
    store.create("one more", b"{}", 100)
    assert store.load("user0") is None
    assert store.count() == 10


def test_strangers_log_nobody_out() -> None:
    """The same with sessions: the index is as `login` writes it."""
    sessions = Sessions(secret=SECRET, store=MemoryStore(max_sessions=10))
    users = []
    for number in range(5):
        session = sessions.engine.blank()
        session.login(f"user{number}")
        sessions.engine.commit_sync(session)
        users.append(session.id)
    for number in range(100):
        session = sessions.engine.blank()
        session["n"] = number
        sessions.engine.commit_sync(session)
    assert [user for user in users if sessions.open(user) is None] == []


def test_who_has_left_the_index_is_a_stranger() -> None:
    """What the index no longer names is evicted like any other, and the index keeps nothing of it."""
    store = MemoryStore(max_sessions=2)
    index = store.index()
    payload = json.dumps({"sessions": {"one": 1.0}}).encode()
    index.create("key", payload, 1000)
    assert isinstance(index.replace("key", b'{"sessions":{}}', 1000, payload), Replaced)
    store.create("one", b"{}", 100)
    store.create("two", b"{}", 1000)
    store.create("three", b"{}", 1000)
    assert store.load("one") is None
    index.create("other", b"not json", 1000)
    assert index.delete("other") is True
    assert index.delete("key") is True
    assert not index.names("one")
