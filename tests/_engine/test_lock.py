"""One request at a time: the lock of a session, its end, and what becomes of those who are late."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sessile import RequestFacts, Session, SessionConflict, SessionError, SessionGone, Sessions
from sessile._records.locks import Lock, lock_in, with_lock
from sessile._records.record import decode
from sessile.errors import LockLost, SessionEnded, SessionLocked
from sessile.stores.memory import MemoryStore
from sessile.stores.sqlite import SqliteStore
from tests.conftest import SECRET, Clock


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, clock: Clock, tmp_path: Path) -> Iterator[Any]:
    store = MemoryStore(clock=clock) if request.param == "memory" else SqliteStore(tmp_path / "s.db", clock=clock)
    yield store
    store.close() if isinstance(store, SqliteStore) else None


@pytest.fixture
def sessions(store: Any, clock: Clock) -> Sessions:
    return Sessions(secret=SECRET, store=store, clock=clock)


@pytest.fixture
def sid(sessions: Sessions) -> str:
    session = sessions.engine.begin_sync(b"", RequestFacts)
    session["n"] = 0
    sessions.engine.commit_sync(session)
    return session.id


def lock_of(sessions: Sessions, sid: str) -> Lock:
    contents = decode(sessions.store.load(sid).payload)
    assert contents is not None
    return lock_in(contents.system)


def test_threads_count_one_after_the_other(sessions: Sessions, sid: str) -> None:
    """Read, think, write, in strict order: nothing is joined, and nothing is lost."""
    fences: list[int] = []

    def work() -> None:
        for _ in range(5):
            session = sessions.open(sid)
            with session.lock(wait=60) as fence:
                fences.append(fence)
                seen = session["n"]
                threading.Event().wait(0.001)
                session["n"] = seen + 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sessions.open(sid)["n"] == 20
    assert fences == sorted(set(fences))


async def test_tasks_count_one_after_the_other(sessions: Sessions, store: Any) -> None:
    session = sessions.engine.blank(RequestFacts)
    session["n"] = 0
    await session.asave()

    async def work() -> None:
        for _ in range(5):
            mine = await sessions.aopen(session.id)
            async with mine.lock(wait=60):
                seen = mine["n"]
                await asyncio.sleep(0)
                mine["n"] = seen + 1

    await asyncio.gather(*(work() for _ in range(4)))
    assert (await sessions.aopen(session.id))["n"] == 20


def test_what_is_done_under_it_is_committed_and_it_is_given_back_in_one_step(sessions: Sessions, sid: str) -> None:
    session = sessions.open(sid)
    with session.lock() as fence:
        assert lock_of(sessions, sid) == Lock(fence, sessions.engine.now() + 10)
        session["n"] = 1
    assert lock_of(sessions, sid) == Lock(fence, 0)
    assert sessions.open(sid) == {"n": 1}


def test_it_is_given_back_if_nothing_was_changed(sessions: Sessions, sid: str) -> None:
    session = sessions.open(sid)
    with session.lock():
        assert session["n"] == 0
    assert lock_of(sessions, sid).until == 0
    with session.lock():
        assert session["n"] == 0


def test_an_error_gives_it_back_and_keeps_nothing(sessions: Sessions, sid: str) -> None:
    session = sessions.open(sid)
    with pytest.raises(ZeroDivisionError), session.lock():
        session["n"] = 1
        session["n"] /= 0
    assert lock_of(sessions, sid).until == 0
    assert session == sessions.open(sid) == {"n": 0}


def test_inside_the_session_is_as_it_is_stored_now(sessions: Sessions, sid: str) -> None:
    mine, other = sessions.open(sid), sessions.open(sid)
    other["n"] = 5
    other.save()
    mine["seen"] = True
    with mine.lock():
        assert mine == {"n": 5, "seen": True}
    assert sessions.open(sid) == {"n": 5, "seen": True}


def test_others_wait_for_as_long_as_they_say(sessions: Sessions, sid: str) -> None:
    other = sessions.open(sid)
    with sessions.open(sid).lock():
        with pytest.raises(SessionLocked, match=r"waited 0\.02 seconds"), other.lock(wait=0.02):
            pytest.fail("it was held")
        with pytest.raises(SessionLocked), other.lock(wait=0):
            pytest.fail("it was held")
    with other.lock(wait=0):
        pass


def test_whoever_asks_for_no_lock_is_not_kept_out(sessions: Sessions, sid: str) -> None:
    """And what he writes is joined, as ever."""
    mine, other = sessions.open(sid), sessions.open(sid)
    with mine.lock() as fence:
        mine["mine"] = 1
        other["other"] = 1
        other.save()
        assert lock_of(sessions, sid).fence == fence
    assert sessions.open(sid) == {"n": 0, "mine": 1, "other": 1}
    assert lock_of(sessions, sid).until == 0


def test_it_ends_by_itself(sessions: Sessions, sid: str, clock: Clock) -> None:
    """A process that died with it keeps nobody out for longer."""
    dead, living = sessions.open(sid), sessions.open(sid)
    dead.lock(ttl=5).__enter__()
    clock.advance(4.9)
    with pytest.raises(SessionLocked), living.lock(wait=0):
        pytest.fail("it was held")
    clock.advance(0.1)
    with living.lock(wait=0):
        living["n"] = 1


def test_who_is_late_writes_nothing(sessions: Sessions, sid: str, clock: Clock) -> None:
    """The lock was passed on: its number is another one now (fencing)."""
    late, next_one = sessions.open(sid), sessions.open(sid)
    with pytest.raises(LockLost), late.lock(ttl=5) as first:
        late["n"] = 1
        clock.advance(5)
        with next_one.lock() as second:
            next_one["n"] = 2
    assert second > first
    assert sessions.open(sid) == {"n": 2}


def test_who_is_late_does_not_give_back_the_lock_of_the_next(sessions: Sessions, sid: str, clock: Clock) -> None:
    late, next_one = sessions.open(sid), sessions.open(sid)
    block = late.lock(ttl=5)
    block.__enter__()
    clock.advance(5)
    with next_one.lock() as second:
        block.__exit__(ValueError, ValueError(), None)
        assert lock_of(sessions, sid).fence == second
        assert lock_of(sessions, sid).until > 0


def test_who_is_late_and_was_not_missed_writes(sessions: Sessions, sid: str, clock: Clock) -> None:
    late = sessions.open(sid)
    with late.lock(ttl=5):
        late["n"] = 1
        clock.advance(50)
    assert sessions.open(sid) == {"n": 1}


def test_a_session_that_is_ended_meanwhile(sessions: Sessions, sid: str) -> None:
    session = sessions.open(sid)
    with pytest.raises(SessionGone), session.lock():
        session["n"] = 1
        sessions.revoke(sid)
    with pytest.raises(SessionGone), session.lock():
        pytest.fail("there is none")


def test_to_log_out_under_it(sessions: Sessions, sid: str) -> None:
    session = sessions.open(sid)
    with session.lock():
        session.logout()
    sessions.engine.commit_sync(session)
    assert sessions.open(sid) is None


@pytest.mark.parametrize("grace", [0, 10])
def test_a_new_id_under_it(sessions: Sessions, sid: str, grace: float) -> None:
    session = sessions.open(sid)
    with session.lock():
        session.regenerate(keep=True, grace=grace)
    assert lock_of(sessions, session.id).until == 0
    assert sessions.open(session.id) == {"n": 0}
    assert sessions.open(sid) == ({"n": 0} if grace else None)


def test_a_new_session_has_it_for_itself(sessions: Sessions) -> None:
    session = sessions.engine.begin_sync(b"", RequestFacts)
    with session.lock() as fence:
        assert fence > 0
        session["n"] = 1
    assert sessions.open(session.id) == {"n": 1}


def test_what_nobody_can_mean(sessions: Sessions, sid: str) -> None:
    session = sessions.open(sid)
    with session.lock(), pytest.raises(SessionError, match="already"), session.lock():
        pytest.fail("a request cannot wait for itself")
    for wrong in ({"ttl": 0}, {"ttl": True}, {"wait": -1}, {"wait": "1"}, {"ttl": float("inf")}):
        with pytest.raises(ValueError, match="give seconds"):
            session.lock(**wrong)
    session = sessions.open(sid)
    session.read_only = True
    with pytest.raises(SessionEnded), session.lock():
        pytest.fail("it only looks")


def test_sessions_in_the_cookie_have_none(clock: Clock) -> None:
    sessions = Sessions(secret=SECRET, store="cookie://", clock=clock)
    session = sessions.engine.begin_sync(b"", RequestFacts)
    with pytest.raises(SessionError, match="no two requests share one"), session.lock():
        pytest.fail("there is none")


async def test_with_instead_of_async_with_takes_it_too(sessions: Sessions, sid: str) -> None:
    session = await sessions.aopen(sid)
    with session.lock() as fence:
        assert lock_of(sessions, sid).fence == fence
    assert lock_of(sessions, sid).until == 0


async def test_a_cancelled_request_gives_it_back(sessions: Sessions, sid: str) -> None:
    session = await sessions.aopen(sid)
    held = asyncio.Event()

    async def work() -> None:
        async with session.lock():
            held.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await held.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert lock_of(sessions, sid).until == 0


def test_conflicts_that_are_refused_give_it_back(store: Any, clock: Clock) -> None:
    sessions = Sessions(secret=SECRET, store=store, clock=clock, conflict="error")
    session = sessions.engine.begin_sync(b"", RequestFacts)
    session["n"] = 0
    sessions.engine.commit_sync(session)
    mine, other = sessions.open(session.id), sessions.open(session.id)
    with pytest.raises(SessionConflict), mine.lock():
        mine["n"] = 1
        other["n"] = 2
        sessions.open(session.id)
        record = store.load(session.id)
        changed = json.dumps(json.loads(record.payload) | {"n": 2}).encode()
        store.replace(session.id, changed, 100, record.payload)
    assert lock_of(sessions, session.id).until == 0


@pytest.mark.parametrize("field", [None, 1, [], {}, {"fence": "1"}, {"fence": 1, "until": "x"}, {"fence": True}])
def test_what_another_program_put_there_is_no_lock(field: Any) -> None:
    assert lock_in({"lock": field}) == Lock()


def test_a_number_that_got_lost_is_not_given_again() -> None:
    """A Node process that writes back an older record takes the field along."""
    first = lock_in(with_lock({}, 1000.0, 10)).fence
    assert lock_in(with_lock({}, 1000.001, 10)).fence > first
    assert lock_in(with_lock({"lock": {"fence": 10**15}}, 1000.0, 10)).fence == 10**15 + 1


def test_a_session_that_saw_a_lock_is_a_session(sessions: Sessions, sid: str) -> None:
    with sessions.open(sid).lock():
        pass
    session = sessions.open(sid)
    assert isinstance(session, Session)
    assert session == {"n": 0}
