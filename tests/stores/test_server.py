"""What stores that talk to a server have in common: proved with a client that fails as it is told to."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
from typing import Any

import pytest

from sessile import InvalidOption, SessionError, StoreRefused, StoreUnavailable
from sessile.stores._shared.breaker import FAILURES, Breaker
from sessile.stores._shared.refusal import Refusal
from sessile.stores._shared.server import STRETCHES, TURNS, ServerStore
from sessile.stores.base import Record
from tests.processes import forked


class Client:
    """Answers ``load`` with what the test puts into ``answers``: a value, an exception, or a function."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.closed = False

    def call(self) -> Any:
        self.store._made.append(None)
        answer = self.store.answers.pop(0) if self.store.answers else None
        if callable(answer):
            answer = answer()
        if isinstance(answer, Exception):
            raise answer
        return answer


class Store(ServerStore):
    def __init__(self, *answers: Any, **options: Any) -> None:
        super().__init__(**options)
        self.answers = list(answers)
        self._made: list[None] = []
        self.clients: list[Client] = []

    @property
    def calls(self) -> int:
        """How many were made, in both colours."""
        return len(self._made)

    def _connect(self) -> Client:
        self.clients.append(Client(self))
        return self.clients[-1]

    def _disconnect(self, client: Client) -> Any:
        yield None
        client.closed = True

    def _load(self, client: Client, sid: str) -> Any:
        return (yield client.call())

    _touch = _create = _delete = _replace = lambda self, client, *arguments: self._load(client, "")  # type: ignore[assignment]


RECORD = Record(b"x", 1.0)
LOST = ConnectionResetError("the connection broke")
VERBS: dict[str, tuple[Any, ...]] = {"load": (), "touch": (60,), "delete": ()}
WRITES: dict[str, tuple[Any, ...]] = {"create": (b"a", 60), "replace": (b"a", 60, b"b")}


class Callers:
    """Calls verbs in one colour or the other."""

    def __init__(self, asynchronous: bool) -> None:
        self.asynchronous = asynchronous

    def ask(self, store: Store, verb: str = "load", *arguments: Any) -> Any:
        if not self.asynchronous:
            return getattr(store, verb)("sid", *arguments)

        async def call() -> Any:
            return await getattr(store.asynchronous(), verb)("sid", *arguments)

        return asyncio.run(call())


@pytest.fixture(params=[False, True], ids=["sync", "asyncio"])
def callers(request: pytest.FixtureRequest) -> Callers:
    return Callers(request.param)


# A second try ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_a_connection_that_broke_is_no_outage(callers: Callers, verb: str) -> None:
    """Where it does no harm to ask twice, it is asked again."""
    store = Store(LOST, RECORD)
    assert callers.ask(store, verb, *VERBS[verb]) == RECORD
    assert store.calls == 2


@pytest.mark.parametrize("verb", WRITES)
def test_a_write_is_not_made_twice(callers: Callers, verb: str) -> None:
    """It may have been carried out, and only its answer was lost."""
    store = Store(LOST, RECORD)
    with pytest.raises(StoreUnavailable) as caught:
        callers.ask(store, verb, *WRITES[verb])
    assert caught.value.__cause__ is LOST
    assert store.calls == 1


def test_a_third_try_is_not_made(callers: Callers) -> None:
    """Two connections that break are an outage."""
    store = Store(LOST, LOST, RECORD)
    with pytest.raises(StoreUnavailable):
        callers.ask(store)
    assert store.calls == 2


def test_another_error_is_not_tried_again(callers: Callers) -> None:
    """It is an outage, with the driver's error as its cause, and without its words, that may tell of a session."""
    store = Store(ValueError("the-sid"))
    with pytest.raises(StoreUnavailable) as caught:
        callers.ask(store)
    assert isinstance(caught.value.__cause__, ValueError)
    assert "the-sid" not in str(caught.value)
    assert store.calls == 1


