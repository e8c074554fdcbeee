# The layout is connect-redis's: the key is a prefix and the sid, the value is the payload, and the end is the TTL of
# the key, which Redis removes then. Node writes a relative end; we write an absolute one, by our own clock, and go by
# it: so that the server's clock decides nothing but when memory is freed.
#
# What is sent, and what the replies mean, is in operations.py. By a URL, a client of ours sends it: pipelined.py under
# asyncio, blocking.py elsewhere. A client of redis-py that the application has is used through given.py, with the care
# that all stores share.
"""Keep sessions in Redis or Valkey: one server, Sentinel or Cluster, in the layout of Node's connect-redis."""

from __future__ import annotations

import asyncio
import copy
import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import redis.exceptions

from sessile.dual import Found, Steps
from sessile.errors import InvalidOption, SessionError, StoreUnavailable
from sessile.stores._shared import options
from sessile.stores._shared import url as urls
from sessile.stores._shared.server import DEADLINE, ServerStore
from sessile.stores.base import Answer, Conflict, Missing, Record, Records, Replaced
from sessile.stores.redis import given
from sessile.stores.redis.address import Address, parse
from sessile.stores.redis.clients import Clients
from sessile.stores.redis.operations import (
    LAST_MOMENT,
    Count,
    Create,
    Delete,
    Dialect,
    Evicts,
    Load,
    Operation,
    Page,
    Renew,
    Replace,
    Scan,
    Touch,
)
from sessile.stores.redis.refusals import not_renewed

__all__ = ["RedisStore"]

#: How many keys are looked at in one step while all are listed: a fraction of a millisecond of the server's time.
PAGE_SIZE = 200


