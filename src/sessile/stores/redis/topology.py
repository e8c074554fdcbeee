# A cluster's client has to know which server has which of the 16384 slots. CLUSTER SLOTS says so in one round trip, on
# a connection that is there anyway; redis-py's own way asks for a description of all commands as well.
"""Who serves what, and how to introduce oneself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from redis.crc import key_slot

from sessile.stores.redis.operations import Command, Operation
from sessile.stores.redis.resp import Refusal

__all__ = ["Hello", "Host", "Login", "Slots", "moved_to", "slot_of"]

#: A name or an address, and a port.
Host: TypeAlias = tuple[str, int]

#: Whoever gave no name has this one.
_NOBODY = "default"

#: What a server says that has HELLO, and not for us.
_NO_HELLO = ("NOPROTO", "NOPERM")


class Login(Operation):
    """Says who we are to a server that does not know HELLO, such as some proxies."""

    __slots__ = ("_login", "size")
    verb = "log in"

    def __init__(self, login: dict[str, Any]) -> None:
        self.key = b""
        self._login = login
        self.size = len(self.commands())

    def commands(self) -> Sequence[Command]:
        password = self._login.get("password")
        found: list[Command] = []
        if password:
            found.append((b"AUTH", self._login.get("username") or _NOBODY, password.encode()))
        return [*found, *self._select()] or [(b"PING",)]  # Somebody waits for an answer.

    def _select(self) -> list[Command]:
        return [(b"SELECT", self._login["db"])] if self._login.get("db") else []

    def answer(self, replies: Sequence[Any]) -> Operation | None:
        for command, reply in zip(self.commands(), replies, strict=True):
            if isinstance(reply, Refusal) and command[0] != b"PING":
                raise reply
        return None


class Hello(Login):
    """Says who we are, and that we speak RESP3."""

    __slots__ = ()

    def commands(self) -> Sequence[Command]:
        password = self._login.get("password")
        name: Command = ()
        if password:
            name = (b"AUTH", self._login.get("username") or _NOBODY, password.encode())
        return [(b"HELLO", 3, *name, b"SETNAME", b"sessile"), *self._select()]

    def answer(self, replies: Sequence[Any]) -> Operation | None:
        first = replies[0]
        if isinstance(first, Refusal) and (first.code in _NO_HELLO or "unknown command" in str(first).lower()):
            return Login(self._login)
        return super().answer(replies)


class Slots(Operation):
    """Returns which server has which slots."""

    __slots__ = ()
    verb = "find the servers of the cluster"

    def __init__(self) -> None:
        self.key = b""

    def commands(self) -> Sequence[Command]:
        return ((b"CLUSTER", b"SLOTS"),)

    def answer(self, replies: Sequence[Any]) -> list[tuple[range, Host]]:
        """Return ranges of slots, each with its primary. A host that is empty is the one that was asked."""
        (reply,) = replies
        if isinstance(reply, Refusal):
            raise reply
        return [(range(first, last + 1), (_text(primary[0]), int(primary[1]))) for first, last, primary, *_ in reply]


def _text(name: Any) -> str:
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name or ""
    return "" if text == "?" else text  # So does a server that was told not to say its name.


def slot_of(key: bytes) -> int:
    """Return the slot of ``key``."""
    return key_slot(key)


def moved_to(refusal: Refusal, asked: Host) -> tuple[int, Host]:
    """Return the slot and the server that ``MOVED 3999 127.0.0.1:6381`` names, or ``ASK``, as ``asked`` has said."""
    _, slot, place = str(refusal).split(" ")[:3]
    host, _, port = place.rpartition(":")
    return int(slot), (host or asked[0], int(port))
