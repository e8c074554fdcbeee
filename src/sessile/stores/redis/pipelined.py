# One client for each event loop. It has one connection to a server; another one where all keys are listed, so that
# large pages hold nobody up, and where a server takes less than it is sent.
#
#   Deadline  One timer for all calls: it ticks while something is under way, and a call that has seen enough ticks is
#             given up. A loop that is held up, or a process that is frozen, does not tick: time in which nobody could
#             read the reply does not count.
#   Renewals  Nobody waits for them. A refusal is logged, once in a while.
#   Loop      The client's connections close with its loop.
"""The client of Redis under asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Any, Final

from sessile.errors import StoreRefused, StoreUnavailable
from sessile.stores._shared.breaker import Breaker
from sessile.stores.redis.address import Address
from sessile.stores.redis.lane import Call, Lane
from sessile.stores.redis.operations import Asked, Operation
from sessile.stores.redis.refusals import DEMOTED, DeadlineError, code_of, not_renewed, outage, refused
from sessile.stores.redis.resp import Refusal
from sessile.stores.redis.topology import Hello, Host, Slots, moved_to, slot_of
from sessile.stores.redis.turns import Turns

__all__ = ["Pipelined"]

#: How many ticks a deadline has.
TICKS: Final = 8

#: How often a call is sent again at most, whatever the reasons.
MOST_TRIES: Final = 5

#: How often the server is looked up anew because it may have become a replica, in seconds.
SELDOM: Final = 1.0


class Pipelined:
    """Sends what the tasks of one event loop ask for on shared connections."""

    def __init__(
        self,
        address: Address,
        timeout: float,
        loop: asyncio.AbstractEventLoop,
        breakers: Sequence[Breaker],
        ended: Callable[[Pipelined], None],
    ) -> None:
        self.loop = loop
        self._breakers = breakers
        self.tick = 0
        self._address = address
        self._timeout = timeout
        self._told = ended
        #: Sends calls of ``replace``.
        self.turns = Turns(loop, self.send, timeout / 2)
        self._timer: asyncio.TimerHandle | None = None
        self._lanes: dict[tuple[Host | None, int], Lane] = {}
        #: The lane of a client that has one server: what nearly all calls take.
        self._lane: Lane | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._end = self._close_with_loop()
        self._begun = False
        self._turned = -SELDOM
        #: Which server has which slots, in a cluster; empty as long as nobody has asked.
        self._slots: dict[int, Host] = {}
        #: The calls that wait until that is known.
        self._homeless: list[Call] = []
        self._learning = False
        self._closed = False

    # What the store calls.

    def send(self, operation: Operation, part: int = 0, at: Host | None = None) -> asyncio.Future[Any]:
        """Send ``operation``, and return the future of its answer.

        ``part``: whose breaker it goes by. ``at``: to which server of a cluster, if not by its key.
        """
        breaker = self._breakers[part]
        future: asyncio.Future[Any] = self.loop.create_future()
        try:
            if self._closed:  # By somebody who did not wait for those who take turns.
                raise StoreUnavailable("the store was closed")
            finds_out = breaker.enter()
        except StoreUnavailable as error:
            future.set_exception(error)
            future.exception()  # Whoever does not look at it is not told so.
            return future
        call = Call(operation, future, breaker, finds_out, self.tick, at)
        if self._timer is None:
            self._wind_up()
        lane = self._lane
        if lane is None or not lane.open or lane.full or operation.bulky:
            self._dispatch(call)
        else:
            lane.push(call)
        return future

    def post(self, operation: Operation) -> None:
        """Send ``operation`` without waiting for its answer. If there is no connection just now, it is not sent."""
        call = Call(operation, None, None, False, self.tick)
        lane = self._lane or self._lanes.get((self._slots.get(slot_of(operation.key)), 0))
        if lane is not None and lane.open:
            if self._timer is None:
                self._wind_up()
            lane.push_lazily(call)

    async def primaries(self) -> list[Host | None]:
        """Return the servers that share the keys; None stands for the only one."""
        if not self._address.is_cluster:
            return [None]
        if not self._slots:
            # Any question that goes by a key has the servers looked up.
            await self.send(Slots())
        return list(dict.fromkeys(self._slots.values()))

    async def close(self) -> None:
        """Close all connections. What is under way fails."""
        await self._end.aclose()
        await self._close()

    async def _close(self) -> None:
        self._closed = True
        self._told(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for task in self._tasks:
            task.cancel()
        lanes = list(self._lanes.values())
        closed = StoreUnavailable("the store was closed")
        for call in self._homeless:
            call.fail(closed)
        for lane in lanes:
            lane.abort(closed)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1)
        for lane in lanes:
            await lane.closed()

    async def _close_with_loop(self) -> AsyncGenerator[None, None]:
        # A loop that ends closes the generators that were begun on it; there is no other way to be told.
        try:
            yield
        finally:
            await self._close()

    # Deadlines.

    def _wind_up(self) -> None:
        for lane in list(self._lanes.values()):
            if lane.is_stale():
                lane.abort()
        self._timer = self.loop.call_later(self._timeout / TICKS, self._on_tick)

    def _on_tick(self) -> None:
        self.tick += 1
        before = self.tick - TICKS
        lanes = list(self._lanes.values())
        late = [call for lane in lanes for call in lane.overdue(before)]
        late += [call for call in self._homeless if call.tick < before]
        for call in late:
            call.fail(outage(call.operation, DeadlineError(f"{self._timeout:g} seconds")))
        busy = self._homeless or self._tasks or any(lane.busy for lane in lanes)
        self._timer = self.loop.call_later(self._timeout / TICKS, self._on_tick) if busy else None

    # Which connection.

    def _dispatch(self, call: Call) -> None:
        """Send ``call`` to the server that is right for it, on a connection that is made if need be."""
        if not self._address.is_cluster:
            host = None
        elif (host := call.at or self._slots.get(slot_of(call.operation.key))) is None:
            self._wait_for_slots(call)
            return
        lane = self._lane_to(host, 1 if call.operation.bulky else 0)
        if lane.full:
            lane = self._lane_to(host, 2)
        lane.push(call)

    def _lane_to(self, host: Host | None, number: int) -> Lane:
        lane = self._lanes.get((host, number))
        if lane is None or not lane.open:
            lane = self._lanes[host, number] = Lane(self, self.loop, (host, number))
            if host is None and number == 0:
                self._lane = lane
            lane.dialer = self._run(self._dial(lane, host))
        return lane

    async def _dial(self, lane: Lane, host: Host | None) -> None:
        try:
            if not self._begun:
                self._begun = True
                await self._end.__anext__()
            await self._address.connect_lane(self.loop, lane, host, self._timeout)
            known = Call(Hello(self._address.login), self.loop.create_future(), None, False, self.tick)
            lane.introduce(known)
            assert known.future is not None
            await known.future
        except asyncio.CancelledError:
            lane.abort(ConnectionAbortedError("the store was closed"))
            raise
        except Exception as error:
            lane.abort(error)
        else:
            lane.be_ready()

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # The servers of a cluster.

    def _wait_for_slots(self, call: Call) -> None:
        self._homeless.append(call)
        self._learn()

    def _learn(self) -> None:
        """Ask who has which slots, if nobody is about to."""
        if self._address.is_cluster and not self._learning and not self._closed:
            self._learning = True
            self._run(self._ask_for_slots())

    async def _ask_for_slots(self) -> None:
        error: Exception | None = None
        try:
            for host in dict.fromkeys((*self._slots.values(), *self._address.hosts)):
                try:
                    self._slots = await self._slots_of(host)
                    break
                except Exception as failed:
                    error = failed
        finally:
            self._learning = False
        known = set(self._slots.values())
        for lane in list(self._lanes.values()):
            if lane.place[0] not in known and not lane.busy:
                lane.retire()
        homeless, self._homeless = self._homeless, []
        for call in homeless:
            if not call.wanted:
                call.give(None)
            elif call.at is not None or slot_of(call.operation.key) in self._slots:
                self._dispatch(call)
            else:
                call.fail(outage(call.operation, error or ConnectionError("no server has its slot")))

    async def _slots_of(self, host: Host) -> dict[int, Host]:
        future: asyncio.Future[Any] = self.loop.create_future()
        self._dispatch(Call(Slots(), future, None, False, self.tick, host))
        found = await asyncio.wait_for(future, self._address.share_of(self._timeout))
        slots = {slot: (name or host[0], port) for each, (name, port) in found for slot in each}
        if not slots:
            raise ConnectionError("no server of the cluster has any slots")
        return slots

    # What lanes tell.

    def replied(self, lane: Lane, call: Call, replies: Sequence[Any]) -> None:
        """Hand the answer on, or carry out what has to be done first."""
        if call.over:
            return
        try:
            answer = call.operation.answer(replies)
        except Refusal as refusal:
            self._refused(lane, call, refusal)
            return
        except Exception as error:  # What the server sent makes no sense.
            call.fail(outage(call.operation, error), answered=True)
            return
        if not isinstance(answer, Operation):
            call.give(answer)
        elif call.wanted and self._may_repeat(call, MOST_TRIES):
            call.operation, call.size = answer, answer.size
            if lane.ready and lane.open:
                lane.push(call)
            elif lane.ready:
                self._dispatch(call)
            else:
                lane.introduce(call)
        else:
            call.fail(StoreUnavailable("the call was given up"), answered=True)

    def _refused(self, lane: Lane, call: Call, refusal: Refusal) -> None:
        code = code_of(refusal)
        if call.future is None:
            if code not in ("MOVED", "ASK"):
                not_renewed(refused(call.operation, refusal))
        elif (
            code in ("MOVED", "ASK") and call.wanted and self._address.is_cluster and self._may_repeat(call, MOST_TRIES)
        ):
            slot, host = moved_to(refusal, lane.place[0])
            if code == "MOVED":
                self._slots[slot] = host
                self._learn()
                call.at = None
            else:
                call.operation, call.at = Asked(call.operation), host
                call.size = call.operation.size
            self._dispatch(call)
        elif code in DEMOTED and lane.ready and call.wanted and self._turn_from(lane) and self._may_repeat(call, 1):
            self._dispatch(call)
        else:
            if code == "CLUSTERDOWN":
                self._learn()
            call.fail(refused(call.operation, refusal), answered=True)

    def _turn_from(self, lane: Lane) -> bool:
        """Look for a server that takes writes, as after a failover. Return whether it is worth asking again."""
        if lane.open:
            now = self.loop.time()
            if now - self._turned < SELDOM:
                return False
            self._turned = now
            lane.retire()
            if self._address.is_cluster:
                self._slots.clear()
        return True

    def _may_repeat(self, call: Call, most: int) -> bool:
        call.tries += 1
        return call.tries <= most

    def lost(self, lane: Lane, written: Sequence[Call], unsent: Sequence[Call], error: Exception | None) -> None:
        """Ask again on another connection what may be asked again."""
        if self._lanes.get(lane.place) is lane:
            del self._lanes[lane.place]
            if self._lane is lane:
                self._lane = None
        if lane.dialer is not None and not lane.ready and lane.dialer is not asyncio.current_task(self.loop):
            lane.dialer.cancel()
        for call, was_written in (*((call, True) for call in written), *((call, False) for call in unsent)):
            if call.over or call.future is None:
                continue
            again = not self._closed and (isinstance(error, OSError) or error is None)
            if was_written:
                again = again and call.operation.repeatable
            if not lane.ready and not self._address.is_cluster:
                again = False  # The next call finds out whether the server is back.
            if again and not call.future.done() and self._may_repeat(call, 1 if was_written or not lane.ready else 3):
                if self._address.is_cluster and call.at is None:
                    self._wait_for_slots(call)
                else:
                    self._dispatch(call)
            elif isinstance(call.operation, Hello):
                call.fail(error or ConnectionResetError("the server closed the connection"))
            else:
                failed = outage(call.operation, error)
                call.fail(failed, answered=isinstance(failed, StoreRefused))
