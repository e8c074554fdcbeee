"""One body of code, run with a synchronous or an asynchronous client."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Generator
from typing import Any

import pytest

from sessile import SessionError
from sessile.dual import AsyncCapable, loop_is_running, run_async, run_sync, start
from sessile.stores.memory import MemoryStore
from sessile.stores.sqlite import SqliteStore

Body = Generator[Any, Any, Any]


class Outage(Exception):
    """What a client raises."""


async def later(value: Any) -> Any:
    """Give ``value``, after a trip through the loop."""
    await asyncio.sleep(0)
    return value


async def fail_later() -> Any:
    await asyncio.sleep(0)
    raise Outage


def add(*answers: Any) -> Body:
    """Add up what the client answers."""
    total = 0
    for answer in answers:
        total += yield answer
    return total


def recover(answer: Any) -> Body:
    """Take 0 for an answer that could not be had."""
    try:
        return (yield answer)
    except Outage:
        return 0


def note_its_end(answer: Any, notes: list[str]) -> Body:
    try:
        yield answer
    finally:
        notes.append("ended")


@pytest.mark.parametrize("drive", [run_sync, start])
def test_plain_answers_go_straight_back(drive: Callable[[Body], Any]) -> None:
    """A client that answers at once needs no loop, and the result is the plain value."""
    assert drive(add(1, 2, 3)) == 6


@pytest.mark.parametrize("drive", [run_sync, start])
def test_a_body_need_not_ask_anybody(drive: Callable[[Body], Any]) -> None:
    """A body that yields nothing gives its result."""
    assert drive(add()) == 0


@pytest.mark.parametrize("answer", [None, False, 0, "", b"", (), Outage()])
def test_any_value_is_an_answer(answer: Any) -> None:
    """Empty values and exceptions that are only values reach the body as they are."""

    def give_back() -> Body:
        return (yield answer)

    assert run_sync(give_back()) is answer
    assert start(give_back()) is answer


async def test_what_is_awaitable_is_awaited() -> None:
    """Coroutines, futures and tasks are waited for, and plain values between them are not."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_soon(future.set_result, 4)
    assert await run_async(add(later(1), 2, asyncio.ensure_future(later(3)), future)) == 10


async def test_start_gives_the_result_if_nothing_has_to_be_waited_for() -> None:
    """Under asyncio too a store that answers at once costs no coroutine."""
    assert start(add(1, 2)) == 3


async def test_start_gives_an_awaitable_from_the_first_wait_on() -> None:
    """What can be done without waiting has been done when ``start`` returns."""
    seen: list[str] = []

    def ask() -> Body:
        seen.append((yield "at once"))
        seen.append((yield later("later")))
        return "done"

    result = start(ask())
    assert seen == ["at once"]
    assert inspect.isawaitable(result)
    assert await result == "done"
    assert seen == ["at once", "later"]


async def test_what_a_body_returns_does_not_depend_on_a_running_loop() -> None:
    """``run_sync`` gives the plain result on an event loop too, and ``run_async`` is awaited with plain answers too."""
    assert run_sync(add(1, 2)) == 3
    assert await run_async(add(1, 2)) == 3
    assert await run_async(add(later(1), 2)) == 3


async def test_a_loop_runs_in_its_own_thread() -> None:
    """A synchronous handler in a worker thread holds up nobody."""
    assert loop_is_running()
    assert await asyncio.to_thread(loop_is_running) is False


async def test_an_error_of_the_client_is_thrown_into_the_body() -> None:
    """So that the body can handle it with ``except``, at the place where it asked."""
    assert await run_async(recover(fail_later())) == 0


async def test_an_error_that_nobody_handles_comes_out() -> None:
    """The client's own exception, not another one."""
    with pytest.raises(Outage):
        await run_async(add(1, fail_later()))


async def test_a_body_goes_on_after_an_error_that_it_handled() -> None:
    """What it yields in its ``except`` is an answer like any other, to be awaited or not."""

    def try_again(second: Any) -> Body:
        try:
            return (yield fail_later())
        except Outage:
            return (yield second)

    assert await run_async(try_again(5)) == 5
    assert await run_async(try_again(later(6))) == 6
    with pytest.raises(Outage):
        await run_async(try_again(fail_later()))


@pytest.mark.parametrize("drive", [run_sync, start])
def test_an_error_of_the_body_comes_out(drive: Callable[[Body], Any]) -> None:
    """What a body raises, its caller gets."""

    def stumble() -> Body:
        yield 1
        raise Outage

    with pytest.raises(Outage):
        drive(stumble())


async def test_a_cancelled_task_cancels_the_body() -> None:
    """A request that is cancelled while the store answers leaves no body half way: its ``finally`` runs."""
    notes: list[str] = []
    never = asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(run_async(note_its_end(never, notes)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert notes == ["ended"]


def test_synchronous_code_refuses_an_answer_to_be_awaited() -> None:
    """It says what to do, the body is ended, and no coroutine is left unawaited (which would be a warning)."""
    notes: list[str] = []
    with pytest.raises(SessionError, match="plain `def` methods"):
        run_sync(note_its_end(later(1), notes))
    assert notes == ["ended"]


def test_synchronous_code_refuses_a_later_answer_as_well() -> None:
    """It does not matter how many plain answers came first."""
    with pytest.raises(SessionError, match="asynchronous"):
        run_sync(add(1, 2, later(3)))


async def test_bodies_run_side_by_side() -> None:
    """While one body waits, others go on."""
    assert await asyncio.gather(*(run_async(add(later(number), later(1))) for number in range(5))) == [1, 2, 3, 4, 5]


def test_a_store_with_two_colours_is_known_by_its_method(tmp_path: Any) -> None:
    """A store that talks to its server differently under asyncio has ``asynchronous``; one that need not has not."""
    assert isinstance(SqliteStore(tmp_path / "sessions.db"), AsyncCapable)
    assert not isinstance(MemoryStore(), AsyncCapable)
