# connect-loki is a store of express-session's that keeps all sessions of one process in one file of LokiJS: a JSON
# object with collections, of which "Sessions" has a document for each session. LokiJS writes the whole file anew every
# few seconds, so nobody else can write to it; but the sessions can be taken over once Node has stopped.
#
#   {"collections": [{"name": "Sessions", "data": [{"sid": ..., "content": {"cookie": {...}, ...}, "updatedAt": ...}]}]}
#
# The ids are those in the cookies, signed as express-session signs them, and the records are express-session's: so both
# stay what they are, and nobody is logged out.
"""The sessions of connect-loki, as a store to move from."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sessile._records.attributes import parse_iso
from sessile._records.record import stringify
from sessile.errors import InvalidOption, UnserialisableValue
from sessile.migration.errors import MigrationError
from sessile.stores._shared import url as urls
from sessile.stores.base import Record

__all__ = ["LokiSessions", "from_url"]

#: How long, in seconds, connect-loki keeps a session whose cookie has no end.
_TTL = 1_209_600.0


class LokiSessions:
    """A store to move from: the sessions in the file ``path``, which is read once. It has no other verbs.

    ``ttl`` is the option of connect-loki, in seconds: how long a session lives whose cookie has no end. Raises
    InvalidOption for a file that is not LokiJS's.
    """

    def __init__(self, path: Path, ttl: float = _TTL) -> None:
        self._records = dict(_records(path, ttl))

    async def all(self) -> AsyncIterator[tuple[str, Record]]:
        """Yield each session with its record."""
        for item in self._records.items():
            yield item

    async def load(self, sid: str) -> Record | None:
        """Return the record of one session."""
        return self._records.get(sid)

    async def count(self) -> int:
        """Return how many there are."""
        return len(self._records)

    async def clear(self) -> None:
        """Refuse: old sessions are read and no more."""
        raise MigrationError("the sessions of another library are read, and not written")

    async def close(self) -> None:
        """Do nothing: the file was read once."""


def _records(path: Path, ttl: float) -> list[tuple[str, Record]]:
    try:
        whole = json.loads(path.read_bytes())
        collections = {each["name"]: each["data"] for each in whole["collections"]}
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        raise InvalidOption("--from", f"{path.name!r} is not a file of LokiJS", "Give connect-loki's path.") from None
    documents = collections.get("Sessions", ())
    found = [_record(each, ttl) for each in documents if isinstance(each, dict)]
    return [item for item in found if item is not None]


def _record(document: dict[str, Any], ttl: float) -> tuple[str, Record] | None:
    sid, content = document.get("sid"), document.get("content")
    if not isinstance(sid, str) or not isinstance(content, dict):
        return None
    cookie = content.get("cookie")
    end = parse_iso(cookie.get("expires")) if isinstance(cookie, dict) else None
    begun = parse_iso(document.get("updatedAt"))
    try:
        payload = stringify(content).encode("utf-8")
    except UnserialisableValue:
        return None
    if end is not None:
        return sid, Record(payload, end.timestamp())
    return None if begun is None else (sid, Record(payload, begun.timestamp() + ttl))


def from_url(url: str) -> LokiSessions:
    """Return the sessions of ``connect-loki:///session-store.db?ttl=1209600``. Four slashes begin a whole path."""
    found = urls.options(url, ttl=urls.number)
    path = unquote(urlsplit(url).path[1:])
    if not path or not isinstance(found.get("ttl", 0.0), float):
        raise InvalidOption("--from", f"{url!r} names no file, or its ttl is no number", "connect-loki:///sessions.db")
    return LokiSessions(Path(path), found.get("ttl", _TTL))
