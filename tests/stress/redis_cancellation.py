"""Cancel requests at every point of a call to Redis, and look whether a reply ever reaches another.

    python -m tests.stress.redis_cancellation 100000

Prints how many were cancelled and how many answers were wrong, and ends with 1 if any was. Requests share connections,
so each answer tells whose it is: by its payload, or by its kind.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from random import Random
from typing import Any

from sessile import StoreUnavailable
from sessile.stores.base import Conflict, Missing, Record
from sessile.stores.redis import RedisStore
from tests.stores.redis_servers import started

#: How many tasks are at work at once, and how many sessions there are.
WORKERS, SESSIONS = 64, 200


def payload_of(number: int) -> bytes:
    return b"payload of %d;" % number * (1 + number % 40)


class Checker:
    """Makes calls of which it knows the answers."""

    def __init__(self, store: Any, seed: int) -> None:
        self.store = store
        self.random = Random(seed)
        self.cancelled = self.answered = self.wrong = self.outages = 0

    async def prepare(self) -> None:
        for number in range(SESSIONS):
            await self.store.create(f"there{number}", payload_of(number), 86_400)

    async def run(self, cancellations: int, answers: int = 0) -> None:
        """Go on until so many calls were cancelled, and so many answered."""

        async def work() -> None:
            while self.cancelled < cancellations or self.answered < answers:
                await self.one()

        await asyncio.gather(*(work() for _ in range(WORKERS)))

    async def one(self) -> None:
        """Make a call, and cancel it after some turns of the loop, or look at its answer."""
        call, right = self.call()

        async def ask() -> None:
            answer = await call()
            self.answered += 1
            self.wrong += not right(answer)

        task = asyncio.ensure_future(ask())
        if self.random.random() < 0.7:
            for _ in range(self.random.randrange(5)):
                await asyncio.sleep(0)
            task.cancel()
        with suppress(StoreUnavailable):
            try:
                await task
            except asyncio.CancelledError:
                self.cancelled += 1
            except StoreUnavailable:
                self.outages += 1

    def call(self) -> tuple[Any, Any]:
        """Return what makes a call, and what tells whether an answer is the right one."""
        store, number = self.store, self.random.randrange(SESSIONS)
        there, payload = f"there{number}", payload_of(number)
        kinds: list[tuple[Any, Any]] = [
            (lambda: store.load(there), lambda got: isinstance(got, Record) and got.payload == payload),
            (lambda: store.load(f"absent{number}"), lambda got: got is None),
            (lambda: store.replace(there, b"x", 60, b"y"), lambda got: got == Conflict(payload)),
            (lambda: store.replace(f"absent{number}", b"x", 60, b"y"), lambda got: got == Missing()),
            (lambda: store.touch(there, 86_400), lambda got: got is True),
            (lambda: store.touch(f"absent{number}", 60), lambda got: got is False),
            (lambda: store.create(there, b"x", 60), lambda got: got is False),
            (lambda: store.delete(f"absent{number}"), lambda got: got is False),
        ]
        if self.random.random() < 0.3:
            store.renew(there, 86_400)
        return self.random.choice(kinds)


async def check(url: str, cancellations: int, seed: int = 1) -> Checker:
    store = RedisStore(url, timeout=20).asynchronous()
    checker = Checker(store, seed)
    await checker.prepare()
    await checker.run(cancellations)
    await store.close()
    return checker


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with started() as server:
        found = asyncio.run(check(f"redis://127.0.0.1:{server.port}", count))
    print(f"{found.cancelled} cancelled, {found.answered} answered, {found.wrong} wrong, {found.outages} outages")
    return int(found.wrong > 0 or found.outages > 0)


if __name__ == "__main__":
    sys.exit(main())
