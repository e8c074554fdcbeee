# A server can be gone, slow, or silent; drivers wait for it between five seconds and for ever. So every call of every
# store that has a server goes through here, and meets the same care:
#
#   1. A deadline for the whole call. Under asyncio it holds even if the driver does not let go: the call is a task of
#      its own, which is left behind. It has as much time again to end by itself, for then its connection is in better
#      order, and is cancelled after that. In synchronous code only the driver can stop waiting, so each store gives it
#      time-outs from the same number.
#   2. One more try where the connection broke, if the call may be made twice, and within the same deadline.
#   3. While the server does not answer, one call at a time finds out whether it does again; all others are refused at
#      once. So a silent server costs one visitor the deadline, and the first call after its return succeeds.
#   4. A request that is cancelled leaves its call to end by itself: no connection goes back to a pool with a reply
#      pending, for the next visitor to read.
#
# Drivers bind their connections to a thread, a process or an event loop. So there is one client for synchronous code
# and one for each event loop, made when it is first needed, and none of them outlives a fork.
"""What all stores share that talk to a server: a deadline, a second try, a circuit breaker, and their clients."""

from __future__ import annotations

import asyncio
import copy
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from holdfast.dual import Steps, iterate_async, iterate_sync, run_async, run_sync
from holdfast.errors import SessionError, StoreUnavailable
from holdfast.stores import options
from holdfast.stores.base import Conflict, Missing, Record, Replaced
from holdfast.stores.breaker import Breaker

__all__ = ["ServerStore"]

T = TypeVar("T")

#: How long a call may take, in seconds. A visitor does not wait longer for a page; a healthy server takes milliseconds.
DEADLINE = 2.0


