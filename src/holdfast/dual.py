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
import time
from collections.abc import AsyncIterator, Awaitable, Generator, Iterable, Iterator
from typing import Any, Protocol, TypeVar, runtime_checkable

from holdfast.errors import SessionError

T = TypeVar("T")

#: A body of code in both colours. What it yields may be a value or an awaitable of one; that is the point, and why
#: the type cannot say more.
Steps = Generator[Any, Any, T]


@runtime_checkable
class TwoColoured(Protocol):
    """What a store offers that talks to its server differently under asyncio."""

    def asynchronous(self) -> Any:
        """Return the same store, for use under asyncio: its verbs may return awaitables."""


class Pause:
    """A step that waits for ``seconds``, in either colour."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __await__(self) -> Generator[Any, None, None]:
        return asyncio.sleep(self.seconds).__await__()


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
        "Use a store with plain `def` methods here, or await the call under asyncio"
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


def under_asyncio() -> bool:
    """Tell whether the caller runs on an event loop, and would have to await."""
    return asyncio._get_running_loop() is not None


def run(steps: Steps[T]) -> T | Awaitable[T]:
    """Run ``steps`` in the colour of the caller: an awaitable under asyncio, the plain result elsewhere.

    A synchronous handler that a framework runs in a worker thread counts as "elsewhere", and may call this too.
    """
    if under_asyncio():
        return run_async(steps)
    return run_sync(steps)
