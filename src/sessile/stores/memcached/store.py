# The layout is connect-memcached's: the sid (behind a prefix, if there is one) is the key, the payload the value, and
# the flags are 2, by which node-memcached knows JSON. There is no room in it for an end: only the server keeps that.
#
#   Time     So here, unlike in other stores, the server decides when a record is over. The meta command `mg` (memcached
#            1.6, of 2020) tells the remaining life together with the value, and `expires_at` is that, counted from our
#            clock: clocks that differ between machines do no harm. What is over is gone on the server in the same
#            second, so "expired" and "absent" are one, and `create` is one `add`. An end of our own would have to
#            stand in the flags, the payload or a second key: then Node reads no JSON, or does not move it.
#            Life is in whole seconds, and the server may count the first one short.
#   Writing  `add` and `cas`, not the meta command `ms`: that one removes the old record when the new is too large.
#   Touching `mg` with a new end and without the value: the payload is never sent, so it cannot revert anything.
#   Size     The server takes 1 MiB in one record, if it was not started with -I. More is refused with both numbers.
#
# A server may be asked to keep less than it was given: memcached forgets what was not used for longest when its memory
# is full. Those visitors are logged out. It cannot list what it keeps either, so this store is not Iterable.
"""Keep sessions in memcached, as connect-memcached of Node keeps them: fast, shared, and gone with a restart."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from sessile.dual import Steps
from sessile.errors import InvalidOption, SessionError
from sessile.stores._shared import url as urls
from sessile.stores._shared.envelope import digest
from sessile.stores._shared.refusal import Refusal
from sessile.stores._shared.server import DEADLINE, ServerStore
from sessile.stores.base import Conflict, Missing, Record, Replaced
from sessile.stores.memcached.client import AsyncClient, Client, Reply

__all__ = ["MemcachedStore"]

#: Ids that are keys as they are: what the protocol can carry, and what is not the form of the others.
_KEY = re.compile(rb"[^\x00-\x20\x7f]{1,250}")
_MAPPED = re.compile(rb"~[0-9a-f]{64}")

#: More than this is no duration to memcached, but a date; and dates end in 2038.
_LONGEST = 30 * 86_400
_LAST = 2**31 - 1

#: What Node gave no end, or what outlives 2038, has no end on the server. It is reported to last this long, in seconds.
_ENDLESS = 10 * 365 * 86_400.0

_JSON_FLAGS = 2
_REPLACED, _MISSING = Replaced(), Missing()


class MemcachedStore(ServerStore):
    """Keeps records in the memcached at ``server``: ``"host:port"``, or the path of its socket.

    ``prefix`` stands before each id, as the option of connect-memcached does. ``timeout`` is the deadline of a call, in
    seconds. memcached has neither passwords nor encryption by default: who can reach it can read and write all
    sessions, so let it listen where only your servers can reach it.

    >>> store = MemcachedStore("127.0.0.1:11211", prefix="shop:")
    """

    lost: ClassVar[tuple[type[Exception], ...]] = (ConnectionError,)

    def __init__(
        self,
        server: str = "127.0.0.1:11211",
        *,
        prefix: str = "",
        timeout: float = DEADLINE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(timeout=timeout, clock=clock)
        self._address = _address(server)
        if len(prefix) > 100 or (prefix and not _KEY.fullmatch(prefix.encode("utf-8", "surrogatepass"))):
            raise InvalidOption("prefix", f"{prefix!r} cannot begin a key", "Use up to 100 letters, without blanks.")
        self._prefix = prefix.encode("utf-8", "surrogatepass")

    def index(self) -> MemcachedStore:
        """Return the store of the index: keys that begin with ``index:`` and the prefix."""
        return self._for_index(_prefix=b"index:" + self._prefix)

    def evicts(self) -> bool:
        """Return True: when its memory is full, memcached removes what was not used for longest."""
        return True

    def _connect(self) -> Any:
        return (AsyncClient if self._asyncio else Client)(self._address)

    def _disconnect(self, client: Any) -> Steps[None]:
        yield client.close()

    def _load(self, client: Any, sid: str) -> Steps[Record | None]:
        reply = yield client.ask(b"mg %b t v\r\n" % self._key(sid), self._until())
        if _answer(reply, "VA", "EN") == "EN":
            return None
        left = int(reply.field("t"))
        return Record(reply.value, self._clock() + (left if left >= 0 else _ENDLESS))

    def _create(self, client: Any, sid: str, payload: bytes, ttl: float) -> Steps[bool]:
        end = self._end(ttl)
        head = b"add %b %d %d %d\r\n" % (self._key(sid), _JSON_FLAGS, end, len(payload))
        reply = yield from self._write(client, head, payload, self._until())
        return _answer(reply, "STORED", "NOT_STORED") == "STORED"

    def _replace(
        self, client: Any, sid: str, payload: bytes, ttl: float, expected: bytes
    ) -> Steps[Replaced | Conflict | Missing]:
        key, until = self._key(sid), self._until()
        while True:
            reply = yield client.ask(b"mg %b c v\r\n" % key, until)
            if _answer(reply, "VA", "EN") == "EN":
                return _MISSING
            if reply.value != expected:
                return Conflict(reply.value)
            version = int(reply.field("c"))
            head = b"cas %b %d %d %d %d\r\n" % (key, _JSON_FLAGS, self._end(ttl), len(payload), version)
            reply = yield from self._write(client, head, payload, until)
            answer = _answer(reply, "STORED", "EXISTS", "NOT_FOUND")
            if answer != "EXISTS":
                return _REPLACED if answer == "STORED" else _MISSING
            # Somebody was faster. They may have written the same again, as Node does to touch: so look once more.
            if time.monotonic() >= until:
                raise TimeoutError("no answer in time")

    def _touch(self, client: Any, sid: str, ttl: float) -> Steps[bool]:
        reply = yield client.ask(b"mg %b T%d\r\n" % (self._key(sid), self._end(ttl)), self._until())
        return _answer(reply, "HD", "EN") == "HD"

    def _delete(self, client: Any, sid: str) -> Steps[bool]:
        reply = yield client.ask(b"md %b\r\n" % self._key(sid), self._until())
        return _answer(reply, "HD", "NF") == "HD"

    def _write(self, client: Any, head: bytes, payload: bytes, until: float) -> Steps[Reply]:
        reply: Reply = yield client.ask(b"%b%b\r\n" % (head, payload), until)
        if reply.line == "SERVER_ERROR object too large for cache":
            settings: Reply = yield client.ask(b"stats settings\r\n", until)
            limit = settings.field("item_size_max")
            raise SessionError(
                f"the session takes {len(payload)} bytes, and this memcached keeps {limit} at most, with its key and "
                "head. Keep less in the session, or start memcached with a larger -I"
            )
        return reply

    def _until(self) -> float:
        return time.monotonic() + self._timeout

    def _key(self, sid: str) -> bytes:
        """Return the key of ``sid``: the one that Node uses where the protocol can carry it, and else a digest."""
        name = sid.encode("utf-8", "surrogatepass")
        key = self._prefix + name
        if _KEY.fullmatch(key) and name and not _MAPPED.fullmatch(name):
            return key
        return self._prefix + b"~" + digest(sid).encode()

    def _end(self, ttl: float) -> int:
        """Return when a life of ``ttl`` seconds ends, as memcached wants it: seconds, or a date, or 0 for never."""
        if ttl <= 0:
            return -1
        if ttl <= _LONGEST:
            return math.ceil(ttl)
        end = self._clock() + ttl
        return math.ceil(end) if end <= _LAST else 0


def _answer(reply: Reply, *expected: str) -> str:
    """Return the first word of ``reply``, which has to be one of ``expected``."""
    if reply.word not in expected:
        if reply.word == "ERROR":
            raise Refusal("it does not know a command, and memcached 1.6 or newer is needed")
        # What is no error of memcached's may be anything, and hold anything.
        raise Refusal(reply.line if reply.word.endswith("_ERROR") else f"it is not a memcached: it said {reply.word!r}")
    return reply.word


def _address(server: str) -> tuple[str, int] | str:
    if server.startswith("/"):
        return server
    try:
        parts = urlsplit(f"//{server}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if "," in server:
        raise InvalidOption(
            "server",
            f"{server!r} names several servers",
            "Name one. Which server keeps which session is for a proxy to say.",
        )
    if not host or server != parts.netloc or "@" in server:
        raise InvalidOption("server", f"{server!r} is no server", 'Use "127.0.0.1:11211" or "/run/memcached.sock".')
    return host, port or 11211


def from_url(url: str, clock: Callable[[], float]) -> MemcachedStore:
    """Return the store of ``memcached://host:11211?prefix=app:&timeout=2`` or ``memcached:///run/memcached.sock``."""
    parts = urlsplit(url)
    if bool(parts.netloc) == bool(parts.path.strip("/")):
        raise InvalidOption("store", f"{url!r} names no server", 'Use "memcached://127.0.0.1:11211".')
    found = urls.options(url, prefix=str, timeout=urls.number)
    return MemcachedStore(parts.netloc or unquote(parts.path), **found, clock=clock)
