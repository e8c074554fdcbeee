# Code that talks to a store is written once, as a generator that yields whatever the client call returned:
#
#     record = yield store.load(sid)
#
# The sync driver sends the value straight back. The async driver awaits it first, if it is awaitable at all: a
# plain `def` store works under asyncio too, and a call that was answered at once costs no trip through the loop.
# This module is the only place that knows the difference.
"""Run one body of code with a synchronous or an asynchronous client."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Generator, Iterable, Iterator
from typing import Any, Protocol, TypeAlias, TypeVar, runtime_checkable

from sessile.errors import SessionError

T = TypeVar("T")

#: A body of code for synchronous and for asynchronous clients. It yields what a client call returned, a value or an
#: awaitable of one; that is the point, and why the type cannot say more.
Steps = Generator[Any, Any, T]

#: A store for either: its verbs return answers, or awaitables of them.
AnyStore: TypeAlias = Any


@runtime_checkable
class AsyncCapable(Protocol):
    """What a store offers that talks to its server differently under asyncio."""

    def asynchronous(self) -> object:
        """Return the same store, for use under asyncio: its verbs may return awaitables."""


class Pause:
    """A step that waits for ``seconds``."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __await__(self) -> Generator[Any, None, None]:
        if loop_is_running():
            yield from asyncio.sleep(self.seconds).__await__()
        elif _runs_under_trio():
            # A store that never waits for a server works under trio too, and has to wait like trio for other requests.
            yield from sys.modules["trio"].sleep(self.seconds).__await__()
        else:
            yield self  # Without an event loop, the driver of the coroutine decides (sessile.testing.explore).


def run_sync(steps: Steps[T]) -> T:
    """Run ``steps`` to their end in this thread.

    Raises SessionError if a step is awaitable, which means that an async store is used by synchronous code.
    """
    try:
        answer = next(steps)
        while not hasattr(answer, "__await__") or isinstance(answer, Pause):
            if isinstance(answer, Pause):
                time.sleep(answer.seconds)
                answer = None
            answer = steps.send(answer)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    if hasattr(answer, "close"):
        answer.close()
    steps.close()
    raise SessionError(
        "this store is asynchronous and was called from synchronous code. "
        "Use a store with plain `def` methods here, or await the verb with an `a` before it, such as sessions.aopen()"
    )


def start(steps: Steps[T]) -> T | Awaitable[T]:
    """Run ``steps`` for asyncio as far as they go without waiting.

    Returns the result if that is the end; else an awaitable of it. A store that answers at once costs no coroutine.
    """
    try:
        answer = next(steps)
        while not hasattr(answer, "__await__"):
            answer = steps.send(answer)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    return _finish(steps, answer)


async def _finish(steps: Steps[T], answer: Any) -> T:
    try:
        while True:
            if hasattr(answer, "__await__"):
                try:
                    answer = await answer
                except BaseException as error:
                    answer = steps.throw(error)
                    continue
            answer = steps.send(answer)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


async def run_async(steps: Steps[T]) -> T:
    """Run ``steps`` to their end under asyncio, awaiting what can be awaited."""
    result: Any = start(steps)
    answer: T = await result if hasattr(result, "__await__") else result
    return answer


class Found:
    """A step that hands out ``items`` to whoever iterates over the body: see ``iterate_sync``."""

    __slots__ = ("items",)

    def __init__(self, items: Iterable[Any]) -> None:
        self.items = items


def iterate_sync(steps: Steps[None]) -> Iterator[Any]:
    """Yield what ``steps`` hands out by way of Found, as ``all`` of a store does."""
    try:
        answer = next(steps)
        while True:
            if isinstance(answer, Found):
                yield from answer.items
                answer = None
            answer = steps.send(answer)
    except StopIteration:
        return


async def iterate_async(steps: Steps[None]) -> AsyncIterator[Any]:
    """Yield what ``steps`` hands out by way of Found, and await what can be awaited."""
    try:
        answer = next(steps)
        while True:
            if isinstance(answer, Found):
                for item in answer.items:
                    yield item
                answer = None
            elif hasattr(answer, "__await__"):
                answer = await answer
            answer = steps.send(answer)
    except StopIteration:
        return


def loop_is_running() -> bool:
    """Return True if an event loop runs in this thread, so that waiting here would hold it up."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _runs_under_trio() -> bool:
    trio = sys.modules.get("trio")
    return trio is not None and trio.lowlevel.in_trio_run()
