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
# and one for each event loop, made when it is first needed (clients.py); a loop that ends closes its own.
#
# A server that refuses has answered. Only silence and broken connections count for the breaker, and the index has a
# breaker of its own: whoever may not use its table can still read the sessions.
"""What all stores share that talk to a server: a deadline, a second try, a circuit breaker, and their clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, Self, TypeVar

from sessile.dual import Steps, iterate_async, iterate_sync, run_async, run_sync
from sessile.errors import SessionError, StoreRefused, StoreUnavailable
from sessile.stores._shared import options
from sessile.stores._shared.altered import altered
from sessile.stores._shared.breaker import Breaker
from sessile.stores._shared.clients import Clients
from sessile.stores._shared.refusal import Refusal
from sessile.stores.base import Answer, Conflict, Missing, Record, Replaced

__all__ = ["ServerStore"]

T = TypeVar("T")

#: How long a call may take, in seconds. A visitor does not wait longer for a page; a healthy server takes milliseconds.
DEADLINE = 2.0

#: In how many stretches a deadline is waited for, so that a stall of the event loop is noticed.
STRETCHES = 4

#: By how many seconds at least a stretch has to be late to be a stall, and not just a busy loop.
SHORTEST_STALL = 0.05

#: How many turns the loop gets when the time is over: a reply goes from the socket to who reads it, and back to us.
TURNS = 10


class ServerStore:
    """What a store inherits that talks to a server.

    A subclass gives the verbs as bodies of code in both colours, which get a client first: ``_load(client, sid)`` and
    so on; ``_connect()``, which returns a client of the colour that ``self._asyncio`` says, without waiting;
    ``_disconnect``, which lets go of one; ``lost``, what its driver raises where the connection broke; and
    ``_refusal``, which tells by an error of the driver's that the server has answered, and said no.

    ``timeout`` is the deadline of a call, in seconds.
    """

    #: What the driver raises when a connection is refused or breaks: worth one more try.
    lost: ClassVar[tuple[type[Exception], ...]] = (ConnectionError,)

    def __init__(self, *, timeout: float = DEADLINE, clock: Callable[[], float] = time.time) -> None:
        self._timeout = options.seconds("timeout", timeout, DEADLINE, most=60)
        self._clock = clock
        self._asyncio = False
        self._is_index = False
        self._clients = Clients(self._timeout, type(self).__name__)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def asynchronous(self) -> Self:
        """Return this store for use under asyncio: its verbs return awaitables."""
        return altered(self, _asyncio=True)

    def _for_index(self, **attributes: object) -> Self:
        """Return the store of the index, with these attributes: it shares the connections, and has its own breaker."""
        return altered(self, _is_index=True, **attributes)

    def load(self, sid: str) -> Answer[Record | None]:
        return self._ask(self._load, sid, twice=True)

    def create(self, sid: str, payload: bytes, ttl: float) -> Answer[bool]:
        return self._ask(self._create, sid, payload, ttl)

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Answer[Replaced | Conflict | Missing]:
        return self._ask(self._replace, sid, payload, ttl, expected)

    def touch(self, sid: str, ttl: float) -> Answer[bool]:
        return self._ask(self._touch, sid, ttl, twice=True)

    def delete(self, sid: str) -> Answer[bool]:
        return self._ask(self._delete, sid, twice=True)

    def close(self) -> Answer[None]:
        """Let go of the connections of this colour: of this event loop, or of synchronous code."""
        if self._asyncio:
            return self._close_async()
        for client in self._clients.here().take_plain():
            with suppress(Exception):
                run_sync(self._disconnect(client))
        return None

    async def _close_async(self) -> None:
        loop = asyncio.get_running_loop()
        here = self._clients.here()
        # What nobody waits for any more would connect again for its second try.
        left = [task for task in here.left if task.get_loop() is loop]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=self._timeout)
        # A driver may want to take leave of a server that does not answer.
        leaving = loop.create_task(here.close(loop))
        await asyncio.wait((leaving,), timeout=self._timeout)
        if not leaving.done():
            self._leave_behind(leaving, 0, lambda: None)

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

    def _refusal(self, error: Exception) -> str | None:
        """Return what the server gave as its reason, if ``error`` says that it answered and said no; else None.

        Its code, or the first line of its message, and never a value that was sent.
        """
        return None

    def _reason(self, error: Exception) -> str:
        """Return what to say of ``error`` in an outage. No value that was sent, and no password, may stand in it."""
        words = getattr(error, "strerror", None) if isinstance(error, OSError) else None
        return f"{type(error).__name__}: {words}" if words else type(error).__name__

    # The care.

    @property
    def _breaker(self) -> Breaker:
        here = self._clients.here()
        return here.index_breaker if self._is_index else here.breaker

    def _ask(self, body: Callable[..., Steps[T]], *arguments: Any, twice: bool = False) -> Any:
        """Run ``body`` with a client and ``arguments``. ``twice``: it does no harm if it was carried out before."""
        if self._asyncio:
            return self._wait(body, arguments, twice)
        breaker = self._breaker
        finds_out = breaker.enter()
        answered = False
        try:
            answer = run_sync(self._try(body, arguments, twice))
            answered = True
        except Exception as error:
            meaning = self._meaning(error, body)
            answered = _is_answer(meaning)
            if meaning is error:
                raise  # Not from itself: its cause is the driver's.
            raise meaning from error
        finally:
            breaker.leave(answered, finds_out)
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
        loop = _running_loop(type(self).__name__)
        breaker = self._breaker
        finds_out = breaker.enter()
        task = loop.create_task(run_async(self._try(body, arguments, twice)))
        try:
            await _by_deadline(task, self._timeout)
        except asyncio.CancelledError:
            self._leave_behind(task, self._patience, lambda: breaker.leave(self._answered(task, body), finds_out))
            raise
        if not task.done():
            breaker.leave(False, finds_out)
            self._leave_behind(task, self._patience, lambda: None)
            raise StoreUnavailable(
                f"{type(self).__name__} got no answer to {_operation(body)} within {self._timeout:g} seconds"
            )
        breaker.leave(self._answered(task, body), finds_out)
        if task.cancelled():
            raise StoreUnavailable(f"{type(self).__name__} was closed during {_operation(body)}")
        error = task.exception()
        if error is None:
            return task.result()
        meaning = self._meaning(error, body) if isinstance(error, Exception) else error
        if meaning is error:
            raise error
        raise meaning from error

    @property
    def _patience(self) -> float:
        """How many seconds a call may go on for which nobody waits any more."""
        return self._timeout

    def _leave_behind(self, task: asyncio.Task[Any], patience: float, then: Callable[[], None]) -> None:
        """Let ``task`` end by itself, or cancel it after ``patience`` seconds. Nobody waits for it."""
        left = self._clients.here().left

        def ended(task: asyncio.Task[Any]) -> None:
            timer.cancel()
            left.discard(task)
            if not task.cancelled():
                task.exception()  # Somebody has looked at it.
            then()

        left.add(task)
        timer = asyncio.get_running_loop().call_later(patience, task.cancel)
        task.add_done_callback(ended)

    def _answered(self, task: asyncio.Task[Any], body: Callable[..., Any]) -> bool:
        """Tell whether the server answered to a call that has ended."""
        if task.cancelled():
            return False
        error = task.exception()
        return error is None or (isinstance(error, Exception) and _is_answer(self._meaning(error, body)))

    def _meaning(self, error: Exception, body: Callable[..., Any]) -> Exception:
        """Return what to raise for ``error``, which came out of ``body``."""
        if isinstance(error, SessionError):
            return error
        reason = str(error) if isinstance(error, Refusal) else self._refusal(error)
        if reason is not None:
            return StoreRefused(type(self).__name__, _operation(body), reason)
        return StoreUnavailable(f"{type(self).__name__} got no answer to {_operation(body)}: {self._reason(error)}")

    def _connected(self) -> Any:
        """Return the client for whoever asks, made now if there is none."""
        here = self._clients.here()
        if not self._asyncio:
            return here.plain(self._connect)
        return here.of_loop(asyncio.get_running_loop(), self._connect, self._disconnect)


def _operation(body: Callable[..., Any]) -> str:
    """Return what a message calls the verb whose ``body`` this is: ``_replace`` is "replace"."""
    return getattr(body, "__name__", "call").strip("_").partition("_")[0]


def _is_answer(error: Exception) -> bool:
    """Tell whether ``error``, as it was understood, is an answer of the server's."""
    return isinstance(error, StoreRefused) or (
        isinstance(error, SessionError) and not isinstance(error, StoreUnavailable)
    )


def _running_loop(name: str) -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise SessionError(
            f"{name} needs asyncio, and no event loop of asyncio runs here. Serve the site with asyncio, not with trio"
        ) from None


async def _by_deadline(task: asyncio.Task[Any], seconds: float) -> None:
    """Wait until ``task`` has ended, for ``seconds`` at most in which the event loop was able to work.

    A handler may block the loop for longer than that, and a container may be frozen: the reply lies in the socket then,
    and nobody has read it. So a stretch that took much longer than was asked for does not count; a loop that is always
    late is given twice the time. What is ready when the time is over gets a few turns of the loop to arrive.
    """
    stretch = seconds / STRETCHES
    left, stalls = STRETCHES, STRETCHES
    while left and not task.done():
        began = time.monotonic()
        await asyncio.wait((task,), timeout=stretch)
        if stalls and time.monotonic() - began > stretch + max(stretch / 2, SHORTEST_STALL):
            stalls -= 1
        else:
            left -= 1
    for _ in range(TURNS):
        if task.done():
            return
        await asyncio.sleep(0)
