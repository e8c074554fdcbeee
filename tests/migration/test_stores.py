"""Sessions move from every kind of store, and to every kind, with nothing lost and nothing changed"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from sessile import Sessions
from sessile.migration import migrate
from sessile.stores import from_url
from tests.migration.sessions import SECRET, assert_equal, close, fill, records, records_of
from tests.stores.mongo_stub import MongoStub
from tests.stress.stores import SITES, Site, close_store, open_store
from tests.waiting import PATIENCE

NUMBER = 200


@contextmanager
def _mongodb() -> Iterator[Site]:
    # The stand-in: some of the sessions have no end, and SecantusDB keeps no date after the year 9999.
    stub = MongoStub()
    yield Site("mongodb", lambda port: f"mongodb://127.0.0.1:{port}/test?directConnection=true", stub.port)
    stub.close()


KINDS = {**SITES, "mongodb": _mongodb}


@pytest.fixture
def sqlite(tmp_path: Path) -> Any:
    return from_url(f"sqlite:///{tmp_path}/other.db", time.time)


async def _users(store: Any) -> dict[str, list[str]]:
    """Return whose sessions there are, as the index has it."""
    site = Sessions(secret=SECRET, store=store)
    users = [f"user-{number}" for number in range(10)]
    return {user: sorted(handle._sid for handle in await site.aof_user(user)) for user in users}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("memory", "redis-cluster")])
async def test_sessions_of_all_sorts_move_to_it_and_from_it(kind: str, sqlite: Any, tmp_path: Path) -> None:
    """Byte for byte, with their ends and their users; and a second pass finds nothing to do."""
    number = NUMBER // 2 if kind == "dynamodb-moto" else NUMBER
    await fill(sqlite, number)
    before = await records(sqlite)
    assert len(before) > number
    users = await _users(sqlite)
    assert all(users[f"user-{number}"] for number in range(10))
    with ExitStack() as ending:
        site = ending.enter_context(KINDS[kind]())
        store = open_store(kind, site.url, PATIENCE)
        there = await migrate(sqlite, store, tmp_path / "there")
        assert there.good
        assert there.copied == there.found == len(before)
        assert there.matching == len(before)
        moved = await (records_of(store, before) if kind == "memcached" else records(store))
        assert_equal(before, moved)
        assert await _users(store) == users
        again = await migrate(sqlite, store, tmp_path / "there")
        assert (again.present, again.copied, again.updated, again.matching) == (len(before), 0, 0, len(before))

        if kind != "memcached":
            back = from_url(f"sqlite:///{tmp_path}/back.db", time.time)
            report = await migrate(store, back, tmp_path / "back")
            assert report.good
            assert report.copied == len(before)
            assert_equal(moved, await records(back))
            assert await _users(back) == users
            await close(back)
        await close_store(store.asynchronous() if hasattr(store, "asynchronous") else store)
    await close(sqlite)


@pytest.mark.parametrize(
    ("source", "target", "options"),
    [("redis", "postgresql", ""), ("mysql", "mongodb", "&stringify=false"), ("mongodb", "file", "")],
)
async def test_they_move_between_servers(source: str, target: str, options: str, tmp_path: Path) -> None:
    """Whatever each makes of a payload: objects of MongoDB come back byte for byte as well."""
    with KINDS[source]() as one, KINDS[target]() as other:
        old, new = open_store(source, one.url, PATIENCE), open_store(target, other.url, PATIENCE)
        if options:
            new = from_url(f"{other.url}{options}&timeout={PATIENCE:g}", time.time)
        await fill(old, NUMBER)
        report = await migrate(old, new, tmp_path / "journal")
        assert (report.good, report.rewritten) == (True, 0)
        assert_equal(await records(old), await records(new))
        assert await _users(old) == await _users(new)
        await close(old, new)
