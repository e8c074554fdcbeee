# Many requests that change one session at once would each be faster than the others once: with 128 of them that is
# thousands of conflicts, and some give up. So the writers of one event loop take turns. A turn is a call of `replace`,
# and, if that met a conflict, the call that follows it: whoever was told what is stored now is the next to write. So
# each of them meets one conflict, and those are left that come from other processes.
#
# Only the order of calls is changed here. Each of them is carried out by the server.
"""Let the writers of one record take turns."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from sessile.stores.base import Conflict
from sessile.stores.redis.operations import Replace

__all__ = ["Turns"]

#: For how long a turn is kept for a writer that has to join its changes to those of others first, in seconds.
KEPT: Final = 0.06

Send = Callable[[Replace, int], "asyncio.Future[Any]"]


class _Waiting:
    """A call whose turn has not come."""

    __slots__ = ("future", "operation", "part", "sent", "timer")

    def __init__(self, operation: Replace, part: int, future: asyncio.Future[Any]) -> None:
        self.operation = operation
        self.part = part
        self.future = future
        self.timer: asyncio.TimerHandle | None = None
        self.sent = False

    def leave(self) -> bool:
        """Take it out of the line. Return whether it has to be sent now."""
        if self.timer is not None:
            self.timer.cancel()
        if self.sent or self.future.done():
            return False
        self.sent = True
        return True


class _Line:
    """The writers of one record."""

    __slots__ = ("kept_for", "timer", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[_Waiting] = deque()
        #: What the writer expects whose turn is kept; None if a call is under way.
        self.kept_for: bytes | None = None
        self.timer: asyncio.TimerHandle | None = None


class Turns:
    """Sends each call of ``replace`` by ``send`` when its turn has come, or after ``patience`` seconds in any case."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Send, patience: float) -> None:
        self._loop = loop
        self._send = send
        self._patience = patience
        self._lines: dict[bytes, _Line] = {}

    def take(self, operation: Replace, part: int) -> asyncio.Future[Any]:
        """Return the future of the answer to ``operation``."""
        line = self._lines.get(operation.key)
        if line is None:
            line = self._lines[operation.key] = _Line()
        elif line.kept_for is not None and line.kept_for == operation.expected:
            self._end_keeping(line)
        else:
            return self._queue(line, operation, part)
        future = self._send(operation, part)
        future.add_done_callback(partial(self._done, operation.key, line))
        return future

    def _queue(self, line: _Line, operation: Replace, part: int) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        waiting = _Waiting(operation, part, future)
        waiting.timer = self._loop.call_later(self._patience, self._lose_patience, waiting)
        line.waiting.append(waiting)
        return future

    def _lose_patience(self, waiting: _Waiting) -> None:
        if waiting.leave():
            self._send(waiting.operation, waiting.part).add_done_callback(partial(_hand_on, waiting.future))

    def _done(self, key: bytes, line: _Line, future: asyncio.Future[Any]) -> None:
        """End a turn, or keep it for the writer who was told what is stored."""
        answer = None if future.cancelled() or future.exception() is not None else future.result()
        if isinstance(answer, Conflict) and line.waiting:
            line.kept_for = answer.current
            line.timer = self._loop.call_later(KEPT, self._go_on, key, line)
        else:
            self._go_on(key, line)

    def _go_on(self, key: bytes, line: _Line) -> None:
        """Give the turn to whoever is next."""
        self._end_keeping(line)
        while line.waiting:
            waiting = line.waiting.popleft()
            if not waiting.leave():
                continue
            future = self._send(waiting.operation, waiting.part)
            future.add_done_callback(partial(_hand_on, waiting.future))
            future.add_done_callback(partial(self._done, key, line))
            return
        if self._lines.get(key) is line:
            del self._lines[key]

    def _end_keeping(self, line: _Line) -> None:
        line.kept_for = None
        if line.timer is not None:
            line.timer.cancel()
            line.timer = None


def _hand_on(outer: asyncio.Future[Any], inner: asyncio.Future[Any]) -> None:
    if outer.done() or inner.cancelled():
        return
    error = inner.exception()
    if error is None:
        outer.set_result(inner.result())
    else:
        outer.set_exception(error)
        outer.exception()
