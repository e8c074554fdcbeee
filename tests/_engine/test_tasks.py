"""The tasks of one request share its session, and lose nothing of each other's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessile import RequestFacts, Session, Sessions
from sessile.stores.memory import MemoryStore
from tests.conftest import SECRET


class Slow(MemoryStore):
    """A store that lets other tasks run in each of its calls."""

    async def load(self, sid: str) -> Any:  # type: ignore[override]
        await asyncio.sleep(0)
        return MemoryStore.load(self, sid)

    async def create(self, *arguments: Any) -> Any:  # type: ignore[override]
        await asyncio.sleep(0)
        return MemoryStore.create(self, *arguments)

    async def replace(self, *arguments: Any) -> Any:  # type: ignore[override]
        await asyncio.sleep(0)
        return MemoryStore.replace(self, *arguments)


@pytest.fixture
def sessions() -> Sessions:
    return Sessions(secret=SECRET, store=Slow())


async def commit(sessions: Sessions, session: Session) -> bytes:
    answer: Any = sessions.engine.commit_async(session)
    values = answer if isinstance(answer, tuple) else await answer
    return values[0].split(";")[0].encode() if values else b""


async def begin(sessions: Sessions, cookie: bytes) -> Session:
    answer: Any = sessions.engine.begin_async(cookie, RequestFacts)
    return answer if isinstance(answer, Session) else await answer


async def known(sessions: Sessions) -> tuple[bytes, Session]:
    session = await begin(sessions, b"")
    session["n"] = 0
    cookie = await commit(sessions, session)
    return cookie, await begin(sessions, cookie)


@pytest.mark.parametrize("others", [False, True])
async def test_a_key_that_is_set_while_another_task_saves(sessions: Sessions, others: bool) -> None:
    """What a plan did not hold has not been written; whether or not another request has written meanwhile."""
    cookie, session = await known(sessions)
    if others:
        other = await begin(sessions, cookie)
        other["theirs"] = 1
        await commit(sessions, other)
    session["a"] = 1
    saving = asyncio.create_task(session.asave())
    await asyncio.sleep(0)
    session["b"] = 2
    await saving
    await commit(sessions, session)
    found = await begin(sessions, cookie)
    assert (found["a"], found["b"], found.get("theirs")) == (1, 2, 1 if others else None)


async def test_ten_messages_and_ten_saves(sessions: Sessions) -> None:
    cookie, session = await known(sessions)

    async def tell(number: int) -> None:
        session.flash(str(number))
        await session.asave()

    await asyncio.gather(*(tell(number) for number in range(10)))
    found = await begin(sessions, cookie)
    assert sorted(found.flashes()["info"], key=int) == [str(number) for number in range(10)]


async def test_ten_additions(sessions: Sessions) -> None:
    cookie, session = await known(sessions)
    sums = await asyncio.gather(*(session.aincr("n") for _ in range(10)))
    await commit(sessions, session)
    assert sorted(sums) == list(range(1, 11))
    assert (await begin(sessions, cookie))["n"] == 10


async def test_the_response_waits_for_a_save_under_way(sessions: Sessions) -> None:
    cookie, session = await known(sessions)
    session["a"] = 1
    saving = asyncio.create_task(session.asave())
    await asyncio.sleep(0)
    session["b"] = 2
    await commit(sessions, session)
    await saving
    assert (await begin(sessions, cookie))["b"] == 2