class ServerStore:
    """What a store inherits that talks to a server.

    A subclass gives the verbs as bodies of code in both colours, which get a client first: ``_load(client, sid)`` and
    so on; ``_connect()``, which returns a client of the colour that ``self._asyncio`` says, without waiting;
    ``_disconnect``, which lets go of one; and ``lost``, what its driver raises where the connection broke.

    ``timeout`` is the deadline of a call, in seconds.
    """

    #: What the driver raises when a connection is refused or breaks: worth one more try.
    lost: ClassVar[tuple[type[Exception], ...]] = (ConnectionError,)

    def __init__(self, *, timeout: float = DEADLINE, clock: Callable[[], float] = time.time) -> None:
        self._timeout = options.seconds("timeout", timeout, DEADLINE, most=60)
        self._clock = clock
        self._asyncio = False
        self._breaker = Breaker(self._timeout)
        self._left: set[asyncio.Task[Any]] = set()
        self._client: list[Any] = []
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()
        _all.add(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def asynchronous(self) -> Any:
        """Return this store for use under asyncio: its verbs return awaitables."""
        other = copy.copy(self)
        other._asyncio = True
        return other

    def load(self, sid: str) -> Any:
        return self._ask(self._load, sid, twice=True)

    def create(self, sid: str, payload: bytes, ttl: float) -> Any:
        return self._ask(self._create, sid, payload, ttl)

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Any:
        return self._ask(self._replace, sid, payload, ttl, expected)

    def touch(self, sid: str, ttl: float) -> Any:
        return self._ask(self._touch, sid, ttl, twice=True)

    def delete(self, sid: str) -> Any:
        return self._ask(self._delete, sid, twice=True)

    def close(self) -> Any:
        """Let go of the connections of this colour: of this event loop, or of synchronous code."""
        if self._asyncio:
            return self._close_async()
        clients, self._client[:] = list(self._client), []
        for client in clients:
            with suppress(Exception):
                run_sync(self._disconnect(client))
        return None

    async def _close_async(self) -> None:
        loop = asyncio.get_running_loop()
        client = self._clients.pop(loop, None)
        # What nobody waits for any more would connect again for its second try.
        left = [task for task in self._left if task.get_loop() is loop]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=self._timeout)
        if client is not None:
            # A driver may want to take leave of a server that does not answer.
            leaving = loop.create_task(self._take_leave(client))
            await asyncio.wait((leaving,), timeout=self._timeout)
            if not leaving.done():
                self._leave_behind(leaving, 0, lambda: None)

    async def _take_leave(self, client: Any) -> None:
        with suppress(Exception):
            await run_async(self._disconnect(client))

    # For a subclass to give.

    def _connect(self) -> Any:
        raise NotImplementedError

    def _disconnect(self, client: Any) -> Steps[None]:
        raise NotImplementedError

    def _load(self, client: Any, sid: str) -> Steps[Record | None]:
        raise NotImplementedError

    def _create(self, client: Any, sid: str, payload: bytes, ttl: float) -> Steps[bool]:
        raise NotImplementedError

    def _replace(
        self, client: Any, sid: str, payload: bytes, ttl: float, expected: bytes
    ) -> Steps[Replaced | Conflict | Missing]:
        raise NotImplementedError

    def _touch(self, client: Any, sid: str, ttl: float) -> Steps[bool]:
        raise NotImplementedError

    def _delete(self, client: Any, sid: str) -> Steps[bool]:
        raise NotImplementedError

    # The care.

    def _ask(self, body: Callable[..., Steps[T]], *arguments: Any, twice: bool = False) -> Any:
        """Run ``body`` with a client and ``arguments``. ``twice``: it does no harm if it was carried out before."""
        if self._asyncio:
            return self._wait(body, arguments, twice)
        finds_out = self._breaker.enter()
        answered = False
        try:
            answer = run_sync(self._try(body, arguments, twice))
            answered = True
        except SessionError as error:
            answered = not isinstance(error, StoreUnavailable)
            raise
        except Exception as error:
            raise self._outage(error) from error
        finally:
            self._breaker.leave(answered, finds_out)
        return answer

    def _try(self, body: Callable[..., Steps[T]], arguments: tuple[Any, ...], twice: bool) -> Steps[T]:
        until = time.monotonic() + self._timeout
        try:
            return (yield from body(self._connected(), *arguments))
        except self.lost:
            if not twice or time.monotonic() >= until:
                raise
        return (yield from body(self._connected(), *arguments))

    def _drive(self, steps: Steps[T]) -> Any:
        """Run what is made of several calls, each with a deadline of its own."""
        return run_async(steps) if self._asyncio else run_sync(steps)

    def _iterate(self, steps: Steps[None]) -> Any:
        return iterate_async(steps) if self._asyncio else iterate_sync(steps)

    async def _wait(self, body: Callable[..., Steps[T]], arguments: tuple[Any, ...], twice: bool) -> T:
        """Return what ``body`` returns, by the deadline."""
        finds_out = self._breaker.enter()
        task = asyncio.get_running_loop().create_task(run_async(self._try(body, arguments, twice)))
        try:
            await asyncio.wait((task,), timeout=self._timeout)
        except asyncio.CancelledError:
            self._leave_behind(task, self._timeout, lambda: self._breaker.leave(_answered(task), finds_out))
            raise
        if not task.done():
            self._breaker.leave(False, finds_out)
            self._leave_behind(task, self._timeout, lambda: None)
            raise StoreUnavailable(f"no answer within {self._timeout:g} seconds")
        self._breaker.leave(_answered(task), finds_out)
        if task.cancelled():
            raise StoreUnavailable("the call was given up")
        error = task.exception()
        if error is None:
            return task.result()
        if isinstance(error, SessionError) or not isinstance(error, Exception):
            raise error
        raise self._outage(error) from error

    def _leave_behind(self, task: asyncio.Task[Any], patience: float, then: Callable[[], None]) -> None:
        """Let ``task`` end by itself, or cancel it after ``patience`` seconds. Nobody waits for it."""

        def ended(task: asyncio.Task[Any]) -> None:
            timer.cancel()
            self._left.discard(task)
            _answered(task)
            then()

        self._left.add(task)
        timer = asyncio.get_running_loop().call_later(patience, task.cancel)
        task.add_done_callback(ended)

    def _outage(self, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(f"the server failed: {type(error).__name__}")

    def _connected(self) -> Any:
        """Return the client for whoever asks, made now if there is none."""
        if not self._asyncio:
            if not self._client:
                self._client.append(self._connect())
            return self._client[0]
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            # A client keeps its loop alive, so that the dictionary would keep both.
            for ended in [other for other in list(self._clients) if other.is_closed()]:
                self._clients.pop(ended, None)
            client = self._clients[loop] = self._connect()
        return client

    def _forget(self) -> None:
        """Make no use of what the process has that we were forked from, nor let go of it: the server might hear."""
        _inherited.append((list(self._client), list(self._clients.items()), list(self._left)))
        self._client.clear()
        self._clients.clear()
        self._left.clear()
        self._breaker.reset()


_all: WeakSet[ServerStore] = WeakSet()
_inherited: list[Any] = []


def _answered(task: asyncio.Task[Any]) -> bool:
    """Tell whether the server answered to a call that has ended."""
    error = None if task.cancelled() else task.exception()
    if task.cancelled() or isinstance(error, StoreUnavailable):
        return False
    return error is None or isinstance(error, SessionError)


def _after_fork() -> None:
    for store in list(_all):
        with suppress(Exception):
            store._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
