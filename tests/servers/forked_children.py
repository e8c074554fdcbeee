"""What children of a fork do with a store: each asks for its own record, and fails if it gets another."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from sessile.stores import from_url

TIMES = 60


def _store(given: Any) -> Any:
    return from_url(given, time.time) if isinstance(given, str) else given


def visit(given: Any, name: str) -> None:
    """Load the record ``name`` again and again. ``given`` is the parent's store, or the URL of one."""
    store = _store(given)
    for _ in range(TIMES):
        assert store.load(name).payload == name.encode()
    store.close()


def visit_under_asyncio(given: Any, name: str) -> None:
    """Do the same on an event loop, several at once."""
    asyncio.run(_visit(_store(given).asynchronous(), name))


async def _visit(store: Any, name: str) -> None:
    for _ in range(TIMES // 4):
        for record in await asyncio.gather(*(store.load(name) for _ in range(4))):
            assert record.payload == name.encode()
    await store.close()
