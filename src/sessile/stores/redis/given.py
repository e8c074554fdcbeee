"""Carry out operations with a client of redis-py that the application has."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import redis
from redis.client import NEVER_DECODE

from sessile.dual import Steps
from sessile.errors import InvalidOption
from sessile.stores.redis.operations import Operation
from sessile.stores.redis.refusals import refused
from sessile.stores.redis.resp import Refusal

__all__ = ["carry_out", "check_client", "primaries"]

#: redis-py takes the code off the text of some errors, and makes classes of them.
_CODES: dict[type[Exception], str] = {
    redis.exceptions.NoScriptError: "NOSCRIPT",
    redis.exceptions.OutOfMemoryError: "OOM",
    redis.exceptions.ReadOnlyError: "READONLY",
    redis.exceptions.NoPermissionError: "NOPERM",
    redis.exceptions.BusyLoadingError: "LOADING",
    redis.exceptions.AuthenticationError: "WRONGPASS",
}


def check_client(option: str, client: Any, *, asynchronous: bool) -> None:
    """Raise InvalidOption if ``client`` is for asyncio where it must not be, or the other way round."""
    if inspect.iscoroutinefunction(getattr(client, "execute_command", None)) != asynchronous:
        remedy = "client=redis.Redis(), async_client=redis.asyncio.Redis()."
        raise InvalidOption(option, "is a client of the other colour", remedy)


def carry_out(client: Any, operation: Operation, node: Any = None) -> Steps[Any]:
    """Return the answer to ``operation``. Raises StoreRefused, and what redis-py raises where there is no answer."""
    yield from _know_servers(client)
    here = {NEVER_DECODE: True} if node is None else {NEVER_DECODE: True, "target_nodes": node}
    answer: Any = operation
    while isinstance(answer, Operation):
        operation = answer
        replies = yield from _replies(client, operation.commands(), here)
        try:
            answer = operation.answer(replies)
        except Refusal as refusal:
            error = refused(operation, refusal)
            raise error from error.__cause__
    return answer


def primaries(client: Any) -> Steps[list[Any]]:
    """Return the servers that share the keys; None stands for the only one."""
    if not hasattr(client, "get_primaries"):
        return [None]
    yield from _know_servers(client)
    return list(client.get_primaries())


def _know_servers(client: Any) -> Steps[None]:
    """Wait until a cluster's client knows its servers: it sends to any of them what it is given before."""
    if hasattr(client, "get_primaries") and inspect.iscoroutinefunction(getattr(client, "initialize", None)):
        yield client.initialize()


def _replies(client: Any, commands: Sequence[Any], here: dict[str, Any]) -> Steps[list[Any]]:
    if len(commands) == 1:
        try:
            return [_plain((yield client.execute_command(*_named(commands[0]), **here)))]
        except redis.exceptions.ReadOnlyError:
            raise  # It may be another server's turn; the caller tries once more.
        except redis.ResponseError as error:
            return [_plain(error)]
        except redis.exceptions.ConnectionError as error:
            if type(error) in _CODES:
                return [_plain(error)]
            raise
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*_named(command), **({NEVER_DECODE: True}))
    return [_plain(reply) for reply in (yield pipeline.execute(raise_on_error=False))]


def _named(command: Sequence[Any]) -> list[Any]:
    """Return ``command`` with its name as text, by which redis-py knows how to read the reply."""
    return [command[0].decode(), *command[1:]]


def _plain(reply: Any) -> Any:
    """Return ``reply`` as the protocol has it."""
    if not isinstance(reply, Exception):
        return reply
    if type(reply) in _CODES:
        return Refusal(f"{_CODES[type(reply)]} {reply}")
    if isinstance(reply, redis.ResponseError):
        return Refusal(str(reply))
    raise reply
