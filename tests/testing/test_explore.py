"""The explorer finds what is wrong, names the schedule, and misses nothing."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from sessile import Session, Sessions
from sessile.dual import Pause, Steps
from sessile.errors import SessionError, StoreUnavailable
from sessile.stores.base import Conflict, Missing, Record, Replaced
from sessile.stores.wrapped import WrappedStore
from sessile.testing import FrozenClock, StoreConformance
from sessile.testing.explore import (
    Body,
    Call,
    ModelStore,
    NotDeterministic,
    Outcome,
    Violated,
    explore,
    replay,
    settle,
)


def get(key: str) -> Call:
    return Call("get", key, lambda value: (value, value))


def put(key: str, new: Any) -> Call:
    return Call("put", key, lambda value: (None, new), new)


async def add() -> int:
    """Add one, in two calls: what another one adds in between is lost."""
    value = (await get("n")) or 0
    await put("n", value + 1)
    return value + 1


async def add_at_once() -> None:
    await Call("add", "n", lambda value: (None, (value or 0) + 1))


def counted(outcome: Outcome) -> Iterator[str]:
    if outcome.cells.get("n", 0) < sum(result.confirmed for result in outcome.results):
        yield "an addition was lost"


def test_finds_a_lost_update_and_its_schedule() -> None:
    """The schedule replays it, and says what happened."""
    report = explore([add, add], counted)
    assert report.violations == {"an addition was lost": "abab"}
    with pytest.raises(Violated, match="an addition was lost \\(schedule 'abab'\\)"):
        report.raise_for_violations()
    outcome = replay([add, add], "abab")
    assert list(counted(outcome)) == ["an addition was lost"]
    assert [result.value for result in outcome.results] == [1, 1]
    assert outcome.story[:4] == ("a get n: None", "b get n: None", "a put n: None", "b put n: None")


def test_finds_nothing_where_nothing_is_wrong() -> None:
    """One atomic call each."""
    report = explore([add_at_once, add_at_once, add_at_once], counted)
    report.raise_for_violations()
    assert report.orders == 6


def test_counts_each_order_and_each_fault() -> None:
    """Two calls each make six orders; a crash or a lost answer at each of the four calls, in each that begins alike."""
    one_by_one = explore([add, add], counted, reduced=False)
    reduced = explore([add, add], counted)
    assert (reduced.orders, reduced.crashes, reduced.lost) == (6, 18, 18)
    assert (one_by_one.orders, one_by_one.crashes, one_by_one.lost) == (6, 18, 18)
    assert reduced.schedules == 42
    assert explore([add, add], counted, faults=False).schedules == 6


def test_orders_on_different_keys_are_followed_once() -> None:
    """Ten calls on a key of one's own: 184,756 orders, 121 points."""

    def on(key: str) -> Body:
        async def body() -> None:
            for number in range(10):
                await put(key, number)

        return body

    report = explore([on("one"), on("other")], lambda outcome: [], faults=False)
    assert report.orders == 184_756
    assert report.points == 121
    assert report.outcomes == 1


@pytest.mark.parametrize("keys", ["xxx", "xxy", "xyx", "xyz"])
def test_the_reduced_walk_comes_to_the_same_outcomes(keys: str) -> None:
    """Whatever keys they share."""

    def on(key: str, name: int) -> Body:
        async def body() -> Any:
            before = await get(key)
            await put(key, (before or 0) * 2 + name)
            return before

        return body

    bodies = [on(key, name) for name, key in enumerate(keys, 1)]
    reduced = explore(bodies, lambda outcome: [], keep=True)
    full = explore(bodies, lambda outcome: [], keep=True, reduced=False)
    assert reduced.kept == full.kept
    assert reduced.schedules == full.schedules
    assert reduced.points < full.points


@pytest.mark.parametrize(("schedule", "sum_up"), [("a!bb", 1), ("aa!bb", 1), ("bba!", 1), ("bbaa!", 1), ("aab!", 1)])
def test_a_body_that_crashed_goes_on_no_more(schedule: str, sum_up: int) -> None:
    """It crashes before its call, and the others go on."""
    outcome = replay([add, add], schedule)
    assert sorted(result.crashed for result in outcome.results) == [False, True]
    assert outcome.cells == {"n": sum_up}


