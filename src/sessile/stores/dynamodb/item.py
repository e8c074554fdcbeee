"""What stands in an item of connect-dynamodb, and what that is as a record."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from sessile.errors import SessionError
from sessile.stores._shared.envelope import digest
from sessile.stores.base import Record
from sessile.stores.dynamodb.table import code_of

__all__ = ["LIMIT", "LIVE", "Items", "check_size", "unmet", "value"]

#: What DynamoDB takes in one item, names and values together, in bytes.
LIMIT = 400 * 1024

#: What an item has beside its key and payload, in bytes: rounded up.
_HEAD = 100

#: What is true of an item that holds a record which is alive. `:now` is our time.
LIVE = "attribute_exists(sess) AND expires > :now"
_LONGEST_KEY = 2048
_MAPPED = "~"


class Items:
    """The items of the store with this ``prefix``, by its ``clock``."""

    def __init__(self, prefix: str, clock: Callable[[], float]) -> None:
        self._prefix = prefix
        self._clock = clock

    def new(self, sid: str, payload: bytes, ttl: float) -> dict[str, Any]:
        """Return the item for a new record."""
        key = self.key(sid)
        item = {**key, "expires": self.end(ttl), "type": {"S": "connect-session"}, "sess": value(payload)}
        if key["id"]["S"] != self._prefix + sid:
            item["sid"] = {"B": sid.encode("utf-8", "surrogatepass")}
        return item

    def found(self, item: Any) -> tuple[str, Record] | None:
        """Return the sid and the record that ``item`` holds, or None if it holds none that is alive."""
        record = self.record(item)
        if record is None:
            return None
        sid: str = item["id"]["S"][len(self._prefix) :]
        with suppress(KeyError, UnicodeDecodeError):
            return (item["sid"]["B"].decode("utf-8", "surrogatepass") if sid.startswith(_MAPPED) else sid), record
        return None

    def key(self, sid: str) -> dict[str, Any]:
        """Return the key of a record: the one that Node uses where it can be one, and else a digest."""
        with suppress(UnicodeEncodeError):
            size = len((self._prefix + sid).encode())
            if 0 < size <= _LONGEST_KEY and not sid.startswith(_MAPPED):
                return {"id": {"S": self._prefix + sid}}
        return {"id": {"S": f"{self._prefix}{_MAPPED}{digest(sid)}"}}

    def now(self) -> dict[str, str]:
        """Return our time, in epoch seconds."""
        return {"N": repr(self._clock())}

    def end(self, ttl: float) -> dict[str, str]:
        """Return the end of a life of ``ttl`` seconds that begins now, rounded up; without a life, it is over."""
        now = self._clock()
        return {"N": str(math.ceil(now + ttl) if ttl > 0 else math.floor(now))}

    def record(self, item: Any) -> Record | None:
        """Return the record that ``item`` holds, or None if it holds none that is alive."""
        try:
            end, kept = float(item["expires"]["N"]), item["sess"]
            payload = kept["S"].encode() if "S" in kept else bytes(kept["B"])
        except (KeyError, TypeError):
            return None
        return Record(payload, end) if end > self._clock() else None


def value(payload: bytes) -> dict[str, Any]:
    """Return what to keep for ``payload``."""
    try:
        return {"S": payload.decode()}
    except UnicodeDecodeError:
        return {"B": payload}


def check_size(sid: str, payload: bytes) -> None:
    """Raise SessionError for what is too large to be sent."""
    size = len(payload) + len(sid.encode("utf-8", "surrogatepass")) + _HEAD
    if size > LIMIT:
        raise SessionError(
            f"the session takes {size} bytes, and DynamoDB keeps {LIMIT} at most. Keep less in the session"
        )


def unmet(error: ClientError) -> object:
    """Return the item that did not meet a condition; raise ``error`` if that is not what it says."""
    if code_of(error) == "ConditionalCheckFailedException":
        return error.response.get("Item")
    message = str(error.response.get("Error", {}).get("Message", "")).lower()
    if code_of(error) == "ValidationException" and "size" in message and "exceeded" in message:
        raise SessionError(f"the session takes more than the {LIMIT} bytes that DynamoDB keeps at most") from error
    raise error
