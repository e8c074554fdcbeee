"""The pool of connections: whose they are, how old they may be, and how much time a call has."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from sessile.dual import Steps, run_sync
from sessile.stores._shared import pool as pools
from sessile.stores._shared.pool import FRESH, MOST_IDLE_SECONDS, Pool, limited, time_left


class ReadOnly(Exception):
    """What a server says that takes no writes."""


class Driver:
    """Connections that are numbers."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.closed: list[int] = []

    def connect(self) -> int:
        return next(self.numbers)

    def is_sound(self, connection: int) -> bool:
        return True

    def is_clean(self, connection: int, error: Exception) -> bool:
        return isinstance(error, ReadOnly)

    def is_demoted(self, error: Exception) -> bool:
        return isinstance(error, ReadOnly)

    def shut(self, connection: int) -> None:
        self.closed.append(connection)

    leave = shut


class Time:
    """A clock for the pool, in seconds."""

    CLOCK_MONOTONIC = 0

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def clock_gettime(self, clock: int) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(pools, "time", time)
    return time


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.fixture
def pool(driver: Driver, time: Time) -> Pool:
    return Pool(driver, 4)


def use(pool: Pool, answer: Callable[[Any], Any] = lambda connection: connection) -> Any:
    def work(connection: Any) -> Steps[Any]:
        return answer(connection)
        yield

    return run_sync(pool.use(work))


def test_a_connection_is_used_again_until_it_was_idle_for_long(pool: Pool, driver: Driver, time: Time) -> None:
    """A firewall may have forgotten it by then, or the machine was suspended."""
    assert [use(pool), use(pool)] == [1, 1]
    time.now += MOST_IDLE_SECONDS
    assert use(pool) == 2
    assert driver.closed == [1]


def test_connections_to_a_demoted_writer_are_left_together(pool: Pool, driver: Driver, time: Time) -> None:
    """The first refusal ends all of the same age, and is not seen by who asked: they get an answer from a new one."""
    assert use(pool, lambda one: (one, use(pool))) == (1, 2)

    def write(connection: int) -> int:
        if connection <= 2:
            raise ReadOnly
        return connection

    time.now += FRESH
    assert use(pool, write) == 3
    assert sorted(driver.closed) == [1, 2]


def test_a_server_that_takes_no_writes_at_all_is_not_asked_for_ever(pool: Pool, driver: Driver, time: Time) -> None:
    """Once more, on a new connection; and one that is as good as new is kept, for who reads."""

    def write(connection: int) -> int:
        raise ReadOnly

    for _ in range(5):
        with pytest.raises(ReadOnly):
            use(pool, write)
    assert use(pool) == 1
    time.now += FRESH
    for _ in range(5):
        with pytest.raises(ReadOnly):
            use(pool, write)
    assert use(pool) == 2
    assert driver.closed == [1]


def test_what_was_in_use_meanwhile_is_closed_when_it_is_given_back(pool: Pool, driver: Driver, time: Time) -> None:
    """It is as old as those that were refused."""

    def write(connection: int) -> int:
        if connection == 2:
            raise ReadOnly
        return connection

    use(pool, lambda one: use(pool))
    time.now += FRESH
    assert use(pool, lambda one: use(pool, write)) == 3
    assert sorted(driver.closed) == [1, 2]
    assert use(pool) == 3


def test_a_time_that_stood_still_does_not_count(time: Time) -> None:
    """A frozen container, a debugger: the deadline goes on from there. A slow call is one all the same."""
    assert time_left() == float("inf")
    with limited(2):
        time.now += 1.5
        assert time_left() == 0.5
        time.now += 60
        assert time_left() == 0.5
        time.now += 1
        assert time_left() == 0
    assert time_left() == float("inf")