def test_a_crash_at_every_call() -> None:
    """Each outcome with a crash can be replayed by its schedule."""
    seen = set()

    def check(outcome: Outcome) -> list[str]:
        if "!" in outcome.schedule:
            again = replay([add, add], outcome.schedule)
            assert (again.results, again.cells) == (outcome.results, outcome.cells)
            seen.add(tuple(result.crashed for result in outcome.results))
        return []

    explore([add, add], check)
    assert seen == {(True, False), (False, True)}


def test_a_lost_answer_at_every_call() -> None:
    """The call is carried out, and its caller gets StoreUnavailable."""
    outcome = replay([add, add], "aa?bb")
    first, second = outcome.results
    assert isinstance(first.error, StoreUnavailable)
    assert first.lost
    assert not first.confirmed
    assert second.value == 2
    assert outcome.cells == {"n": 2}
    found = explore([add], lambda outcome: [repr(outcome.results[0].lost)])
    assert found.violations == {"False": "aa", "True": "aa?"}


def test_a_violation_that_needs_no_fault_is_named_by_a_schedule_without_one() -> None:
    """Though a shorter one with a fault shows it too."""
    report = explore([add, add], counted, first=True)
    assert report.violations == {"an addition was lost": "abab"}


def test_steps_are_bodies_too() -> None:
    """What the engine is made of: they yield calls, and pauses, which no clock counts."""

    def steps() -> Steps[int]:
        value = yield get("n")
        yield Pause(3600)
        yield put("n", (value or 0) + 1)
        return 7

    report = explore([steps, add], counted)
    assert report.violations == {"an addition was lost": "abab"}
    assert replay([steps], "aa").results[0].value == 7


def test_a_body_may_await_a_pause() -> None:
    """In a coroutine, which has no event loop here."""

    async def patient() -> int:
        await Pause(3600)
        return await add()

    assert settle(patient, {}) == 1


def test_other_awaitables_are_refused() -> None:
    """Nothing but calls of what is shared can be ordered."""

    async def sleeps() -> None:
        await asyncio.sleep(0)

    with pytest.raises(SessionError, match="no event loop"):
        explore([sleeps], counted)


def test_a_body_that_never_ends_is_refused() -> None:
    """It would have infinitely many orders."""

    async def waits() -> None:
        while not await get("never"):
            pass

    with pytest.raises(SessionError, match="body a makes more than 5 calls"):
        explore([waits, add], counted, most_calls=5)


def test_a_body_that_is_not_deterministic_is_refused() -> None:
    """Its runs would prove nothing."""
    number = count()

    async def random() -> None:
        await get(f"key {next(number)}")
        await get("n")

    with pytest.raises(NotDeterministic, match="body a"):
        explore([random, add], counted)


@pytest.mark.parametrize(("schedule", "says"), [("c", "no call to make"), ("aaa", "no call to make"), ("a-", "'-'")])
def test_a_schedule_that_does_not_fit_is_refused(schedule: str, says: str) -> None:
    """Rather than another one replayed."""
    with pytest.raises(SessionError, match=says):
        replay([add, add], schedule)


def test_a_block_that_asks_at_its_end_is_let_go_of() -> None:
    """A run that nobody goes on with ends without a warning, whatever its blocks want."""

    async def careful() -> None:
        try:
            await get("n")
            await get("n")
        finally:
            await put("n", 0)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert explore([careful, careful], lambda outcome: []).orders == 20


# A store of somebody's own ----------------------------------------------------------------------------------------------


class CheckThenAct:
    """A store as it should not be: it looks, and then writes."""

    def __init__(self, clock: FrozenClock) -> None:
        self._clock = clock

    async def load(self, sid: str) -> Record | None:
        return await get(sid)  # type: ignore[no-any-return]

    async def create(self, sid: str, payload: bytes, ttl: float) -> bool:
        if await get(sid) is not None:
            return False
        await put(sid, Record(bytes(payload), self._clock() + ttl))
        return True

    async def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Replaced | Conflict | Missing:
        record = await get(sid)
        if record is None:
            return Missing()
        if record.payload != expected:
            return Conflict(record.payload)
        await put(sid, Record(bytes(payload), self._clock() + ttl))
        return Replaced()

    async def touch(self, sid: str, ttl: float) -> bool:
        record = await get(sid)
        if record is not None:
            await put(sid, Record(record.payload, self._clock() + ttl))
        return record is not None

    async def delete(self, sid: str) -> bool:
        there = await get(sid) is not None
        await put(sid, None)
        return there


