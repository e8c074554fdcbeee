# A connection on which many calls are under way at once. What is asked within one turn of the event loop is sent in
# one write, and the replies come back in the order of the questions. So no connection is ever handed from one request
# to another:
#
#   1. A call stays in line until its reply has come, whether or not somebody still waits for it. The reply to a request
#      that was cancelled is read and dropped: it cannot become another's.
#   2. What was not written when the connection broke is asked on the next one. What was written is asked again if that
#      does no harm.
"""One connection to Redis under asyncio, shared by all requests that are under way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Protocol, cast

from sessile.stores._shared.breaker import Breaker
from sessile.stores._shared.pool import MOST_IDLE_SECONDS, is_silent
from sessile.stores.redis.address import idle_clock
from sessile.stores.redis.operations import Operation
from sessile.stores.redis.resp import INCOMPLETE, MalformedReply, Pushed, make_reader

__all__ = ["Call", "Lane", "Owner"]

#: For how many turns of the loop a write waits until the loop has read what came unasked.
MOST_LOOKS: Final = 5

#: How long what nobody waits for may wait for company, in seconds.
MOMENT: Final = 0.001


class Call:
    """An operation that is under way, and where its answer goes."""

    __slots__ = ("at", "breaker", "finds_out", "future", "operation", "over", "size", "tick", "tries")

    def __init__(
        self,
        operation: Operation,
        future: asyncio.Future[Any] | None,
        breaker: Breaker | None,
        finds_out: bool,
        tick: int,
        at: Any = None,
    ) -> None:
        self.operation = operation
        self.size = operation.size
        #: None if nobody waits.
        self.future = future
        self.breaker = breaker
        self.finds_out = finds_out
        #: When it was made, by the owner's clock.
        self.tick = tick
        #: Which server it has to go to; None: by its key.
        self.at = at
        #: How often it was sent again because of a fault.
        self.tries = 0
        #: Whether its reply is to be dropped.
        self.over = False

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for the answer."""
        return not self.over and self.future is not None and not self.future.done()

    def give(self, answer: Any) -> None:
        """Hand ``answer`` to whoever waits."""
        if self._end(True) and self.future is not None and not self.future.done():
            self.future.set_result(answer)

    def fail(self, error: Exception, *, answered: bool = False) -> None:
        """Raise ``error`` where somebody waits. ``answered``: the server can be reached."""
        if self._end(answered) and self.future is not None and not self.future.done():
            self.future.set_exception(error)
            self.future.exception()  # A request that is cancelled now does not look at it.

    def _end(self, answered: bool) -> bool:
        if self.over:
            return False
        self.over = True
        if self.breaker is not None:
            self.breaker.leave(answered, self.finds_out)
        return True


class Owner(Protocol):
    """What a lane needs of its client."""

    #: The time, in ticks: it stands still while the event loop does.
    tick: int

    def replied(self, lane: Lane, call: Call, replies: Sequence[Any]) -> None:
        """Take the replies to a call."""

    def lost(self, lane: Lane, written: Sequence[Call], unsent: Sequence[Call], error: Exception | None) -> None:
        """Take back the calls of a connection that broke."""


