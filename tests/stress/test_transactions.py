"""What the stress run found in transactions."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sessile import Session, SessionConflict, Sessions
from sessile.asgi import SessionMiddleware
from tests.asgi import Browser, handler
from tests.conftest import SECRET


class Site:
    """A session, and requests for it."""

    def __init__(self) -> None:
        self.sessions = Sessions(secret=SECRET)
        self.jar: dict[str, str] = {}

    async def visit(self, work: Any) -> Any:
        return await Browser(SessionMiddleware(handler(work), self.sessions), self.jar).get()

    async def count(self) -> Any:
        found: list[Any] = []
        await self.visit(lambda session: found.append(session["count"]))
        return found[0]


@pytest.fixture
async def site() -> Site:
    site = Site()
    await site.visit(lambda session: session.update(count=1))
    return site


async def test_two_transactions_that_write_the_same_value_are_not_both_acknowledged(site: Site) -> None:
    """Each has read 1 and writes 2: one of them must hear of the other."""
    both = asyncio.Barrier(2)

    async def work(session: Session) -> None:
        async with session.transaction() as block:
            value = block["count"] + 1  # type: ignore[operator]
            await both.wait()
            block["count"] = value

    answers = await asyncio.gather(site.visit(work), site.visit(work), return_exceptions=True)
    refused = sum(isinstance(answer, SessionConflict) for answer in answers)
    assert await site.count() == 1 + len(answers) - refused


async def conflict_once(site: Site, session: Session, tries: int) -> None:
    for number in range(tries):
        try:
            async with session.transaction() as block:
                value = block["count"]
                if number == 0:
                    await site.visit(lambda other: other.update(count=100))
                block["count"] = value + 1  # type: ignore[operator]
            return
        except SessionConflict:
            pass


async def test_what_a_transaction_was_refused_is_not_written_with_the_response(site: Site) -> None:
    """SessionConflict says that nothing was written; a handler that bears it with patience must not write it after."""
    await site.visit(lambda session: conflict_once(site, session, 1))
    assert await site.count() == 100


async def test_a_transaction_that_is_run_again_begins_with_what_is_stored(site: Site) -> None:
    """As the remedy says: then run it again."""
    await site.visit(lambda session: conflict_once(site, session, 2))
    assert await site.count() == 101
