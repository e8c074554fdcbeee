# A session is shown to people under one name: in the log, in the list of a user's devices, on the command line. It
# stays what it is when the id changes, for it stands in the record from the log-in on. A session without one goes by a
# part of the digest of what stands in the store for its id. Neither is of any use as a credential: nothing is found by
# it but by who may read all sessions anyway.
"""What a session is called."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from secrets import token_hex

from sessile._records.record import JSON, NAME

__all__ = ["LETTERS", "MAKER", "fresh", "name_in", "name_of_id"]

#: 48 bits: of a hundred thousand sessions hardly two share one.
LETTERS = 12

#: Makes that many bytes which nothing else is called by, in hexadecimal. The explorer puts a counter in its place,
#: because a run there has to do the same each time (testing/tracks.py).
MAKER: ContextVar[Callable[[int], str]] = ContextVar("sessile names", default=token_hex)

_NAME = re.compile(r"[0-9a-f]{12}")


def fresh(size: int) -> str:
    """Return ``size`` bytes, in hexadecimal, that nothing else is called by."""
    return MAKER.get()(size)


def name_of_id(stored: str) -> str:
    """Return what a session without a name of its own is called, of which ``stored`` is the id in the store."""
    return hashlib.sha256(stored.encode("utf-8", "surrogatepass")).hexdigest()[:LETTERS]


def name_in(system: Mapping[str, JSON], stored: str) -> str:
    """Return what the session with these system fields is called, which stands in the store under ``stored``."""
    name = system.get(NAME)
    return name if isinstance(name, str) and _NAME.fullmatch(name) else name_of_id(stored)
