# The layout is connect-redis's: the key is a prefix and the sid, the value is the payload, and the end is the TTL of
# the key, which Redis removes then. Node writes a relative end; we write an absolute one, by our own clock, and go by
# it: so that the server's clock decides nothing but when memory is freed.
# Each verb is one script (redis_scripts.py).
"""Keep sessions in Redis or Valkey: one server, Sentinel or Cluster, in the layout of Node's connect-redis."""

from __future__ import annotations

import copy
import inspect
import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import redis
import redis.asyncio
from redis.client import NEVER_DECODE

from holdfast.dual import Found, Steps
from holdfast.errors import InvalidOption, SessionError
from holdfast.stores import options
from holdfast.stores import url as urls
from holdfast.stores.base import Conflict, Missing, Record, Replaced
from holdfast.stores.redis_client import Address, disconnect, parse
from holdfast.stores.redis_scripts import SCRIPTS, run
from holdfast.stores.server import DEADLINE, ServerStore

__all__ = ["RedisStore"]

#: JavaScript, and Lua, are exact up to here. In milliseconds it is the year 287396.
LAST_MOMENT = 2**53

#: How many keys are looked at in one step while all are listed: a fraction of a millisecond of the server's time.
PAGE_SIZE = 200

_REPLACED, _MISSING = Replaced(), Missing()


