"""How the tests of the kit call a store, async or not, alone or many at once."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sessile.stores.base import Answer

__all__ = ["OTHER", "SID", "Caller", "ask", "asked"]

T = TypeVar("T")

SID = "DVqOYaEKEmQNw4zwSTSwLWLTkR2quQSm"
OTHER = "6gEAD2GmS0rYQvVsYMwZ0ZbDq0WJmXfT"


async def ask(answer: Answer[T]) -> T:
    """Return what a verb answered, waiting for it if it has to be waited for."""
    return await answer if inspect.isawaitable(answer) else answer


async def asked(call: Callable[[], Answer[T]]) -> T:
    """Call, and return what was answered, waiting for it if it has to be waited for."""
    return await ask(call())


class Caller:
    """Calls the verbs of a store."""

    async def waits(self, store: Any) -> bool:
        """Tell whether the store is asynchronous, and so bound to this event loop."""
        answer = store.load("probe")
        if inspect.isawaitable(answer):
            await answer
            return True
        return False

    async def at_once(self, store: Any, calls: list[Callable[[], Any]]) -> list[Any]:
        """Run ``calls`` at the same time: as tasks where the store is async, in threads where it is not."""
        if await self.waits(store):
            return list(await asyncio.gather(*(ask(call()) for call in calls)))
        return self.in_threads(calls)

    @staticmethod
    def in_threads(calls: Sequence[Callable[[], Any]]) -> list[Any]:
        """Run ``calls`` in threads that start together, each with an event loop in case it is asked to wait."""
        start = threading.Barrier(len(calls))
        answers: list[Any] = [None] * len(calls)
        errors: list[BaseException] = []

        def run(position: int, call: Callable[[], Any]) -> None:
            try:
                start.wait(30)
                answers[position] = asyncio.run(asked(call))
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return answers

    async def listed(self, store: Any) -> list[tuple[str, bytes]]:
        """Return what ``all`` yields, sync or async."""
        records = store.all()
        if hasattr(records, "__aiter__"):
            return [(sid, record.payload) async for sid, record in records]
        return [(sid, record.payload) for sid, record in records]