class Lane(asyncio.Protocol):
    """A connection, from before it is made until it breaks."""

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop, place: Any) -> None:
        #: Which of its owner's connections it is.
        self.place = place
        #: Whether it takes calls. It does so before it is connected.
        self.open = True
        #: Whether the server knows who we are, and calls are sent.
        self.ready = False
        #: Whether the server takes less than it is sent, so that another connection would help.
        self.full = False
        #: The task that makes the connection.
        self.dialer: asyncio.Task[None] | None = None
        self._owner = owner
        self._loop = loop
        self._born = self._heard_tick = owner.tick
        self._heard = idle_clock()
        self._transport: asyncio.Transport | None = None
        self._file = -1
        self._reader = make_reader()
        self._replies: list[Any] = []
        self._unsent: list[Call] = []
        self._written: deque[Call] = deque()
        self._scheduled = self._armed = False
        #: How many of the unsent are such that nobody waits for; and whether any must not be sent twice.
        self._lazy = 0
        self._delicate = False
        self._looks = 0
        #: When such a call was made last, by the loop's clock.
        self._posted = 0.0
        #: Whether the last write was for one request. Then nobody else is likely to come in the same turn.
        self._alone = True
        self._ended: asyncio.Future[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether calls are under way."""
        return bool(self._written or self._unsent)

    def push(self, call: Call) -> None:
        """Send ``call`` with what comes in the same turn; at once, if it is a read and nobody else is likely to come.

        So what somebody asks for without waiting in between goes in one write, in this order.
        """
        self._unsent.append(call)
        if not call.operation.repeatable:
            self._delicate = True
        if self._scheduled or not self.ready:
            return
        if self._alone and call.operation.hasty and not self._written:
            self.flush()
        else:
            self._scheduled = True
            self._loop.call_soon(self.flush)

    def push_lazily(self, call: Call) -> None:
        """Send ``call``, for which nobody waits: at once if there are few of them, else with others."""
        self._unsent.append(call)
        self._lazy += 1
        before, self._posted = self._posted, self._loop.time()
        if self._posted - before > MOMENT and not self._written and not self._scheduled:
            self.flush()
        elif not self._armed and self.ready:
            self._armed = True
            self._loop.call_later(MOMENT, self._flush_lazily)

    def _flush_lazily(self) -> None:
        self._armed = False
        if not self._scheduled:
            self.flush()

    def introduce(self, call: Call) -> None:
        """Send ``call`` before those that wait for the connection to be ready."""
        assert self._transport is not None
        self._written.append(call)
        self._transport.write(call.operation.wire())

    def be_ready(self) -> None:
        """Begin to send."""
        self.ready = True
        self.flush()

    def flush(self) -> None:
        """Write what was asked."""
        self._scheduled = False
        calls, transport = self._unsent, self._transport
        if not calls or transport is None or not self.ready:
            return
        if transport.is_closing():
            return  # What was asked is handed back in a moment.
        if self._delicate and not self._written and self._looks < MOST_LOOKS and not self._is_silent():
            # Something has come though nothing was asked, most likely the end of the connection. What must not be sent
            # twice waits until the loop has looked.
            self._looks += 1
            self._scheduled = True
            self._loop.call_soon(self.flush)
            return
        self._delicate = False
        self._looks = 0
        self._unsent = []
        self._alone = len(calls) - self._lazy <= 1
        self._lazy = 0
        self._written.extend(calls)
        transport.write(calls[0].operation.wire() if len(calls) == 1 else b"".join([c.operation.wire() for c in calls]))

    def _is_silent(self) -> bool:
        return self._file < 0 or is_silent(self._file)

    def is_stale(self) -> bool:
        """Tell whether it was idle for so long that a firewall may have forgotten it."""
        return self.ready and not self.busy and idle_clock() - self._heard > MOST_IDLE_SECONDS

    def overdue(self, before: int) -> list[Call]:
        """Return the calls that were made before a tick and have no answer. If nothing is heard at all, close."""
        late = [call for calls in (self._written, self._unsent) for call in calls if call.tick < before]
        if late and (self._heard_tick < before if self.ready else self._born < before):
            self._loop.call_soon(self.abort, TimeoutError("no answer"))
        return [call for call in late if not call.over]

    def retire(self) -> None:
        """Take no more calls, and close once those are answered that are under way."""
        self.open = False
        if not self.busy:
            self.abort()

    def abort(self, error: Exception | None = None) -> None:
        """Close the connection at once, and hand back what is under way on it."""
        self.open = False
        if self._transport is not None:
            self._transport.abort()
        written, unsent = list(self._written), self._unsent
        self._written.clear()
        self._unsent = []
        self._owner.lost(self, written, unsent, error)

    async def closed(self) -> None:
        """Wait until the connection is closed, after ``abort``."""
        if self._ended is not None:
            await asyncio.wait((self._ended,), timeout=1)

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are of classes of their own.
        self._ended = self._loop.create_future()
        raw = transport.get_extra_info("socket")
        self._file = -1 if raw is None else raw.fileno()
        self._heard = idle_clock()
        if not self.open:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Hand each reply to the call that it belongs to."""
        self._heard = idle_clock()
        self._heard_tick = self._owner.tick
        reader, written, owner = self._reader, self._written, self._owner
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not INCOMPLETE:
                if type(reply) is Pushed:
                    continue
                if not written:
                    raise MalformedReply("the server answered what nobody has asked")
                self._replies.append(reply)
                call = written[0]
                if len(self._replies) == call.size:
                    written.popleft()
                    replies, self._replies = self._replies, []
                    owner.replied(self, call, replies)
        except ConnectionError as error:
            self.abort(error)
        if not self.open and not self.busy:
            self.abort()

    def pause_writing(self) -> None:
        """Note that the server does not keep up."""
        self.full = True

    def resume_writing(self) -> None:
        """Note that it does again."""
        self.full = False

    def eof_received(self) -> None:
        """Hand back at once what was not written."""
        self.abort(ConnectionResetError("the server closed the connection"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand back what was under way."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
        self.abort(exc or ConnectionResetError("the server closed the connection"))