class RedisStore(ServerStore):
    """Keeps records in the Redis or Valkey server that ``server``, a URL, names. Needs 6.2 or newer.

    Or give a client of redis-py that you have: ``client`` for synchronous code, ``async_client`` for asyncio, or both.
    It is never closed here, and its own time-outs are in force as well. With ``client`` alone, the store refuses to
    work under asyncio, which it would stall.

    ``prefix`` is what connect-redis calls so. ``max_connections`` is how many connections one process, or one event
    loop, opens to a server; who finds none free waits for one. ``timeout`` is the deadline of a call, in seconds.

    What a server that fails has acknowledged, but not yet passed on to its replica, is lost when that takes over, as
    with everything in Redis.
    """

    # The last two are what comes out of redis-py and asyncio when a task writes to a connection that was closed under
    # it: by redis-py in a cluster, which closes all that are free when one breaks, or by the server (redis-py #4287).
    lost = (ConnectionError, redis.ConnectionError, redis.ReadOnlyError, AttributeError, TypeError)

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
        for option, given, colour in (("client", client, False), ("async_client", async_client, True)):
            if given is not None and inspect.iscoroutinefunction(getattr(given, "execute_command", None)) != colour:
                raise InvalidOption(
                    option,
                    "is a client of the other colour",
                    "client=redis.Redis(), async_client=redis.asyncio.Redis().",
                )
        if not isinstance(prefix, str) or not prefix:
            raise InvalidOption("prefix", f"{prefix!r} would take in all keys", 'The default is "sess:".')
        self._address = parse(server)[0] if isinstance(server, str) else server
        self._given = {False: client, True: async_client}
        self._max_connections = options.whole_number("max_connections", max_connections, 50)
        self._begin_keys_with(prefix.encode("utf-8", "surrogatepass"))

    def _begin_keys_with(self, prefix: bytes) -> None:
        self._prefix = prefix
        self._pattern = re.sub(rb"([\\*?\[\]])", rb"\\\1", prefix) + b"*"

    def index(self) -> RedisStore:
        """Return the store of the index: keys that begin with ``index:`` and the prefix."""
        other = copy.copy(self)
        other._begin_keys_with(b"index:" + self._prefix)
        return other

    def all(self) -> Any:
        """Yield each sid with its record, a page of keys at a time."""
        return self._iterate(self._all())

    def count(self) -> Any:
        return self._drive(self._sum("count"))

    def clear(self) -> Any:
        """Remove all records: what has the prefix and is a string. The server frees the memory in the background."""
        return self._drive(self._clear())

    def _clear(self) -> Steps[None]:
        yield from self._sum("delete")

    def _connect(self) -> Any:
        if self._address is not None:
            return self._address.client(
                asynchronous=self._asyncio, timeout=self._timeout, max_connections=self._max_connections
            )
        if self._given[self._asyncio] is None:
            where, option = ("under asyncio", "async_client") if self._asyncio else ("from synchronous code", "client")
            raise SessionError(f"this RedisStore was called {where}, and has no client for that: give it {option}= too")
        return self._given[self._asyncio]

    def _disconnect(self, client: Any) -> Steps[None]:
        if self._address is not None:
            yield from disconnect(client, asynchronous=self._asyncio)

    # The verbs.

    def _load(self, client: Any, sid: str) -> Steps[Record | None]:
        return _record((yield from self._run(client, "load", sid)))

    def _create(self, client: Any, sid: str, payload: bytes, ttl: float) -> Steps[bool]:
        return bool((yield from self._run(client, "create", sid, payload, self._end(ttl))))

    def _replace(
        self, client: Any, sid: str, payload: bytes, ttl: float, expected: bytes
    ) -> Steps[Replaced | Conflict | Missing]:
        answer = yield from self._run(client, "replace", sid, payload, self._end(ttl), expected)
        if isinstance(answer, bytes):
            return Conflict(answer)
        return _REPLACED if answer else _MISSING

    def _touch(self, client: Any, sid: str, ttl: float) -> Steps[bool]:
        return bool((yield from self._run(client, "touch", sid, self._end(ttl))))

    def _delete(self, client: Any, sid: str) -> Steps[bool]:
        return bool((yield from self._run(client, "delete", sid)))

    def _run(self, client: Any, script: str, sid: str, *arguments: Any) -> Steps[Any]:
        yield from self._know_servers(client)
        return (yield from run(client, script, self._key(sid), self._now(), *arguments))

    def _know_servers(self, client: Any) -> Steps[None]:
        """Wait until a cluster's client knows its servers: it sends to any of them what it is given before."""
        if self._asyncio and isinstance(client, redis.asyncio.RedisCluster):
            yield client.initialize()

    def _key(self, sid: str) -> bytes:
        # A sid is any text, and a lone surrogate has no UTF-8.
        return self._prefix + sid.encode("utf-8", "surrogatepass")

    def _now(self) -> int:
        # An end is a whole number of milliseconds. (A float of this size is off by less than a hundredth.)
        return math.floor(round(self._clock() * 1000, 2))

    def _end(self, ttl: float) -> int:
        end = min((self._clock() + ttl) * 1000, LAST_MOMENT)
        # A life is never rounded down to nothing, and the server takes no end before its epoch.
        return max(math.ceil(round(end, 2)) if ttl > 0 else math.floor(end), 1)

    # All keys: of each primary, a page at a time. Each step has a deadline of its own.

    def _all(self) -> Steps[None]:
        yield from self._each("load", lambda answers: Found(self._records(answers)))

    def _sum(self, script: str) -> Steps[int]:
        """Run ``script`` for each key, and return the sum of its answers."""
        sums: list[int] = []
        yield from self._each(script, lambda answers: sums.append(sum(answer for _, answer in answers)))
        return sum(sums)

    def _each(self, script: str, use: Callable[[list[tuple[bytes, Any]]], Any]) -> Steps[None]:
        """Run ``script`` for each key, and ``use`` for the keys of a page, with their answers, as a step."""
        seen: set[bytes] = set()
        for node in (yield self._ask(self._nodes, twice=True)):
            cursor = None
            while cursor != 0:
                cursor, answers = yield self._ask(self._page, node, cursor or 0, script, seen, twice=True)
                yield use(answers)

    def _nodes(self, client: Any) -> Steps[list[Any]]:
        if not hasattr(client, "get_primaries"):
            return [None]
        yield from self._know_servers(client)
        return list(client.get_primaries())

    def _page(
        self, client: Any, node: Any, cursor: int, script: str, seen: set[bytes]
    ) -> Steps[tuple[int, list[tuple[bytes, Any]]]]:
        """Run ``script`` for the keys of ``node`` from ``cursor`` on. Return the next cursor, and each key's answer."""
        here = {NEVER_DECODE: True} if node is None else {NEVER_DECODE: True, "target_nodes": node}
        scan = ("SCAN", cursor, "MATCH", self._pattern, "COUNT", PAGE_SIZE)
        cursor, keys = yield client.execute_command(*scan, **here)
        if isinstance(cursor, dict):
            cursor = next(iter(cursor.values()))
        keys = [key for key in dict.fromkeys(keys) if key not in seen]
        if not keys:
            return cursor, []
        pipeline, now = client.pipeline(transaction=False), self._now()
        for key in keys:
            pipeline.execute_command("EVAL", SCRIPTS[script], 1, key, now, **{NEVER_DECODE: True})
        answers = yield pipeline.execute()
        # A server that moves its keys to a larger table lists some of them twice.
        seen.update(keys)
        return cursor, list(zip(keys, answers, strict=True))

    def _records(self, answers: list[tuple[bytes, Any]]) -> Iterator[tuple[str, Record]]:
        for key, answer in answers:
            record = _record(answer)
            if record is not None:
                with suppress(UnicodeDecodeError):
                    yield key[len(self._prefix) :].decode("utf-8", "surrogatepass"), record


def _record(answer: Any) -> Record | None:
    if answer is None:
        return None
    payload, end = answer
    return Record(payload, (LAST_MOMENT if end == -1 else end) / 1000)


def from_url(url: str, clock: Callable[[], float]) -> RedisStore:
    """Return the store of a URL such as ``redis://:password@localhost:6379/0?prefix=sess:&timeout=2``."""
    address, found = parse(url, prefix=str, timeout=urls.number, max_connections=urls.whole_number)
    return RedisStore(address, **found, clock=clock)
