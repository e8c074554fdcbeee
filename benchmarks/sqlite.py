"""Where an SQLite statement should run under asyncio: inline, in one worker thread, or in any thread.

    python benchmarks/sqlite.py

Microseconds a call, with one task and with fifty at once, best of several rounds. "inline" is what sessile does first;
the worker thread is where it goes when the file is locked.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sessile.stores.sqlite import SqliteStore

PAYLOADS = (b"a" * 300, b"b" * 300)
CALLS, ROUNDS = 1000, 7


async def best(call: Callable[[int, int], Awaitable[None]], tasks: int) -> float:
    """Return the microseconds of one call, with so many tasks at work."""
    fastest = float("inf")
    for _ in range(ROUNDS):
        begin = time.perf_counter()

        async def work(task: int) -> None:
            for number in range(CALLS // tasks):
                await call(task, number)

        await asyncio.gather(*(work(task) for task in range(tasks)))
        fastest = min(fastest, (time.perf_counter() - begin) / CALLS)
    return fastest * 1e6


async def main() -> None:
    """Measure, and print the table."""
    folder = tempfile.TemporaryDirectory()
    store = SqliteStore(Path(folder.name) / "sessions.db")
    inline = store.asynchronous()
    worker = ThreadPoolExecutor(1)
    loop = asyncio.get_running_loop()
    for task in range(50):
        store.create(f"sid{task}", PAYLOADS[0], 86_400)

    async def inline_read(task: int, number: int) -> None:
        inline.load(f"sid{task}")

    async def inline_write(task: int, number: int) -> None:
        answer: Any = inline.touch(f"sid{task}", 86_400)
        if answer is not True:
            await answer

    async def worker_read(task: int, number: int) -> None:
        await loop.run_in_executor(worker, store.load, f"sid{task}")

    async def worker_write(task: int, number: int) -> None:
        await loop.run_in_executor(worker, store.touch, f"sid{task}", 86_400)

    async def thread_read(task: int, number: int) -> None:
        await asyncio.to_thread(store.load, f"sid{task}")

    async def thread_write(task: int, number: int) -> None:
        await asyncio.to_thread(store.touch, f"sid{task}", 86_400)

    print("| microseconds a call | read, 1 task | read, 50 tasks | write, 1 task | write, 50 tasks |")
    print("|---------------------|-------------:|---------------:|--------------:|----------------:|")
    for name, read, write in (
        ("inline", inline_read, inline_write),
        ("one worker thread", worker_read, worker_write),
        ("asyncio.to_thread", thread_read, thread_write),
    ):
        figures = [await best(call, tasks) for call in (read, write) for tasks in (1, 50)]
        print(f"| {name:19} | {figures[0]:12.1f} | {figures[1]:14.1f} | {figures[2]:13.1f} | {figures[3]:15.1f} |")
    worker.shutdown()
    store.close()
    folder.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
