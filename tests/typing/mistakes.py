"""Mistakes that a type checker has to report, each on its own line. Read by mypy and pyright, never run."""

from __future__ import annotations

from fastapi import FastAPI

import sessile.asgi
from sessile import CookieOptions, Session, Sessions

sessions = Sessions(secret="read it from the environment instead")
app = FastAPI()


async def forgotten_awaits(session: Session) -> int:
    session.asave()  # mistake
    sessions.arevoke_user("zoe")  # mistake
    session.aincr("n")  # mistake
    number: int = sessions.acount()  # mistake
    return number


async def wrong_names(session: Session) -> list[str]:
    for handle in await sessions.aof_user("zoe"):
        print(handle.handl)  # mistake
    return [each.handl for each in await sessions.aof_user("zoe")]  # mistake


def wrong_arguments(session: Session) -> None:
    session.login(1.5)  # mistake
    session.lock(tl=3)  # mistake
    sessions.revoke_user(None)  # mistake
    CookieOptions(same_site="Lax")  # mistake
    Sessions(secret="x", on_store_error="anonymus")  # mistake
    Sessions(secret="x", max_age=3)  # mistake
    sessile.asgi.SessionMiddleware(app, secret_key="x")  # mistake


def wrong_returns(session: Session) -> str:
    n: str = session.incr("n")  # mistake
    ended: str = sessions.revoke_user("zoe")  # mistake
    saved: str = session.save()  # mistake
    return n + saved + ended


async def wrong_blocks(session: Session) -> None:
    async with session.lock() as fence:
        fence.upper()  # mistake
    async with session.transaction() as inner:
        inner.commit()  # mistake
