# The table is connect-dynamodb's: the key `id` is the prefix and the sid, `sess` is the payload as text, `expires` the
# end in epoch seconds, `type` says "connect-session". Node writes fractions of a second at times; we write whole ones,
# rounded up, which is what DynamoDB's own expiry wants to see. That one comes up to two days late and is only to clean
# up: every verb compares with our clock.
#
#   Writing  Each verb is one call, and its condition is checked where the item is. A failed `replace` brings what is
#            there along. `replace` and `touch` update, so they leave what Node's option specialKeys has added; and as
#            their conditions name `sess`, they create no item, as Node's own touch does after a log-out.
#   Bytes    A payload that is no text is kept as binary, where Node finds no session. An id that cannot be a key (it is
#            too long, or no text) becomes a digest, and stands beside it as `sid`.
#   asyncio  The calls are made by boto3 in threads of the store's own. aiobotocore would want one certain version of
#            botocore and so of boto3, beside which an application's own often cannot be installed; and a call over the
#            network to AWS takes some milliseconds, next to which a thread costs nothing.
"""Keep sessions in DynamoDB, as connect-dynamodb of Node keeps them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import urlsplit

from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError

from sessile.dual import Found, Steps
from sessile.errors import InvalidOption, StoreRefused
from sessile.stores._shared import url as urls
from sessile.stores._shared.server import DEADLINE, ServerStore
from sessile.stores.base import Answer, Conflict, Missing, Record, Records, Replaced
from sessile.stores.dynamodb.client import Client, Threads, maker
from sessile.stores.dynamodb.item import LIVE, Items, check_size, unmet, value
from sessile.stores.dynamodb.table import code_of, prepare

__all__ = ["DynamoDBStore"]

#: How many items are read, and removed, in one call: so that each is over by the deadline.
_PAGE, _BATCH = 250, 25
_REPLACED, _MISSING = Replaced(), Missing()


class DynamoDBStore(ServerStore):
    """Keeps records in the DynamoDB table ``table``.

    ``client`` is your own client of boto3 (``boto3.client("dynamodb")``), which is then never closed here; without one,
    the store makes its own, for ``region`` and ``endpoint`` if they are given, with credentials where boto3 finds them.
    ``prefix`` stands before each id. With ``create_table`` the table is made if there is none, and its expiry switched
    on. ``timeout`` is the deadline of a call, in seconds.

    The credentials need GetItem, PutItem, UpdateItem and DeleteItem; ``all``, ``count`` and ``clear`` need Scan and
    BatchWriteItem. Who has them can read and write all sessions.

    >>> def make():
    ...     return DynamoDBStore("sessions", region="eu-central-1")
    """

    lost: ClassVar[tuple[type[Exception], ...]] = (EndpointConnectionError, ConnectionClosedError)

    def __init__(
        self,
        table: str = "sessions",
        *,
        client: Any = None,
        region: str | None = None,
        endpoint: str | None = None,
        prefix: str = "sess:",
        create_table: bool = False,
        timeout: float = DEADLINE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(timeout=timeout, clock=clock)
        if not 3 <= len(table) <= 255 or not table.isascii() or set(table) - _letters(table):
            raise InvalidOption("table", f"{table!r} names no table", "Use 3 to 255 of a-z, A-Z, 0-9, '_', '-', '.'.")
        if len(prefix.encode("utf-8", "surrogatepass")) > 1024 or not prefix.isprintable():
            raise InvalidOption("prefix", "it cannot begin a key", 'Use plain text, such as "sess:".')
        self._table = table
        self._prefix = prefix
        self._items = Items(prefix, clock)
        self._create_table = create_table
        self._prepared: list[bool] = []
        self._make = maker(client, region, endpoint, self._timeout)

    def __repr__(self) -> str:
        return f"<DynamoDBStore {self._table}>"

    def index(self) -> DynamoDBStore:
        """Return the store of the index: items of the table whose keys begin with ``index:`` and the prefix."""
        prefix = f"index:{self._prefix}"
        return self._for_index(_prefix=prefix, _items=Items(prefix, self._clock))

    def all(self) -> Records:
        """Yield each sid with its record, a page of the table at a time: this reads, and costs, all of it."""
        return self._iterate(self._all())

    def count(self) -> Answer[int]:
        """Return how many unexpired records there are. This reads, and costs, the whole table."""
        return self._drive(self._count())

    def clear(self) -> Answer[None]:
        """Remove all records with this prefix."""
        return self._drive(self._clear())

    # What the care of ServerStore is taken of.

    def _connect(self) -> Any:
        return (Threads if self._asyncio else Client)(self._make)

    def _disconnect(self, client: Any) -> Steps[None]:
        yield client.close()

    def _load(self, client: Any, sid: str) -> Steps[Record | None]:
        answer = yield from self._call(client, "get_item", Key=self._items.key(sid), ConsistentRead=True)
        return self._items.record(answer.get("Item"))

    def _create(self, client: Any, sid: str, payload: bytes, ttl: float) -> Steps[bool]:
        check_size(sid, payload)
        try:
            yield from self._call(
                client,
                "put_item",
                Item=self._items.new(sid, payload, ttl),
                ConditionExpression=f"NOT ({LIVE})",
                ExpressionAttributeValues={":now": self._items.now()},
            )
        except ClientError as error:
            unmet(error)
            return False
        return True

    def _replace(
        self, client: Any, sid: str, payload: bytes, ttl: float, expected: bytes
    ) -> Steps[Replaced | Conflict | Missing]:
        check_size(sid, payload)
        values = {
            ":now": self._items.now(),
            ":end": self._items.end(ttl),
            ":new": value(payload),
            ":expected": value(expected),
        }
        try:
            yield from self._call(
                client,
                "update_item",
                Key=self._items.key(sid),
                UpdateExpression="SET sess = :new, expires = :end",
                ConditionExpression=f"sess = :expected AND {LIVE}",
                ExpressionAttributeValues=values,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            record = self._items.record(unmet(error))
            return Conflict(record.payload) if record else _MISSING
        return _REPLACED

    def _touch(self, client: Any, sid: str, ttl: float) -> Steps[bool]:
        try:
            yield from self._call(
                client,
                "update_item",
                Key=self._items.key(sid),
                UpdateExpression="SET expires = :end",
                ConditionExpression=LIVE,
                ExpressionAttributeValues={":now": self._items.now(), ":end": self._items.end(ttl)},
            )
        except ClientError as error:
            unmet(error)
            return False
        return True

    def _delete(self, client: Any, sid: str) -> Steps[bool]:
        answer = yield from self._call(client, "delete_item", Key=self._items.key(sid), ReturnValues="ALL_OLD")
        return self._items.record(answer.get("Attributes")) is not None

    def _call(self, client: Any, operation: str, **parameters: Any) -> Steps[Any]:
        if self._create_table and not self._prepared:
            yield from prepare(client, self._table)
            self._prepared.append(True)
        return (yield client.ask(operation, TableName=self._table, **parameters))

    # What takes many calls, each with its own deadline.

    def _scan(self, use: Callable[[Any], Any], only: str, **more: Any) -> Steps[None]:
        """Read all that has our prefix and is ``only`` so, a page at a time, and ``use`` each answer as a step."""

        def scan(client: Any) -> Steps[Any]:
            values = {":prefix": {"S": self._prefix}} | ({":now": self._items.now()} if ":now" in only else {})
            return self._call(
                client,
                "scan",
                ConsistentRead=True,
                Limit=_PAGE,
                FilterExpression=f"begins_with(id, :prefix){only}",
                ExpressionAttributeValues=values,
                **more,
            )

        while True:
            answer = yield self._ask(scan, twice=True)
            yield use(answer)
            if not answer.get("LastEvaluatedKey"):
                return
            more["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _all(self) -> Steps[None]:
        yield from self._scan(
            lambda answer: Found(filter(None, map(self._items.found, answer["Items"]))), f" AND {LIVE}"
        )

    def _count(self) -> Steps[int]:
        counts: list[int] = []
        yield from self._scan(lambda answer: counts.append(answer["Count"]), f" AND {LIVE}", Select="COUNT")
        return sum(counts)

    def _clear(self) -> Steps[None]:
        def remove(answer: Any) -> Any:
            return self._drive(self._remove([item["id"] for item in answer["Items"]]))

        yield from self._scan(remove, "", ProjectionExpression="id")

    def _remove(self, keys: list[Any]) -> Steps[None]:
        for first in range(0, len(keys), _BATCH):
            doomed = [{"DeleteRequest": {"Key": {"id": key}}} for key in keys[first : first + _BATCH]]
            while doomed:
                left = yield self._ask(self._remove_batch, doomed, twice=True)
                if len(left) == len(doomed):
                    reason = "the table's capacity is used up, and nothing more is removed at present"
                    raise StoreRefused(type(self).__name__, "clear", reason)
                doomed = left

    def _remove_batch(self, client: Any, doomed: list[Any]) -> Steps[list[Any]]:
        answer = yield client.ask("batch_write_item", RequestItems={self._table: doomed})
        left: list[Any] = answer.get("UnprocessedItems", {}).get(self._table, [])
        return left

    def _refusal(self, error: Exception) -> str | None:
        code = code_of(error)
        if code == "ResourceNotFoundException":
            self._prepared.clear()
            return f"there is no table {self._table}: make it, or pass create_table=True"
        # A number is the status of a reply that has no code: a balancer's, whose servers do not answer.
        return code if code and not code.isdecimal() else None


def _letters(text: str) -> set[str]:
    return {letter for letter in text if letter.isalnum() or letter in "_-."}


def from_url(url: str, clock: Callable[[], float]) -> DynamoDBStore:
    """Return the store of ``dynamodb://table?region=eu-west-1&endpoint=http://localhost:8000&create_table=true``."""
    parts = urlsplit(url)
    if not parts.netloc or parts.path.strip("/"):
        raise InvalidOption("store", f"{url!r} names no table", 'Use "dynamodb://sessions?region=eu-west-1".')
    found = urls.options(
        url, region=str, endpoint=str, prefix=str, create_table=urls.true_or_false, timeout=urls.number
    )
    return DynamoDBStore(parts.netloc, **found, clock=clock)