def test_no_second_try_after_the_deadline() -> None:
    """Of synchronous code, whose driver has waited as long as it may."""

    def slow() -> Exception:
        time.sleep(0.02)
        return LOST

    store = Store(slow, RECORD, timeout=0.01)
    with pytest.raises(StoreUnavailable):
        store.load("sid")
    assert store.calls == 1


def test_an_error_that_is_ours_stays_what_it_is(callers: Callers) -> None:
    """It is an answer, not an outage."""
    store = Store(*[SessionError("too large")] * (FAILURES + 1), RECORD)
    for _ in range(FAILURES + 1):
        with pytest.raises(SessionError, match="too large") as caught:
            callers.ask(store)
        assert not isinstance(caught.value, StoreUnavailable)
    assert callers.ask(store) == RECORD


# Refusals -------------------------------------------------------------------------------------------------------------


class Full(Exception):
    """What a driver raises where its server is full."""


class Refusing(Store):
    def _create(self, client: Client, sid: str, payload: bytes, ttl: float) -> Any:
        return (yield from self._load(client, sid))

    def _refusal(self, error: Exception) -> str | None:
        return "FULL: no room" if isinstance(error, Full) else None


def test_a_server_that_says_no_is_named_with_its_reason(callers: Callers) -> None:
    """Which store, which operation, and what the server said; not what was sent."""
    cause = Full("no room for the-sid")
    with pytest.raises(StoreRefused) as caught:
        callers.ask(Refusing(cause), "create", b"the-sid", 60)
    error = caught.value
    assert str(error) == "Refusing refused create: FULL: no room"
    assert (error.store, error.operation, error.reason) == ("Refusing", "create", "FULL: no room")
    assert error.__cause__ is cause


def test_a_body_may_say_it_itself(callers: Callers) -> None:
    """Where the driver raises nothing, but returns what the server said."""
    with pytest.raises(StoreRefused, match="Store refused load: out of memory"):
        callers.ask(Store(Refusal("out of memory")))


def test_a_server_that_says_no_is_not_silent(callers: Callers) -> None:
    """However often it does: those who read are served meanwhile."""
    store = Refusing(*[each for _ in range(5 * FAILURES) for each in (Full(), RECORD)])
    for _ in range(5 * FAILURES):
        with pytest.raises(StoreRefused):
            callers.ask(store, "create", b"a", 60)
        assert callers.ask(store) == RECORD


def test_a_refusal_ends_an_outage(callers: Callers) -> None:
    """It is an answer: the server is back."""
    store = Refusing(*[LOST] * 2 * FAILURES, Full(), RECORD, RECORD)
    for _ in range(FAILURES):
        with pytest.raises(StoreUnavailable):
            callers.ask(store)
    with pytest.raises(StoreRefused):
        callers.ask(store)
    assert [store._breaker.enter(), store._breaker.enter()] == [False, False]


async def test_a_refusal_after_its_request_was_cancelled_is_an_answer_too() -> None:
    """Nobody sees it, and the breaker stays closed."""
    release = asyncio.Event()

    async def refuse() -> None:
        await release.wait()
        raise Full

    store = Refusing(*[refuse] * FAILURES).asynchronous()
    for _ in range(FAILURES):
        await given_up(store)
        store._made.clear()
    release.set()
    while store._clients.here().left:
        await asyncio.sleep(0)
    assert store._breaker.enter() is False


def test_the_index_has_a_breaker_of_its_own(callers: Callers) -> None:
    """A table of the index that nobody can reach keeps nobody from their session; and the other way."""
    store = Store(*[LOST] * 2 * FAILURES)
    index = store._for_index()
    for _ in range(FAILURES):
        with pytest.raises(StoreUnavailable):
            callers.ask(index)
    assert index._breaker.enter() is True
    assert store._breaker.enter() is False
    assert callers.ask(store) is None


# The deadline ---------------------------------------------------------------------------------------------------------


