"""Wait for what will be true in a moment."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sessile import StoreUnavailable

T = TypeVar("T")

#: How many seconds a call may take where no fault is tested: nobody waits for it, and a busy machine may take its time.
PATIENCE = 20.0


def wait_for(condition: Callable[[], object], what: str = "") -> None:
    """Return as soon as ``condition`` holds. It has half a minute, for machines are busy; ``what``: said after that."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


async def answered(call: Callable[[], T | Awaitable[T]]) -> T:
    """Return what ``call`` returns as soon as that is an answer: a store with a short deadline may be too slow at first."""
    deadline = time.monotonic() + 30
    while True:
        try:
            answer = call()
            return await answer if isinstance(answer, Awaitable) else answer
        except StoreUnavailable:
            assert time.monotonic() < deadline
