# The text of an error may hold what was sent: "unknown command 'X', with args beginning with: 'sess:...'". So only the
# first line is told, and of that nothing that was sent.
"""What it means when a Redis server says no."""

from __future__ import annotations

import logging
import os
import re
import socket
import ssl
import time
from typing import Any, Final

from sessile.errors import StoreRefused, StoreUnavailable
from sessile.stores.redis.operations import Operation
from sessile.stores.redis.resp import Refusal

__all__ = ["DEMOTED", "STORE", "DeadlineError", "code_of", "not_renewed", "outage", "reason_of", "refused"]

logger = logging.getLogger("sessile")

#: What it is called in the text of an error.
STORE: Final = "RedisStore"

#: What a server before Redis 7.0 puts around an error of a command within a script.
_CODES: Final = re.compile(
    r"\b(OOM|MISCONF|NOREPLICAS|NOPERM|READONLY|NOAUTH|WRONGPASS|LOADING|MASTERDOWN|CLUSTERDOWN|BUSY|UNKILLABLE)\b"
)

#: What a server says that is not the right one any more, or not yet.
DEMOTED: Final = frozenset({"READONLY", "NOREPLICAS", "MASTERDOWN", "LOADING"})

_ARGUMENTS = re.compile(r",? with args beginning with.*", re.DOTALL)


class DeadlineError(TimeoutError):
    """Says within what time there was no answer."""


def code_of(refusal: Refusal) -> str:
    """Return the code of what the server said, also where it came out of a script."""
    code = refusal.code
    if code == "ERR":
        found = _CODES.search(str(refusal))
        if found:
            return found.group()
    return code


def reason_of(refusal: Refusal, sent: Any = ()) -> str:
    """Return what the server said: its first line, or no more than its code if that repeats what was ``sent``."""
    lines = _ARGUMENTS.sub("", str(refusal)).splitlines()
    text = re.sub(r" script: [0-9a-f]{40}.*", "", lines[0] if lines else "")[:200].strip()
    for word in sent:
        value = word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word)
        # A number or the name of a command is not a secret, and stands in many texts.
        if isinstance(word, bytes) and len(value) >= 8 and not value.isupper() and value in text:
            return code_of(refusal)
    return text or "no reason given"


def refused(operation: Operation, refusal: Refusal) -> StoreRefused:
    """Return the error for an ``operation`` that the server has refused."""
    sent = [word for command in operation.commands() for word in command[1:]]
    reason = reason_of(refusal, sent)
    error = StoreRefused(STORE, operation.verb, reason)
    error.__cause__ = Refusal(reason)
    return error


def outage(operation: Operation, error: Exception | None) -> StoreUnavailable:
    """Return the error for an ``operation`` that got no answer because of ``error``."""
    if isinstance(error, StoreRefused):
        found: StoreUnavailable = StoreRefused(error.store, operation.verb, error.reason)
        found.__cause__ = error.__cause__
        return found
    if isinstance(error, StoreUnavailable):
        return error
    found = StoreUnavailable(f"{STORE} got no answer to {operation.verb}{_words(error)}")
    found.__cause__ = error
    return found


def _words(error: Exception | None) -> str:
    if isinstance(error, ssl.SSLError):
        return f": TLS: {getattr(error, 'verify_message', None) or error.reason or type(error).__name__}"
    if isinstance(error, DeadlineError):
        return f" within {error}"
    if isinstance(error, socket.gaierror):
        return ": its name is not known"
    if isinstance(error, OSError) and error.errno:
        return f": {os.strerror(error.errno)}"
    if isinstance(error, (TimeoutError, ConnectionError)) and str(error):
        return f": {str(error).splitlines()[0]}"
    return f": {type(error).__name__}"


#: How often a renewal that failed is logged, in seconds.
LOGGED: Final = 60.0

_logged = -LOGGED


def not_renewed(error: StoreUnavailable) -> None:
    """Log, once a minute at most, that the life of a session could not be renewed: the request is served."""
    global _logged
    now = time.monotonic()
    if now - _logged > LOGGED:
        _logged = now
        logger.warning("%s; sessions that are only read end earlier than they should", error)
