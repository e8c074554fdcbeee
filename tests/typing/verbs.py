"""What the verbs of a session and of Sessions return. Read by mypy and pyright, never run."""

from __future__ import annotations

from typing import Any, assert_type

from sessile import Session, SessionHandle, Sessions

sessions = Sessions(secret="read it from the environment instead")


def waiting(session: Session) -> None:
    assert_type(session.save(), bool)
    session.reload()
    assert_type(session.incr("n"), float)
    assert_type(session.pop_once("token"), Any)
    with session.transaction() as inner:
        assert_type(inner, Session)
    with session.lock(ttl=5) as fence:
        assert_type(fence, int)
    assert_type(sessions.open("sid"), Session | None)
    assert_type(sessions.revoke("sid"), bool)
    assert_type(sessions.of_user("zoe", current=session), list[SessionHandle])
    assert_type(sessions.revoke_user(7, keep=session), int)
    assert_type(sessions.revoke_where("tenant", 1), int)
    assert_type(sessions.count(), int)
    assert_type(sessions.prune(), int | None)
    sessions.clear()
    sessions.close()
    for each in sessions.all():
        assert_type(each, Session)
    for handle in sessions.of_user("zoe"):
        assert_type(handle.handle, str)
        assert_type(handle.open(), Session | None)
        assert_type(handle.revoke(), bool)


async def awaiting(session: Session) -> None:
    assert_type(await session.asave(), bool)
    await session.areload()
    assert_type(await session.aincr("n", 2), float)
    assert_type(await session.apop_once("token", None), Any)
    async with session.transaction() as inner:
        assert_type(inner, Session)
    async with session.lock(wait=0) as fence:
        assert_type(fence, int)
    assert_type(await sessions.aopen("sid"), Session | None)
    assert_type(await sessions.arevoke("sid"), bool)
    assert_type(await sessions.aof_user("zoe", current=session), list[SessionHandle])
    assert_type(await sessions.arevoke_user(7, keep=session), int)
    assert_type(await sessions.arevoke_where("tenant", 1), int)
    assert_type(await sessions.acount(), int)
    assert_type(await sessions.aprune(), int | None)
    await sessions.aclear()
    await sessions.aclose()
    async for each in sessions.all():
        assert_type(each, Session)
    for handle in await sessions.aof_user("zoe"):
        assert_type(await handle.aopen(), Session | None)
        assert_type(await handle.arevoke(), bool)