class RedisStore(ServerStore):
    """Keeps records in the Redis or Valkey server that ``server``, a URL, names. Needs 6.2 or newer.

    Or give a client of redis-py that you have: ``client`` for synchronous code, ``async_client`` for asyncio, or both.
    It is never closed here, and its own time-outs are in force as well. With ``client`` alone, the store refuses to
    work under asyncio, which it would stall.

    ``prefix`` is what connect-redis calls so. ``""`` is how koa-redis keeps its sessions, and connect-redis with
    ``prefix: ''``: then they cannot be listed, counted or cleared, because they cannot be told from other keys.

    Under asyncio all requests of one event loop share one connection, and
    what is asked at the same moment goes in one write; in synchronous code each thread at work has one, of which there
    are ``max_connections`` at most: a thread that finds none free waits. ``timeout`` is the deadline of a call, in
    seconds.

    What a server that fails has acknowledged, but not yet passed on to its replica, is lost when that takes over, as
    with everything in Redis.

    >>> store = RedisStore("redis://localhost:6379/0", prefix="shop:")
    """

    # The last two are what comes out of redis-py and asyncio when a task writes to a connection that was closed under
    # it: by redis-py in a cluster, which closes all that are free when one breaks, or by the server (redis-py #4287).
    lost = (
        ConnectionError,
        redis.exceptions.ConnectionError,
        redis.exceptions.ReadOnlyError,
        AttributeError,
        TypeError,
    )

    def __init__(
        self,
        server: str | Address | None = None,
        *,
        client: Any = None,
        async_client: Any = None,
        prefix: str = "sess:",
        max_connections: int = 50,
        timeout: float = DEADLINE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(timeout=timeout, clock=clock)
        if (server is None) == (client is None and async_client is None):
            raise InvalidOption("server", "is needed, or a client, not both", 'Write "redis://localhost:6379/0".')
        for option, brought, asynchronous in (("client", client, False), ("async_client", async_client, True)):
            if brought is not None:
                given.check_client(option, brought, asynchronous=asynchronous)
        if not isinstance(prefix, str):
            raise InvalidOption("prefix", f"{prefix!r} is not text", 'The default is "sess:".')
        most = options.whole_number("max_connections", max_connections, 50)
        address = parse(server)[0] if isinstance(server, str) else server
        self._given = {False: client, True: async_client}
        #: Our own clients; None if the application has brought one.
        self._clients_of_ours = None if address is None else Clients(address, self._timeout, most)
        self._dialect = Dialect()
        self._is_index = False
        self._renewals: set[asyncio.Task[Any]] = set()
        self._begin_keys_with(prefix.encode("utf-8", "surrogatepass"))

    def _begin_keys_with(self, prefix: bytes, *, is_index: bool = False) -> RedisStore:
        self._prefix = prefix
        self._is_index = is_index
        self._pattern = re.sub(rb"([\\*?\[\]])", rb"\\\1", prefix) + b"*"
        #: The store of the index, for each flavour, as soon as somebody has asked for it.
        self._indexes: dict[bool, RedisStore] = {}
        return self

    def index(self) -> RedisStore:
        """Return the store of the index: keys that begin with ``index:`` and the prefix."""
        index = self._indexes.get(self._asyncio)
        if index is None:
            begin: Any = RedisStore._begin_keys_with
            index = begin(copy.copy(self), b"index:" + self._prefix, is_index=True)
            index = self._indexes.setdefault(self._asyncio, index)
        return index

    # The verbs.

    def load(self, sid: str) -> Answer[Record | None]:
        return self._run(Load(self._key(sid), self._now(), self._dialect))

    def create(self, sid: str, payload: bytes, ttl: float) -> Answer[bool]:
        return self._run(Create(self._key(sid), self._now(), payload, self._end(ttl)))

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Answer[Replaced | Conflict | Missing]:
        operation = Replace(self._key(sid), self._now(), payload, self._end(ttl), expected)
        clients = self._clients_of_ours
        if clients is not None and self._asyncio:
            return clients.pipelined().turns.take(operation, self._is_index)
        return self._run(operation)

    def touch(self, sid: str, ttl: float) -> Answer[bool]:
        return self._run(Touch(self._key(sid), self._now(), self._end(ttl)))

    def delete(self, sid: str) -> Answer[bool]:
        return self._run(Delete(self._key(sid), self._now(), self._dialect))

    def renew(self, sid: str, ttl: float) -> None:
        """Let a record that was loaded a moment ago end ``ttl`` seconds from now, without waiting for the server.

        Under asyncio it travels with whatever is sent next, and elsewhere its reply is read by the next call. It never
        raises: a server that refuses it is named in the log, once a minute at most, and the record ends when it would
        have ended. A record that was removed meanwhile stays removed. Unlike ``touch`` it does not look whether the
        record has expired by our clock since it was loaded, and says nothing about whether there was one.
        """
        operation = Renew(self._key(sid), self._end(ttl))
        clients = self._clients_of_ours
        if clients is None:
            self._renew_given(operation)
        elif self._asyncio:
            clients.pipelined().post(operation)
        else:
            clients.blocking().post(operation)

    def evicts(self) -> Answer[bool | None]:
        """Return whether the server may remove records before their end when its memory is full, or None.

        That is so with any ``maxmemory-policy`` but ``noeviction``, if it has a ``maxmemory``; in a cluster, if it is
        so on any primary. None: it does not say (an ACL without INFO, a proxy). Raises StoreUnavailable.

        Where it is so, a session or an index that is missing is no proof that it was ended.
        """
        return self._drive(self._evicts())

    def all(self) -> Records:
        """Yield each sid with its record, a page of keys at a time."""
        self._needs_prefix()
        return self._iterate(self._all())

    def count(self) -> Answer[int]:
        self._needs_prefix()
        return self._drive(self._sum(lambda key: Count(key, self._now(), self._dialect)))

    def clear(self) -> Answer[None]:
        """Remove all records: what has the prefix and is a string."""
        self._needs_prefix()
        return self._drive(self._clear())

    def close(self) -> Answer[None]:
        """Let go of the connections of this event loop, or of synchronous code."""
        if self._clients_of_ours is None:
            return super().close()
        if self._asyncio:
            return self._clients_of_ours.close_async()
        self._clients_of_ours.close()
        return None

    def _needs_prefix(self) -> None:
        if not self._prefix:
            raise SessionError(
                "without a prefix nobody can tell the keys of sessions from those of the application, so they are "
                'neither listed nor counted nor removed. Use prefix="sess:", or a database of its own with a prefix'
            )

    # Who carries them out.

    def _run(self, operation: Operation, at: Any = None) -> Any:
        """Return the answer to ``operation``, or an awaitable of it. ``at``: from this server of a cluster."""
        clients = self._clients_of_ours
        if clients is None:
            return self._ask(_BODIES[operation.verb], operation, at, twice=operation.repeatable)
        if self._asyncio:
            return clients.pipelined().send(operation, self._is_index, at)
        return clients.blocking().ask(operation, self._is_index, at)

    def _renew_given(self, operation: Operation) -> None:
        """Renew by a client of the application: in a task, or, in synchronous code, by waiting for the answer."""
        if self._asyncio:
            task = asyncio.get_running_loop().create_task(self._ask(_BODIES[operation.verb], operation, twice=True))
            self._renewals.add(task)
            task.add_done_callback(self._renewed)
            return
        try:
            self._ask(_BODIES[operation.verb], operation, twice=True)
        except StoreUnavailable as error:
            not_renewed(error)

    def _renewed(self, task: asyncio.Task[Any]) -> None:
        self._renewals.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, StoreUnavailable):
            not_renewed(error)

    def _refusal(self, error: Exception) -> str | None:
        return f"READONLY {error}" if isinstance(error, redis.exceptions.ReadOnlyError) else None

    def _connect(self) -> Any:
        if self._given[self._asyncio] is None:
            where, option = ("under asyncio", "async_client") if self._asyncio else ("from synchronous code", "client")
            raise SessionError(f"this RedisStore was called {where}, and has no client for that: give it {option}= too")
        return self._given[self._asyncio]

    def _disconnect(self, client: Any) -> Steps[None]:
        yield None  # It is the application's.

    def _key(self, sid: str) -> bytes:
        # A sid is any text, and a lone surrogate has no UTF-8.
        return self._prefix + sid.encode("utf-8", "surrogatepass")

    def _now(self) -> int:
        # An end is a whole number of milliseconds. (A float of this size is off by less than a hundredth.)
        return int(self._clock() * 1000 + 0.005)

    def _end(self, ttl: float) -> int:
        end = (self._clock() + ttl) * 1000
        if end >= LAST_MOMENT:
            return LAST_MOMENT
        # A life is never rounded down to nothing, and the server takes no end before its epoch.
        return max(math.ceil(end - 0.005) if ttl > 0 else math.floor(end), 1)

    # All keys: of each primary, a page at a time. Each step has a deadline of its own.

    def _primaries(self) -> Any:
        clients = self._clients_of_ours
        if clients is None:
            return self._ask(given.primaries, twice=True)
        if self._asyncio:
            return clients.pipelined().primaries()
        return clients.blocking().primaries()

    def _evicts(self) -> Steps[bool | None]:
        found = []
        for node in (yield self._primaries()):
            found.append((yield self._run(Evicts(), node)))
        return None if None in found and True not in found else True in found

    def _all(self) -> Steps[None]:
        yield from self._each(
            lambda key: Load(key, self._now(), self._dialect), lambda answers: Found(self._records(answers))
        )

    def _clear(self) -> Steps[None]:
        yield from self._sum(lambda key: Delete(key, self._now(), self._dialect))

    def _sum(self, make: Callable[[bytes], Operation]) -> Steps[int]:
        """Carry out an operation for each key, and return the sum of its answers."""
        sums: list[int] = []
        yield from self._each(make, lambda answers: sums.append(sum(answer for _, answer in answers)))
        return sum(sums)

    def _each(self, make: Callable[[bytes], Operation], use: Callable[[list[tuple[bytes, Any]]], Any]) -> Steps[None]:
        """Carry out an operation for each key, and ``use`` for the keys of a page, with their answers, as a step."""
        seen: set[bytes] = set()
        for node in (yield self._primaries()):
            cursor = None
            while cursor != 0:
                cursor, keys = yield self._run(Scan(cursor or 0, self._pattern, PAGE_SIZE), node)
                # A server that moves its keys to a larger table lists some of them twice.
                keys = [key for key in dict.fromkeys(keys) if key not in seen]
                seen.update(keys)
                if not keys:
                    continue
                answers = yield self._run(Page([make(key) for key in keys]), self._node_of_page(node))
                for position, answer in enumerate(answers):
                    if isinstance(answer, Operation):
                        answers[position] = yield self._run(answer)
                yield use(list(zip(keys, answers, strict=True)))

    def _node_of_page(self, node: Any) -> Any:
        # redis-py sends each command of a pipeline where its key is.
        return None if self._clients_of_ours is None else node

    def _records(self, answers: list[tuple[bytes, Any]]) -> Iterator[tuple[str, Record]]:
        for key, record in answers:
            if record is not None:
                with suppress(UnicodeDecodeError):
                    yield key[len(self._prefix) :].decode("utf-8", "surrogatepass"), record


def _body(verb: str) -> Callable[..., Steps[Any]]:
    """Return what carries out an operation by a client of the application, under a name that errors can tell."""

    def body(client: Any, operation: Operation, node: Any = None) -> Steps[Any]:
        return (yield from given.carry_out(client, operation, node))

    body.__name__ = verb
    return body


_BODIES = {
    operation.verb: _body(operation.verb) for operation in (Load, Create, Delete, Count, Renew, Scan, Evicts)
} | {verb: _body(verb) for verb in ("replace", "touch")}


def from_url(url: str, clock: Callable[[], float]) -> RedisStore:
    """Return the store of a URL such as ``redis://:password@localhost:6379/0?prefix=sess:&timeout=2``."""
    address, found = parse(url, prefix=str, timeout=urls.number, max_connections=urls.whole_number)
    return RedisStore(address, **found, clock=clock)
