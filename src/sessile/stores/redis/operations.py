# An operation is what is sent in one write, and what its replies mean. It knows no connection, so that ours, in both
# flavours, and the clients that users bring carry out the same ones.
#
#   1. Plain commands where they are as atomic as a script: they cost the server a third. `load` asks for the end first
#      and for the value second: whatever happens between, a record that was over at the first look is not returned,
#      and no later end makes an old value live longer than it has.
#   2. `replace` and `touch` decide by what is stored, so they are scripts. Scripts go by their hash; a server that does
#      not know one, after a restart or a failover, gets its text once.
#   3. An end is a number of milliseconds since 1970, by our clock: that decides what is live. The server's clock only
#      decides when memory is freed.
#   4. A key that holds something other than a string is not ours: it counts as absent and stays as it is.
"""What the Redis store sends to a server, and what the replies mean."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from sessile.stores.base import Conflict, Missing, Record, Replaced
from sessile.stores.redis.resp import Argument, Refusal, pack
from sessile.stores.redis.scripts import HASHES, OLD_END, SCRIPTS

__all__ = [
    "LAST_MOMENT",
    "Asked",
    "Command",
    "Count",
    "Create",
    "Delete",
    "Dialect",
    "Evicts",
    "Load",
    "Operation",
    "Page",
    "Renew",
    "Replace",
    "Scan",
    "Touch",
]

#: JavaScript, and Lua, are exact up to here. In milliseconds it is the year 287396.
LAST_MOMENT: Final = 2**53

#: A payload of this size, in bytes, is compared by a hash: it is longer than that, and hashing it does not hold up the
#: server. Outside of it the payload itself is sent.
HASHED: Final = range(128, 4097)

_REPLACED, _MISSING = Replaced(), Missing()

Command = tuple[Argument, ...]


class Dialect:
    """What a server cannot do, as far as it has told. All calls of a store share one."""

    __slots__ = ("has_ends",)

    def __init__(self) -> None:
        #: Whether it has PEXPIRETIME.
        self.has_ends = True

    def end_of(self, key: bytes) -> Command:
        """Return the command that asks for the end of ``key``."""
        return (b"PEXPIRETIME", key) if self.has_ends else (b"EVAL", OLD_END, 1, key)

    def learns_from(self, reply: Any) -> bool:
        """Note that the server did not know PEXPIRETIME, if ``reply`` says so. Return whether it did."""
        if not isinstance(reply, Refusal):
            return False
        said, _, _ = str(reply).lower().partition(",")
        if "unknown command" not in said or "pexpiretime" not in said:
            return False
        self.has_ends = False
        return True


class Operation:
    """What is sent in one write, for one key or none."""

    __slots__ = ("key",)

    #: What it is called in an error.
    verb: ClassVar[str] = ""
    #: Whether it does no harm if it was carried out before.
    repeatable: ClassVar[bool] = True
    #: Whether its answer may be so large that it should not stand before those of others.
    bulky: ClassVar[bool] = False

    #: Whether it is mostly asked alone, and waits for no company.
    hasty: ClassVar[bool] = False

    #: How many replies there will be.
    size: int = 1

    key: bytes

    def commands(self) -> Sequence[Command]:
        """Return the commands."""
        raise NotImplementedError

    def wire(self) -> bytes:
        """Return the commands as they are sent."""
        return b"".join(map(pack, self.commands()))

    def answer(self, replies: Sequence[Any]) -> object:
        """Return what ``replies`` mean, or another operation that has to be carried out first. Raises Refusal."""
        raise NotImplementedError


class _Timed(Operation):
    """Asks for the end of a key, and one thing more."""

    __slots__ = ("_dialect", "_now")
    size = 2
    _rest: ClassVar[bytes]

    def __init__(self, key: bytes, now: int, dialect: Dialect) -> None:
        self.key = key
        self._now = now
        self._dialect = dialect

    def commands(self) -> Sequence[Command]:
        return self._dialect.end_of(self.key), (self._rest, self.key)

    def _both(self, replies: Sequence[Any]) -> tuple[int, bytes | None] | None:
        """Return the end and the value; None if it has to be asked in another way."""
        end, value = replies
        if type(end) is int and (value is None or type(value) is bytes):
            return end, value
        if self._dialect.learns_from(end):
            return None
        if isinstance(value, Refusal):
            if value.code != "WRONGTYPE":
                raise value
            value = None
        if isinstance(end, Refusal):
            raise end
        return end, value


class Load(_Timed):
    """Returns the record, or None."""

    __slots__ = ()
    verb = "load"
    hasty = True
    _rest = b"GET"

    def wire(self) -> bytes:
        if not self._dialect.has_ends:
            return Operation.wire(self)
        key = self.key
        size = len(key)
        return b"*2\r\n$11\r\nPEXPIRETIME\r\n$%d\r\n%b\r\n*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (size, key, size, key)

    def answer(self, replies: Sequence[Any]) -> Record | Operation | None:
        end, payload = replies
        if type(payload) is not bytes or type(end) is not int:
            both = self._both(replies)
            if both is None:
                return self
            end, payload = both
        if payload is None or (end <= self._now and end != -1):
            return None
        return Record(payload, (LAST_MOMENT if end == -1 else end) / 1000)


class Delete(_Timed):
    """Removes the record, and returns whether there was one that had not expired."""

    __slots__ = ()
    verb = "delete"
    _rest = b"GETDEL"  # DEL would remove what is not a string as well.

    def answer(self, replies: Sequence[Any]) -> bool | Operation:
        both = self._both(replies)
        if both is None:
            # It is gone already, if it was there, and nobody can tell any more whether it was live.
            return replies[1] is not None
        end, payload = both
        return payload is not None and (end < 0 or end > self._now)


class Count(_Timed):
    """Returns whether there is a live record, as a number."""

    __slots__ = ()
    verb = "count"
    size = 1

    def commands(self) -> Sequence[Command]:
        return (self._dialect.end_of(self.key),)

    def answer(self, replies: Sequence[Any]) -> int | Operation:
        both = self._both((replies[0], None))
        if both is None:
            return self
        return int(both[0] == -1 or both[0] > self._now)


class Create(Operation):
    """Stores a new record, and returns whether it did."""

    __slots__ = ("_end", "_now", "_payload")
    verb = "create"
    repeatable = False

    def __init__(self, key: bytes, now: int, payload: bytes, end: int) -> None:
        self.key = key
        self._now = now
        self._payload = payload
        self._end = end

    def commands(self) -> Sequence[Command]:
        return ((b"SET", self.key, self._payload, b"PXAT", self._end, b"NX"),)

    def answer(self, replies: Sequence[Any]) -> bool | Operation:
        (reply,) = replies
        if isinstance(reply, Refusal):
            raise reply
        if reply:
            return True
        # What is there may have expired by our clock, and not yet by the server's.
        return _Script(self.key, "create", self.verb, False, (self._now, self._payload, self._end))


class _Script(Operation):
    """Runs a script, and returns what it returned."""

    __slots__ = ("_arguments", "_name", "_whole", "repeatable", "verb")

    def __init__(self, key: bytes, name: str, verb: str, repeatable: bool, arguments: Command) -> None:
        self.key = key
        self._name = name
        self._arguments = arguments
        self._whole = False
        self.verb = verb  # type: ignore[misc]  # As those of the other operations, but of each.
        self.repeatable = repeatable  # type: ignore[misc]

    def commands(self) -> Sequence[Command]:
        how: Command = (b"EVAL", SCRIPTS[self._name]) if self._whole else (b"EVALSHA", HASHES[self._name])
        return ((*how, 1, self.key, *self._arguments),)

    def answer(self, replies: Sequence[Any]) -> object:
        (reply,) = replies
        if isinstance(reply, Refusal):
            if reply.code == "NOSCRIPT" and not self._whole:
                self._whole = True
                return self
            raise reply
        return self._meaning(reply)

    def _meaning(self, reply: Any) -> Any:
        return bool(reply)


class Replace(_Script):
    """Puts a payload in the place of another one, if that is what is stored."""

    __slots__ = ("expected",)

    def __init__(self, key: bytes, now: int, payload: bytes, end: int, expected: bytes) -> None:
        #: What has to be stored.
        self.expected = expected
        nonce = b""
        if len(expected) in HASHED:
            nonce = os.urandom(16)
            expected = hashlib.sha1(nonce + expected, usedforsecurity=False).hexdigest().encode()
        super().__init__(key, "replace", "replace", False, (now, payload, end, expected, nonce))

    def _meaning(self, reply: Any) -> Replaced | Conflict | Missing:
        if isinstance(reply, bytes):
            return Conflict(reply)
        return _REPLACED if reply else _MISSING


class Touch(_Script):
    """Moves the end of a record that is live, and returns whether there was one."""

    __slots__ = ()

    def __init__(self, key: bytes, now: int, end: int) -> None:
        super().__init__(key, "touch", "touch", True, (now, end))


class Renew(Operation):
    """Moves the end of a key that was live a moment ago."""

    __slots__ = ("_end",)
    verb = "renew"

    def __init__(self, key: bytes, end: int) -> None:
        self.key = key
        self._end = end

    def commands(self) -> Sequence[Command]:
        return ((b"PEXPIREAT", self.key, self._end),)

    def wire(self) -> bytes:
        key, end = self.key, b"%d" % self._end
        return b"*3\r\n$9\r\nPEXPIREAT\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(key), key, len(end), end)

    def answer(self, replies: Sequence[Any]) -> bool:
        if isinstance(replies[0], Refusal):
            raise replies[0]
        return bool(replies[0])


class Scan(Operation):
    """Returns the next cursor and a page of keys that hold strings."""

    __slots__ = ("_count", "_cursor", "_pattern")
    verb = "list"
    bulky = True

    def __init__(self, cursor: int, pattern: bytes, count: int) -> None:
        self.key = b""
        self._cursor = cursor
        self._pattern = pattern
        self._count = count

    def commands(self) -> Sequence[Command]:
        return ((b"SCAN", self._cursor, b"MATCH", self._pattern, b"COUNT", self._count, b"TYPE", b"string"),)

    def answer(self, replies: Sequence[Any]) -> tuple[int, list[bytes]]:
        (reply,) = replies
        if isinstance(reply, Refusal):
            raise reply
        cursor, keys = reply
        if isinstance(cursor, dict):  # redis-py, of a node of a cluster.
            cursor = next(iter(cursor.values()))
        return int(cursor), list(keys)


class Page(Operation):
    """Carries out one operation for each of many keys, and returns their answers."""

    __slots__ = ("_parts", "size")
    verb = "list"
    bulky = True

    def __init__(self, parts: Sequence[Operation]) -> None:
        self.key = parts[0].key
        self._parts = parts
        self.size = sum(part.size for part in parts)

    def commands(self) -> Sequence[Command]:
        return [command for part in self._parts for command in part.commands()]

    def answer(self, replies: Sequence[Any]) -> list[Any]:
        """Return the answer of each; in its place the operation itself if it has to be carried out alone."""
        answers: list[Any] = []
        start = 0
        for part in self._parts:
            own = replies[start : start + part.size]
            start += len(own)
            try:
                answers.append(part.answer(own))
            except Refusal as refusal:
                if refusal.code not in ("MOVED", "ASK", "TRYAGAIN"):
                    raise
                answers.append(part)
        return answers


class Asked(Operation):
    """Carries out another operation at the server to which a slot is on its way."""

    __slots__ = ("_operation", "repeatable", "size", "verb")

    def __init__(self, operation: Operation) -> None:
        self.key = operation.key
        self._operation = operation
        self.verb = operation.verb  # type: ignore[misc]
        self.repeatable = operation.repeatable  # type: ignore[misc]
        self.size = 2 * operation.size

    def commands(self) -> Sequence[Command]:
        return [each for command in self._operation.commands() for each in ((b"ASKING",), command)]

    def answer(self, replies: Sequence[Any]) -> object:
        return self._operation.answer(replies[1::2])


class Evicts(Operation):
    """Returns whether the server may remove records before their end; None if it does not say."""

    __slots__ = ()
    verb = "evicts"

    def __init__(self) -> None:
        self.key = b""

    def commands(self) -> Sequence[Command]:
        return ((b"INFO", b"memory"),)

    def answer(self, replies: Sequence[Any]) -> bool | None:
        (reply,) = replies
        if isinstance(reply, Refusal):
            if reply.code in ("NOPERM", "ERR"):
                return None
            raise reply
        if not isinstance(reply, dict):
            lines = bytes(reply).decode("utf-8", "replace").splitlines()
            reply = dict(line.split(":", 1) for line in lines if ":" in line)
        policy, most = reply.get("maxmemory_policy"), reply.get("maxmemory")
        if policy is None:
            return None
        return policy != "noeviction" and str(most) != "0"
