"""A request whose task is cancelled, at whatever await, leaves nothing behind for the next one to read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sessile import Sessions
from sessile.merge import add
from tests.conftest import SECRET
from tests.stress.checker import check, read_histories
from tests.stress.stores import SITES, Site, close_store, open_store
from tests.stress.worker import Login, Task, Thread

STORES = [name for name in SITES if name not in ("memory", "sqlite", "file")]  # Those never wait.
KINDS = ("read", "write", "incr", "transact", "rotate", "logout")


class CancelledAt:
    """Awaits ``work``, and cancels the task when that waits for the ``number``-th time."""

    def __init__(self, work: Coroutine[Any, Any, Any], number: int) -> None:
        self._work = work
        self._number = number

    def __await__(self) -> Generator[Any, Any, None]:
        error: BaseException | None = None
        for number in count():
            try:
                waited_for = self._work.send(None) if error is None else self._work.throw(error)
            except StopIteration:
                return
            error = None
            if number == self._number:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                yield waited_for
            except BaseException as thrown:
                error = thrown


async def is_cancelled_at(work: Coroutine[Any, Any, Any], number: int) -> bool:
    """Cancel ``work`` at its ``number``-th await. Return whether it got so far."""

    async def wait() -> None:
        await CancelledAt(work, number)

    task = asyncio.ensure_future(wait())
    await asyncio.wait((task,))
    return task.cancelled()


async def is_cancelled_after(work: Coroutine[Any, Any, Any], turns: int) -> bool:
    """Cancel ``work`` after so many turns of the event loop. Return whether it was still running."""
    task = asyncio.ensure_future(work)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait((task,))
    return task.cancelled()


def turns() -> Iterator[int]:
    """Yield each of the first numbers, where connections are taken and requests are sent, and then ever fewer."""
    number = 0
    while True:
        yield number
        number = number * 2 if number > 8 else number + 1


@pytest.mark.parametrize("cancel", [is_cancelled_at, is_cancelled_after])
@pytest.mark.parametrize("store", STORES)
async def test_whoever_comes_next_sees_its_own_session(
    store: str, cancel: Any, sites: Callable[[str], Site], tmp_path: Path
) -> None:
    """One is cancelled ever later, until it is not; two others use the same connections, meanwhile and after."""
    opened = open_store(store, sites(store).url, 20.0)
    under_asyncio = opened.asynchronous() if hasattr(opened, "asynchronous") else opened
    sessions = Sessions(secret=SECRET, store=opened, merge={"by add": add})
    thread = Thread(Task(store, "", str(tmp_path), "w", 0), "w", sessions)

    async def log_in(user: str) -> Login:
        life = f"{user}-{thread.number}"
        end = await thread.request("login", None, user=user, begins=life)
        return Login(end["cookie"], user, life)

    victim, *others = [await log_in(user) for user in ("victim", "one", "two")]
    cancelled = 0
    for kind in KINDS:
        for number in count() if cancel is is_cancelled_at else turns():
            fields: dict[str, Any] = {"counts": f"by {kind}"} if kind in ("incr", "transact") else {}
            if kind in ("write", "transact"):
                fields["writes"] = {f"last {kind}": f"victim {thread.number}"}
            reads = [asyncio.ensure_future(thread.request("read", other)) for other in others]
            again = await cancel(thread.request(kind, victim, **fields), number)
            cancelled += again
            await asyncio.gather(*reads)
            for other in others:
                assert (await thread.request("read", other))["outcome"] == "ok"
            if (await thread.request("read", victim))["outcome"] != "ok":
                victim = await log_in("victim")
            if not again:
                break
    assert cancelled > len(KINDS)
    thread.history.close()
    await close_store(under_asyncio)
    assert check(read_histories(tmp_path)) == []