async def test_a_driver_that_does_not_let_go_costs_the_deadline() -> None:
    """And no more: nobody waits for the cancellation. Nor does it end the store for others."""
    lets_go = asyncio.Event()

    async def never() -> None:
        """Does not answer, and does not let go at once when it is cancelled."""
        try:
            await asyncio.Event().wait()
        finally:
            await lets_go.wait()

    store = Store(never, timeout=0.05).asynchronous()
    with pytest.raises(StoreUnavailable, match=r"0\.05 seconds"):
        await asyncio.wait_for(store.load("sid"), 30)
    assert await store.load("sid") is None
    assert len(store._clients.here().left) == 1
    lets_go.set()
    await store.close()
    assert not store._clients.here().left


async def test_a_loop_that_stood_still_is_no_outage() -> None:
    """A handler has blocked it for longer than the deadline: the reply lies in the socket, and is read."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    loop = asyncio.get_running_loop()

    async def answer() -> Record:
        for _ in range(3):  # What comes in pieces takes as many turns.
            await loop.sock_recv(reader, 1)
        return RECORD

    store = Store(answer, timeout=0.1).asynchronous()
    call = asyncio.ensure_future(store.load("sid"))
    while not store.calls:
        await asyncio.sleep(0)
    writer.sendall(b"abc")
    time.sleep(0.3)
    assert await call == RECORD
    await store.close()
    reader.close()
    writer.close()


async def test_time_in_which_the_loop_stood_still_does_not_count() -> None:
    """The server had no chance to be heard, and a call of two commands gets the time for the second."""
    asked = asyncio.Event()

    async def answer() -> Record:
        asked.set()
        await asyncio.sleep(0.05)
        await asyncio.sleep(0.05)
        return RECORD

    store = Store(answer, timeout=0.5).asynchronous()
    call = asyncio.ensure_future(store.load("sid"))
    await asked.wait()
    time.sleep(1)
    assert await call == RECORD
    await store.close()


async def test_a_loop_that_is_always_late_waits_twice_as_long_and_no_longer() -> None:
    """Or nobody would ever be told that the server is silent."""
    store = Store(asyncio.Event().wait, timeout=0.2).asynchronous()
    call = asyncio.ensure_future(store.load("sid"))
    stalls = 0
    while not call.done():
        time.sleep(0.15)
        await asyncio.sleep(0)
        stalls += 1
    with pytest.raises(StoreUnavailable, match=r"Store got no answer to load within 0\.2 seconds"):
        await call
    # Each of them is longer than a stretch, which takes three turns of the loop to end.
    assert stalls <= 3 * 2 * STRETCHES + 2 * TURNS
    await store.close()


def test_without_asyncio_it_is_said_that_it_is_needed() -> None:
    """trio runs the same frameworks: that is a mistake to be put right, and no outage."""
    steps = Store(RECORD).asynchronous().load("sid")
    with pytest.raises(SessionError, match="Store needs asyncio") as caught:
        steps.send(None)
    assert not isinstance(caught.value, StoreUnavailable)


@pytest.mark.parametrize("timeout", [0, -1, 61, True, "2", None, float("nan"), float("inf")])
def test_a_wrong_deadline_is_refused(timeout: Any) -> None:
    """With the default as remedy."""
    with pytest.raises(InvalidOption, match="The default is 2"):
        Store(timeout=timeout)


# Cancellation ---------------------------------------------------------------------------------------------------------


async def given_up(store: Any) -> None:
    """Cancel a request while its call is on its way."""
    request = asyncio.ensure_future(store.load("sid"))
    while not store.calls:
        await asyncio.sleep(0)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request


async def test_a_call_whose_request_was_cancelled_ends_by_itself() -> None:
    """So that no connection goes back to the pool with a reply on its way."""
    release = asyncio.Event()
    ended: list[bool] = []

    async def wait() -> None:
        await release.wait()
        ended.append(True)

    store = Store(wait).asynchronous()
    await given_up(store)
    release.set()
    while not ended:
        await asyncio.sleep(0)
    while store._clients.here().left:
        await asyncio.sleep(0)


async def test_but_not_later_than_the_deadline() -> None:
    """Nothing stays for ever."""
    store = Store(asyncio.Event().wait, timeout=0.05).asynchronous()
    request = asyncio.ensure_future(store.load("sid"))
    await asyncio.sleep(0)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    until = time.monotonic() + 30
    while store._clients.here().left:
        assert time.monotonic() < until
        await asyncio.sleep(0.01)


async def test_a_closed_store_is_not_opened_by_what_was_left_behind() -> None:
    """Its second try would make a client that nobody closes."""
    broken = asyncio.Event()

    async def break_later() -> None:
        await broken.wait()
        raise LOST

    store = Store(break_later, RECORD).asynchronous()
    await given_up(store)
    broken.set()
    await store.close()
    for _ in range(10):
        await asyncio.sleep(0)
    assert [client.closed for client in store.clients] == [True]


# The breaker ----------------------------------------------------------------------------------------------------------


def test_after_some_failures_one_call_at_a_time_finds_out() -> None:
    """The others are refused at once; the first that is answered opens the store for all."""
    breaker = Breaker(60)
    for _ in range(FAILURES):
        assert breaker.enter() is False
        breaker.leave(False, False)
    assert breaker.enter() is True
    with pytest.raises(StoreUnavailable, match="does not answer"):
        breaker.enter()
    breaker.leave(False, True)
    assert breaker.enter() is True
    breaker.leave(True, True)
    assert [breaker.enter(), breaker.enter()] == [False, False]


def test_a_call_from_before_the_outage_lets_no_second_one_find_out() -> None:
    """It was let through while all was well, and ends when nothing is."""
    breaker = Breaker(60)
    for _ in range(FAILURES):
        breaker.leave(False, False)
    breaker.enter()
    breaker.leave(False, False)
    with pytest.raises(StoreUnavailable):
        breaker.enter()


def test_a_late_answer_leaves_a_place_to_find_out_at_the_next_outage() -> None:
    """A call from before the outage is answered while another one finds out: both say that the server is back."""
    for answers in ([False, True], [True, False]):
        breaker = Breaker(60)
        slow = breaker.enter()
        for _ in range(FAILURES):
            breaker.leave(False, breaker.enter())
        finds_out = breaker.enter()
        assert finds_out is True
        for its_place in answers:
            breaker.leave(True, finds_out if its_place else slow)
        for _ in range(FAILURES):
            breaker.leave(False, breaker.enter())
        assert breaker.enter() is True


def test_any_answer_gives_the_place_back() -> None:
    """Who finds out may never be heard of again; the next outage does not wait for it."""
    breaker = Breaker(60)
    for _ in range(FAILURES):
        breaker.leave(False, breaker.enter())
    assert breaker.enter() is True
    breaker.leave(True, False)
    for _ in range(FAILURES):
        breaker.leave(False, breaker.enter())
    assert breaker.enter() is True


def test_a_failure_now_and_then_is_no_outage() -> None:
    """Only a row of them."""
    breaker = Breaker(60)
    for _ in range(5 * FAILURES):
        breaker.leave(False, breaker.enter())
        breaker.leave(True, breaker.enter())
    assert breaker.enter() is False


def test_who_finds_out_and_is_never_heard_of_again_is_replaced() -> None:
    """Its event loop was stopped, or its thread hangs."""
    breaker = Breaker(0.01)
    for _ in range(FAILURES):
        breaker.leave(False, False)
    assert breaker.enter() is True
    time.sleep(0.02)
    assert breaker.enter() is True


def test_a_server_that_is_gone_is_asked_by_each_call_and_no_more_often(callers: Callers) -> None:
    """So that the first call after its return succeeds."""
    store = Store(*[LOST] * 20, RECORD)
    for _ in range(10):
        with pytest.raises(StoreUnavailable):
            callers.ask(store)
    assert store.calls == 20
    assert callers.ask(store) == RECORD


async def test_a_silent_server_costs_one_of_many() -> None:
    """All who come while one waits are told at once."""
    store = Store(*[asyncio.Event().wait] * 100, timeout=0.1).asynchronous()
    await asyncio.gather(*(store.load("sid") for _ in range(FAILURES)), return_exceptions=True)
    store._timeout = 60.0  # So that the one still waits while the others are told, however slow this machine is.
    store._breaker._patience = 60.0
    waiting = asyncio.ensure_future(store.load("sid"))
    while store.calls == FAILURES:
        await asyncio.sleep(0)
    for _ in range(50):
        with pytest.raises(StoreUnavailable, match="another request finds out"):
            await store.load("sid")
    assert not waiting.done()
    assert store.calls == FAILURES + 1
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await store.close()


def test_threads_share_the_breaker() -> None:
    """And the client."""
    store = Store(*[LOST] * 2 * FAILURES)
    for _ in range(FAILURES):
        with pytest.raises(StoreUnavailable):
            store.load("sid")
    entered, release = threading.Event(), threading.Event()

    def wait() -> Record:
        entered.set()
        assert release.wait(30)
        return RECORD

    store.answers = [wait]
    thread = threading.Thread(target=store.load, args=("sid",))
    thread.start()
    assert entered.wait(30)
    with pytest.raises(StoreUnavailable, match="another request finds out"):
        store.load("sid")
    release.set()
    thread.join()
    assert store.load("sid") is None
    assert len(store.clients) == 1


# Clients --------------------------------------------------------------------------------------------------------------


def test_each_event_loop_and_synchronous_code_have_a_client() -> None:
    """A driver's connections are bound to their loop."""
    store = Store()

    async def use() -> None:
        under_asyncio = store.asynchronous()
        await under_asyncio.load("sid")
        await under_asyncio.load("sid")
        await under_asyncio.close()

    for _ in range(2):
        asyncio.run(use())
    store.load("sid")
    store.load("sid")
    store.close()
    assert [client.closed for client in store.clients] == [True] * 3


