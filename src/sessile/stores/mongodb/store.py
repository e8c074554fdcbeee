# The layout is connect-mongo's: in the collection `sessions` documents {_id: sid, session, expires}. What `session` may
# be is said in mongodb_document.py. Other fields of a document are nobody's business here, and are left alone.
#
# Each verb is one command of the server's, which is atomic for one document. That a record is live stands in the filter
# of the command, by our clock, so that one which has expired, or lost its end, is neither changed nor brought back. The
# server's own removal by the index on `expires` comes up to a minute later, and tidies up.
#
# `replace` names in its filter what it expects to be there. The server compares 1 and 1.0 as one, as JSON does, but a
# date and its text as two, as JSON does not. So where it finds nothing, the document is read; and if that holds what
# was expected, in another form, then the form that was read is what the second command expects.
#
# connect-mongo writes text, or objects with `stringify: false`; connect-mongodb-session writes objects, and fails at
# text. Without the option a document keeps its form, and a new one gets that of the document that was seen last.
"""Keep sessions in MongoDB: the layout of Node's connect-mongo."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import bson
import pymongo
from bson.codec_options import CodecOptions
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.collection import Collection
from pymongo.errors import AutoReconnect, DuplicateKeyError, ExecutionTimeout, OperationFailure

from sessile.dual import Found, Steps
from sessile.errors import InvalidOption
from sessile.stores._shared import url as urls
from sessile.stores._shared.server import DEADLINE, ServerStore
from sessile.stores.base import Answer, Conflict, Missing, Record, Records, Replaced
from sessile.stores.mongodb.collection import LONGER, AnyCollection, beside, brought, of_url
from sessile.stores.mongodb.document import (
    OPTIONS,
    Document,
    checked,
    end_of,
    id_of,
    payload_of,
    record_of,
    sid_of,
    value_of,
)
from sessile.stores.mongodb.index import Index

__all__ = ["MongoStore"]

#: How many documents are read or removed in one command while all are listed or cleared.
PAGE_SIZE = 500

T = TypeVar("T")

_REPLACED, _MISSING = Replaced(), Missing()
_RAW: CodecOptions[Any] = OPTIONS.with_options(document_class=RawBSONDocument)


class MongoStore(ServerStore):
    """Keeps records in a collection of MongoDB, as connect-mongo does (6.0, and 4 or later without ``crypto``).

    ``url`` is a ``mongodb://`` or ``mongodb+srv://`` URL; the database in it defaults to ``test``, as it does in Node,
    and ``collection`` is the name of the collection. Or give collections of your own: ``collection`` of a
    ``MongoClient`` for synchronous code, ``async_collection`` of an ``AsyncMongoClient`` for asyncio, or both. Their
    clients stay yours to close. A collection must not have a collation, and writes must be acknowledged (not ``w=0``).

    ``stringify`` is connect-mongo's option: True keeps a session as JSON text, False as a BSON object. Both forms are
    read. None, the default: a document keeps its form, and new ones are like those that are there, or else text.
    ``timeout`` is the deadline of a call, in seconds.

    >>> def make():
    ...     return MongoStore("mongodb://localhost/shop")
    """

    lost = (AutoReconnect,)

    #: How long Node's stores for MongoDB keep a session whose cookie has no end, in seconds: two weeks.
    default_life = 14 * 86_400.0

    def __init__(
        self,
        url: str | None = None,
        *,
        collection: str | Collection[Any] | None = "sessions",
        async_collection: AsyncCollection[Any] | None = None,
        stringify: bool | None = None,
        timeout: float = DEADLINE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(timeout=timeout, clock=clock)
        if stringify is not None and not isinstance(stringify, bool):
            raise InvalidOption("stringify", f"{stringify!r} is not a bool", "Give it as connect-mongo has it.")
        self._stringify = stringify
        #: Whether the document that was seen last was text, once one was seen.
        self._seen: list[bool] = []
        self._index = Index(self._timeout, clock)
        self._suffix = ""
        self._is_ours = url is not None
        if url is None:
            if isinstance(collection, str):
                collection = None
            if collection is None and async_collection is None:
                remedy = 'Use "mongodb://localhost/shop".'
                raise InvalidOption("url", "there is neither a URL nor a collection", remedy)
            self._source = brought(collection, async_collection)
        elif isinstance(collection, str) and async_collection is None:
            self._source = of_url(url, collection, self._timeout)
        else:
            raise InvalidOption("collection", "there is a URL as well", "Give a URL and a name, or your own.")

    def index(self) -> MongoStore:
        """Return the store of the index: another collection, whose name ends in ``_index``."""
        index = Index(self._timeout, self._clock)
        return self._for_index(_suffix="_index", _stringify=True, _seen=[], _index=index)

    def all(self) -> Records:
        """Yield each sid with its record, a page of documents at a time."""
        return self._iterate(self._all())

    def count(self) -> Answer[int]:
        return self._ask(self._count, twice=True)

    def clear(self) -> Answer[None]:
        """Remove all documents of the collection, a page at a time."""
        return self._drive(self._clear())

    # The connection.

    def _connected(self) -> AnyCollection:
        collection = super()._connected()
        return beside(collection, self._suffix) if self._suffix else collection

    def _connect(self) -> AnyCollection:
        return self._source(self._asyncio)

    def _disconnect(self, client: AnyCollection) -> Steps[None]:
        if self._is_ours:
            yield client.database.client.close()

    def _try(self, body: Callable[..., Steps[T]], arguments: tuple[Any, ...], twice: bool) -> Steps[T]:
        if self._asyncio and self._is_ours:
            return (yield from super()._try(body, arguments, twice))
        # A little less than our own deadline: a task of the driver's that is cancelled may keep a lock of its pool.
        seconds = self._timeout * (0.8 if self._asyncio else 1)
        began = time.monotonic()
        try:
            with pymongo.timeout(seconds):
                return (yield from super()._try(body, arguments, twice))
        except (*self.lost, ExecutionTimeout):
            # Only a process that stood still is that late: the driver has not looked at what had come meanwhile.
            if not twice or time.monotonic() - began < 1.5 * self._timeout:
                raise
        with pymongo.timeout(seconds):
            return (yield from super()._try(body, arguments, twice))

    @property
    def _patience(self) -> float:
        # For the same reason longer than the driver waits.
        return self._timeout * LONGER + 1 if self._is_ours else self._timeout

    def _refusal(self, error: Exception) -> str | None:
        if not isinstance(error, OperationFailure) or error.timeout:
            return None
        # The message may show a key or a value.
        name = (error.details or {}).get("codeName")
        return f"{name} ({error.code})" if name else f"error {error.code}"

    # The verbs.

    def _load(self, client: AnyCollection, sid: str) -> Steps[Record | None]:
        document = yield client.find_one({"_id": id_of(sid), "$or": self._live()})
        if document is None:
            return None
        self._note(document)
        return record_of(document)

    def _create(self, client: AnyCollection, sid: str, payload: bytes, ttl: float) -> Steps[bool]:
        if self._stringify is None and not self._seen:
            self._note((yield client.find_one({}, {"session": True}, sort=[("$natural", -1)])))
        document = {"session": _value(payload, self._writes_text()), "expires": self._end(ttl)}
        yield from self._index.make(client)
        try:
            # What is live is not found, and cannot be inserted again.
            yield client.replace_one({"_id": id_of(sid), "$nor": self._live()}, document, upsert=True)
        except DuplicateKeyError:
            return False
        return True

    def _replace(
        self, client: AnyCollection, sid: str, payload: bytes, ttl: float, expected: bytes
    ) -> Steps[Replaced | Conflict | Missing]:
        live = {"_id": id_of(sid), "$or": self._live()}
        as_text = self._writes_text()
        new = {"session": _value(payload, as_text), "expires": self._end(ttl)}
        # As an operand of $eq, nothing in a session is an operator.
        there: Document = {"session": {"$eq": value_of(expected, as_text)}}
        if (yield client.update_one({**live, **there}, {"$set": new})).matched_count:
            return _REPLACED
        as_it_is, old, current = yield from self._look(client, live)
        if current == expected:
            as_text = not isinstance(old, dict) if self._stringify is None else as_text
            new["session"] = _value(payload, as_text, old)
            there = {"session": {"$eq": as_it_is}}
            if (yield client.update_one({**live, **there}, {"$set": new})).matched_count:
                return _REPLACED
            _, _, current = yield from self._look(client, live)
        return _MISSING if current is None else Conflict(current)

    def _look(self, client: AnyCollection, live: Document) -> Steps[tuple[object, object, bytes | None]]:
        """Return what is kept, to the last byte; the same as values of Python; and as payload."""
        document = yield client.with_options(codec_options=_RAW).find_one(live)
        if document is None:
            return None, None, None
        session = bson.decode(document.raw, OPTIONS).get("session")
        self._note({"session": session})
        return document.get("session"), session, payload_of(session)

    def _touch(self, client: AnyCollection, sid: str, ttl: float) -> Steps[bool]:
        end = {"$set": {"expires": self._end(ttl)}}
        answer = yield client.update_one({"_id": id_of(sid), "$or": self._live()}, end)
        return bool(answer.matched_count)

    def _delete(self, client: AnyCollection, sid: str) -> Steps[bool]:
        now = self._clock()
        document = yield client.find_one_and_delete({"_id": id_of(sid)})
        record = None if document is None else record_of(document)
        return record is not None and record.expires_at > now

    def _count(self, client: AnyCollection) -> Steps[int]:
        return int((yield client.count_documents({"$or": self._live()})))

    def _clear(self) -> Steps[None]:
        while (yield self._ask(self._clear_page, twice=True)):
            pass

    def _clear_page(self, client: AnyCollection) -> Steps[int]:
        page = yield client.find({}, {"_id": True}, limit=PAGE_SIZE).to_list(PAGE_SIZE)
        if page:
            yield client.delete_many({"_id": {"$in": [document["_id"] for document in page]}})
        return len(page)

    def _all(self) -> Steps[None]:
        cursor = self._connected().find({"$or": self._live()}, batch_size=PAGE_SIZE)
        while page := (yield self._ask(self._page, cursor)):
            yield Found(_records(page))

    def _page(self, client: AnyCollection, cursor: Any) -> Steps[list[Document]]:
        page: list[Document] = yield cursor.to_list(PAGE_SIZE)
        return page

    # What goes into commands.

    def _live(self) -> list[Document]:
        """Return the alternatives that a live document meets one of: connect-mongo's."""
        now = DatetimeMS(math.floor(self._clock() * 1000))
        return [{"expires": {"$exists": False}}, {"expires": {"$gt": now}}]

    def _end(self, ttl: float) -> DatetimeMS:
        return end_of(self._clock() + ttl, up=ttl > 0)

    # The form of documents.

    def _writes_text(self) -> bool:
        if self._stringify is not None:
            return self._stringify
        return self._seen[0] if self._seen else True

    def _note(self, document: Document | None) -> None:
        """Remember the form of a document that was seen."""
        session = None if document is None else document.get("session")
        if isinstance(session, (str, dict)):
            self._seen[:] = [isinstance(session, str)]


def _value(payload: bytes, as_text: bool, old: object = None) -> object:
    return checked(value_of(payload, as_text, old), len(payload))


def _records(page: list[Document]) -> Iterator[tuple[str, Record]]:
    """Yield what a page of documents holds, but for what is no session."""
    for document in page:
        sid, record = sid_of(document["_id"]), record_of(document)
        if sid is not None and record is not None:
            yield sid, record


def from_url(url: str, clock: Callable[[], float]) -> MongoStore:
    """Return the store of ``mongodb://host/database?collection=sessions&stringify=true&timeout=2``.

    All other options are the driver's.
    """
    address, found = urls.split(url, collection=str, stringify=urls.true_or_false, timeout=urls.number)
    return MongoStore(address, **found, clock=clock)