class Three:
    """A store of three verbs, each of them atomic."""

    def get(self, sid: str) -> Call:
        return get(sid)

    def set(self, sid: str, value: bytes, ttl: float) -> Call:
        return put(sid, value)

    def destroy(self, sid: str) -> Call:
        return put(sid, None)


def site(store: Any, clock: FrozenClock) -> Sessions:
    return Sessions(
        secret="a secret that is long enough for a test", store=store, clock=clock, genid=lambda facts: "the id"
    )


def visit(make: Any, clock: FrozenClock, key: str) -> Body:
    async def body() -> None:
        session = await site(make(), clock).aopen("the id")
        if session is not None:
            session[key] = 1
            await session.asave()

    return body


def stories(make: Any, clock: FrozenClock) -> dict[str, dict[str, str]]:
    """Run two writers, and a writer and a log-out, on a store. Return what was found."""
    cells: dict[str, Any] = {}

    async def begin() -> None:
        session: Session = site(make(), clock).engine.blank()
        session["at"] = "start"
        await session.asave()

    settle(begin, cells)
    opened: Any = lambda outcome: settle(lambda: site(make(), clock).aopen("the id"), dict(outcome.cells))  # noqa: E731

    def both(outcome: Outcome) -> Iterator[str]:
        session = opened(outcome)
        if not session or not {"a", "b"} <= set(session):
            yield "a change was lost"

    def ended(outcome: Outcome) -> Iterator[str]:
        if opened(outcome) is not None:
            yield "a log-out was undone"

    first, second = (visit(make, clock, key) for key in "ab")

    def log_out() -> Any:
        return site(make(), clock).arevoke("the id")

    return {
        "two writers": explore([first, second], both, start=cells, faults=False).violations,
        "a writer and a log-out": explore([first, log_out], ended, start=cells, faults=False).violations,
    }


def test_a_store_that_checks_and_then_acts_is_found_out() -> None:
    """It loses changes, and undoes log-outs; the schedules say when."""
    clock = FrozenClock()
    found = stories(lambda: CheckThenAct(clock), clock)
    assert set(found["two writers"]) == {"a change was lost"}
    assert set(found["a writer and a log-out"]) == {"a log-out was undone"}
    assert set(found["two writers"]["a change was lost"]) == {"a", "b"}


def test_a_wrapped_store_loses_what_it_says_that_it_may() -> None:
    """Three verbs cannot compare and write in one step."""
    clock = FrozenClock()

    def make() -> WrappedStore:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return WrappedStore(Three(), clock=clock)

    found = stories(make, clock)
    assert set(found["two writers"]) == {"a change was lost"}
    assert set(found["a writer and a log-out"]) == {"a log-out was undone"}


def test_the_model_loses_nothing() -> None:
    """The same requests, on a store that keeps the contract."""
    clock = FrozenClock()
    assert stories(lambda: ModelStore(clock), clock) == {"two writers": {}, "a writer and a log-out": {}}


class _Settled:
    """The model store, with each call carried out at once: for the kit, which knows nothing of orders."""

    def __init__(self, model: ModelStore, cells: dict[str, Any]) -> None:
        self._model = model
        self._cells = cells

    def __getattr__(self, verb: str) -> Any:
        if verb not in ("load", "create", "replace", "touch", "delete"):
            raise AttributeError(verb)

        def ask(*arguments: Any) -> Any:
            async def body() -> Any:
                return await getattr(self._model, verb)(*arguments)

            return settle(body, self._cells)

        return ask

    def index(self) -> _Settled:
        return _Settled(self._model.index(), self._cells)


class TestModelStore(StoreConformance):
    """The model keeps the contract of a store."""

    @pytest.fixture
    def store(self, clock: FrozenClock) -> _Settled:
        return _Settled(ModelStore(clock), {})