def test_the_client_of_a_loop_that_was_closed_is_let_go() -> None:
    """Though nobody closed the store there."""
    store = Store()

    async def use() -> None:
        await store.asynchronous().load("sid")

    for _ in range(5):
        asyncio.run(use())
    gc.collect()
    assert store._clients.here().count() <= 1


@pytest.mark.parametrize("closed", [False, True])
def test_a_client_ends_with_its_loop(closed: bool) -> None:
    """Celery, tests, `asyncio.run` in a row: whether the store was closed there or not, no connection stays open."""
    store = Store()

    async def use() -> None:
        under_asyncio = store.asynchronous()
        await under_asyncio.load("sid")
        if closed:
            await under_asyncio.close()

    gc.disable()  # When it comes is chance.
    try:
        for _ in range(5):
            asyncio.run(use())
        assert [client.closed for client in store.clients] == [True] * 5
    finally:
        gc.enable()


async def test_closing_twice_is_closing_once_and_cannot_fail() -> None:
    """Whatever the driver says to it."""
    store = Store()
    store._disconnect = lambda client: iter(()).throw(LOST)  # type: ignore[method-assign, attr-defined]
    store.load("sid")
    store.close()
    store.close()
    under_asyncio = store.asynchronous()
    await under_asyncio.load("sid")
    await under_asyncio.close()
    await under_asyncio.close()


def test_a_forked_child_has_a_client_of_its_own() -> None:
    """And does not close its parent's, of which the server would hear."""
    store = Store()
    store.load("sid")
    parents = store.clients[0]

    def work() -> bool:
        store.load("sid")
        mine = store.clients[-1]
        store.close()
        gc.collect()
        return mine is not parents and mine.closed and not parents.closed

    assert forked(work)
    store.load("sid")
    assert store.clients == [parents]
    store.close()


def test_a_fork_in_an_outage_does_not_inherit_it() -> None:
    """A thread that is not there may hold the lock, or find out for ever."""
    store = Store()
    for _ in range(FAILURES):
        store._breaker.leave(False, False)
    store._breaker.enter()
    store._breaker._lock.acquire()

    def work() -> bool:
        answer = store.load("sid")
        store._breaker.leave(False, False)
        return answer is None

    assert forked(work)
    store._breaker._lock.release()


def test_its_repr_is_its_name() -> None:
    """And nothing of its server."""
    assert repr(Store()) == "<Store>"
