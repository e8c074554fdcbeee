# A call takes the connection that was used last and gives it back, so each thread at work has one of its own, greenlets
# and tasks as well; nothing is bound to a thread.
#
#   1. A connection whose replies were not read to the end is closed. The next call never reads them.
#   2. Of a renewal nobody waits for the reply. The connection knows how many such replies it is owed, and the next call
#      reads them first.
#   3. Before a write that must not be made twice it is looked at whether the server has closed the connection.
"""The client of Redis for synchronous code."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from sessile.errors import StoreRefused, StoreUnavailable
from sessile.stores._shared.breaker import Breaker
from sessile.stores._shared.pool import MOST_IDLE_SECONDS, is_silent
from sessile.stores.redis.address import Address, idle_clock
from sessile.stores.redis.operations import Asked, Operation
from sessile.stores.redis.refusals import (
    DEMOTED,
    STORE,
    DeadlineError,
    code_of,
    not_renewed,
    outage,
    reason_of,
    refused,
)
from sessile.stores.redis.resp import INCOMPLETE, Pushed, Refusal, make_reader
from sessile.stores.redis.topology import Hello, Host, Slots, moved_to, slot_of

__all__ = ["Blocking"]

_CHUNK: Final = 65_536
MOST_TRIES: Final = 5

#: How often the server is looked up anew because it may have become a replica, in seconds.
SELDOM: Final = 1.0

#: How many replies to renewals a connection may be owed before somebody reads them.
MOST_OWED: Final = 32


class Connection:
    """A connection to one server, used by one call at a time."""

    __slots__ = ("_logged", "_reader", "_socket", "owed", "used")

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._reader = make_reader()
        #: How many replies will come that nobody waits for.
        self.owed = 0
        #: When it was used last, by the clock for that.
        self.used = idle_clock()

    def exchange(self, wire: bytes, size: int, until: float) -> list[Any]:
        """Send ``wire`` and return its ``size`` replies, before ``time.monotonic()`` is ``until``. Raises OSError."""
        self._socket.sendall(wire)
        return self._read(size, until)

    def post(self, wire: bytes) -> None:
        """Send ``wire``, which has one reply, and do not wait for that."""
        self._socket.sendall(wire)
        self.owed += 1

    def settle(self, until: float) -> None:
        """Read the replies that are owed."""
        self._read(0, until)

    def is_sound(self) -> bool:
        """Tell whether the server has neither closed it nor sent what nobody has asked for."""
        return is_silent(self._socket.fileno())

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def _read(self, size: int, until: float) -> list[Any]:
        reader, reads = self._reader, 0
        replies: list[Any] = []
        while self.owed or len(replies) < size:
            reply = reader.gets()
            if reply is INCOMPLETE:
                if reads and time.monotonic() > until:
                    raise TimeoutError("no answer in time")
                reads += 1
                received = self._socket.recv(_CHUNK)
                if not received:
                    raise ConnectionResetError("the server closed the connection")
                reader.feed(received)
            elif type(reply) is Pushed:
                continue
            elif self.owed:
                self.owed -= 1
                if isinstance(reply, Refusal) and reply.code not in ("MOVED", "ASK"):
                    not_renewed(StoreRefused(STORE, "renew", reason_of(reply)))
            else:
                replies.append(reply)
        self.used = idle_clock()
        return replies


class Blocking:
    """Carries out operations, each on a connection that is nobody else's meanwhile."""

    def __init__(self, address: Address, timeout: float, most: int, breakers: Sequence[Breaker]) -> None:
        self._address = address
        self._breakers = breakers
        self._timeout = timeout
        self._seats = threading.Semaphore(most)
        self._idle: dict[Host | None, deque[Connection]] = {}
        self._slots: dict[int, Host] = {}
        self._turned = -SELDOM

    def ask(self, operation: Operation, part: int = 0, at: Host | None = None) -> object:
        """Return the answer to ``operation``. ``part``: whose breaker. ``at``: from this server of a cluster."""
        breaker = self._breakers[part]
        finds_out = breaker.enter()
        answered = False
        try:
            answer = self._carry_out(operation, at)
            answered = True
        except StoreRefused:
            answered = True
            raise
        finally:
            breaker.leave(answered, finds_out)
        return answer

    def post(self, operation: Operation) -> None:
        """Send ``operation`` without waiting for its answer. If no connection is free, it is not sent."""
        connection = self._take(self._slots.get(slot_of(operation.key)) if self._address.is_cluster else None)
        if connection is None:
            return
        try:
            if connection.owed >= MOST_OWED:
                connection.settle(time.monotonic() + self._timeout)
            connection.post(operation.wire())
        except OSError:
            connection.close()
        except BaseException:
            connection.close()
            raise
        else:
            self._give(self._place_of(operation, None), connection)

    def primaries(self) -> list[Host | None]:
        """Return the servers that share the keys; None stands for the only one."""
        if not self._address.is_cluster:
            return [None]
        if not self._slots:
            self.ask(Slots())
        return list(dict.fromkeys(self._slots.values()))

    def close(self) -> None:
        """Close the connections that are not in use."""
        for idle in list(self._idle.values()):
            while idle:
                with suppress(IndexError):
                    idle.pop().close()

    def __del__(self) -> None:
        self.close()

    def _carry_out(self, operation: Operation, at: Host | None) -> Any:
        until = time.monotonic() + self._timeout
        if not self._seats.acquire(blocking=False) and not self._seats.acquire(timeout=self._timeout):
            raise StoreUnavailable(f"{STORE}: all connections to the server were in use")
        try:
            return self._insist(operation, at, until)
        finally:
            self._seats.release()

    def _insist(self, operation: Operation, at: Host | None, until: float) -> Any:
        """Carry out ``operation`` where the servers say, and once more where a connection broke."""
        faults = turns = 0
        answer: Any = operation
        while isinstance(answer, Operation):
            operation = answer
            host = None
            try:
                host = self._place_of(operation, at)
                replies = self._exchange(operation, host, until, fresh=faults > 0)
                answer = operation.answer(replies)
            except Refusal as refusal:
                turns += 1
                code = code_of(refusal)
                if code in ("MOVED", "ASK") and host is not None and turns < MOST_TRIES:
                    slot, at = moved_to(refusal, host)
                    if code == "ASK":
                        answer = Asked(operation)
                    else:
                        self._slots[slot], at = at, None
                elif code in DEMOTED and turns == 1 and self._may_turn():
                    self._forget(host)  # The name may lead to another server now, or Sentinel may know one.
                else:
                    error = refused(operation, refusal)
                    raise error from error.__cause__
            except _UnsentError as unsent:
                faults += 1
                if faults > 1 or time.monotonic() >= until or not self._address.is_cluster:
                    raise outage(operation, unsent.reason) from unsent.reason
                self._learn(until)
            except OSError as error:
                faults += 1
                if isinstance(error, TimeoutError):
                    raise outage(operation, DeadlineError(f"{self._timeout:g} seconds")) from error
                if faults > 1 or time.monotonic() >= until or not operation.repeatable:
                    raise outage(operation, error) from error
                if self._address.is_cluster:
                    self._learn(until)
        return answer

    def _may_turn(self) -> bool:
        """Tell whether it is time to look whether another server takes writes."""
        now = time.monotonic()
        if now - self._turned < SELDOM:
            return False
        self._turned = now
        return True

    def _exchange(self, operation: Operation, host: Host | None, until: float, *, fresh: bool) -> list[Any]:
        connection = None if fresh else self._take(host)
        if connection is not None and not operation.repeatable:
            connection = self._looked_at(connection, until)
        if connection is None:
            connection = self._open(host, until)
        try:
            replies = connection.exchange(operation.wire(), operation.size, until)
        except BaseException:
            connection.close()
            raise
        self._give(host, connection)
        return replies

    def _looked_at(self, connection: Connection, until: float) -> Connection | None:
        """Return ``connection`` if the server has not closed it."""
        try:
            connection.settle(until)
            if connection.is_sound():
                return connection
        except OSError:
            pass
        connection.close()
        return None

    def _open(self, host: Host | None, until: float) -> Connection:
        left = max(until - time.monotonic(), 0.001)
        if host is not None:
            left = min(left, max(self._address.share_of(self._timeout), 0.001))
        try:
            plain = self._address.connect(host, left)
        except OSError as error:
            raise _UnsentError(error) from error
        connection = Connection(plain)
        try:
            hello: Any = Hello(self._address.login)
            while isinstance(hello, Operation):
                hello = hello.answer(connection.exchange(hello.wire(), hello.size, until))
            plain.settimeout(self._timeout)
        except Refusal as refusal:
            connection.close()
            refusal_of_login = refused(Hello(self._address.login), refusal)
            raise refusal_of_login from refusal_of_login.__cause__
        except OSError as error:
            connection.close()
            raise _UnsentError(error) from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _take(self, host: Host | None) -> Connection | None:
        """Return the connection that was used last, or None."""
        idle = self._idle.get(host)
        while idle:
            try:
                connection = idle.pop()
            except IndexError:  # Another thread was faster.
                return None
            if idle_clock() - connection.used < MOST_IDLE_SECONDS:
                return connection
            connection.close()
        return None

    def _give(self, host: Host | None, connection: Connection) -> None:
        idle = self._idle.get(host)
        if idle is None:
            idle = self._idle.setdefault(host, deque())
        idle.append(connection)

    def _forget(self, host: Host | None) -> None:
        """Let go of what is connected to ``host``."""
        idle = self._idle.pop(host, deque())
        while idle:
            idle.pop().close()
        self._slots = {}

    # The servers of a cluster.

    def _place_of(self, operation: Operation, at: Host | None) -> Host | None:
        if at is not None or not self._address.is_cluster:
            return at
        slot = slot_of(operation.key)
        if slot not in self._slots:
            self._learn(time.monotonic() + self._timeout)
        if slot not in self._slots:
            raise _UnsentError(ConnectionError("no server has its slot"))
        return self._slots[slot]

    def _learn(self, until: float) -> None:
        """Ask who has which slots. Raises _UnsentError if nobody says."""
        failed: Exception = ConnectionError("no server of the cluster answers")
        for host in dict.fromkeys((*self._slots.values(), *self._address.hosts)):
            try:
                share = min(until, time.monotonic() + self._address.share_of(self._timeout))
                operation = Slots()
                found = operation.answer(self._exchange(operation, host, share, fresh=True))
            except _UnsentError as error:
                failed = error.reason
            except (OSError, Refusal) as error:
                failed = error
            else:
                self._slots = {slot: (name or host[0], port) for each, (name, port) in found for slot in each}
                return
        raise _UnsentError(failed)


class _UnsentError(Exception):
    """Says that an operation was not sent, so that no harm is done if it is sent elsewhere."""

    def __init__(self, reason: Exception) -> None:
        self.reason = reason
