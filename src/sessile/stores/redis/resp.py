# Redis's protocol, RESP2 and RESP3 (https://redis.io/docs/latest/develop/reference/protocol-spec). hiredis, in C, reads
# and writes it where it is installed (the extra brings it). Where it is not, the few lines here do the same in Python.
"""Read and write the protocol that Redis and Valkey speak."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

try:
    import hiredis
except ImportError:  # There are no wheels for every platform.
    hiredis = None  # type: ignore[assignment]

__all__ = ["INCOMPLETE", "Argument", "MalformedReply", "Pushed", "Reader", "Refusal", "make_reader", "pack"]

Argument = bytes | str | int

#: What a reader returns when the next reply has not arrived whole.
INCOMPLETE: Final = object()


class Refusal(Exception):
    """An error that the server has sent in place of an answer. Its text may name what was sent."""

    @property
    def code(self) -> str:
        """The first word, such as ``OOM`` or ``NOPERM``."""
        return str(self).partition(" ")[0]


class MalformedReply(ConnectionError):
    """The server sent what is not Redis's protocol. The connection is of no more use."""


class PushedList(list[Any]):
    """A message that nobody has asked for."""


#: What a reader returns for a message that is not a reply.
Pushed: type[list[Any]] = PushedList if hiredis is None else hiredis.PushNotification


class Reader(Protocol):
    """Makes replies of bytes as they arrive."""

    def feed(self, received: bytes, /) -> None:
        """Take in what has arrived."""

    def gets(self) -> object:
        """Return the next reply, or INCOMPLETE. An error that the server sent is returned as a Refusal."""


def make_reader() -> Reader:
    """Return a reader for a new connection: hiredis's, if it is installed."""
    if hiredis is None:
        return PythonReader()
    return hiredis.Reader(protocolError=MalformedReply, replyError=Refusal, notEnoughData=INCOMPLETE)


def pack_in_python(command: Iterable[Argument]) -> bytes:
    """Return a command as it is sent."""
    parts = []
    for word in command:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"*%d\r\n%b" % (len(parts), b"".join(parts))


#: Makes a command ready to be sent.
pack: Callable[[Any], bytes] = pack_in_python if hiredis is None else hiredis.pack_command


class PythonReader:
    """Does what hiredis's reader does, without it."""

    __slots__ = ("_buffer", "_position")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._position = 0

    def feed(self, received: bytes, /) -> None:
        """Take in what has arrived."""
        self._buffer += received

    def gets(self) -> object:
        """Return the next reply, or INCOMPLETE."""
        self._position = 0
        try:
            reply = self._parse()
        except _IncompleteError:
            return INCOMPLETE
        del self._buffer[: self._position]
        return reply

    def _line(self) -> bytes:
        end = self._buffer.find(b"\r\n", self._position)
        if end < 0:
            raise _IncompleteError
        line = bytes(self._buffer[self._position : end])
        self._position = end + 2
        return line

    def _bytes(self, size: int) -> bytes:
        end = self._position + size
        if len(self._buffer) < end + 2:
            raise _IncompleteError
        data = bytes(self._buffer[self._position : end])
        self._position = end + 2
        return data

    def _parse(self) -> Any:
        line = self._line()
        kind, rest = line[:1], line[1:]
        try:
            if kind in _SIMPLE:
                return _SIMPLE[kind](rest)
            size = int(rest)
        except (ValueError, KeyError, UnicodeDecodeError):
            raise MalformedReply("the server does not speak Redis's protocol") from None
        if kind == b"$":
            return None if size < 0 else self._bytes(size)
        if kind == b"!":
            return Refusal(self._bytes(size).decode("utf-8", "replace"))
        if kind == b"=":  # A text with its format, such as "txt:", before it.
            return self._bytes(size)[4:]
        if kind in b"*~":
            return None if size < 0 else [self._parse() for _ in range(size)]
        if kind == b">":
            return Pushed([self._parse() for _ in range(size)])
        if kind == b"%":
            return {_hashable(self._parse()): self._parse() for _ in range(size)}
        raise MalformedReply("the server does not speak Redis's protocol")


class _IncompleteError(Exception):
    pass


def _hashable(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key


_SIMPLE: dict[bytes, Any] = {
    b"+": bytes,
    b"-": lambda rest: Refusal(rest.decode("utf-8", "replace")),
    b":": int,
    b"(": int,
    b",": float,
    b"_": lambda rest: None,
    b"#": {b"t": True, b"f": False}.__getitem__,
}
