# Where no mongod is to be had, this speaks its wire protocol (OP_MSG) well enough for the official drivers of Python and
# Node, and does what both stores ask of it. Documents are kept as the BSON that came, so what the drivers write can be
# looked at byte for byte; one lock makes each command atomic.
#
# We wrote it, so it cannot prove what a MongoDB server does: how it compares, how its indexes race, how it fails over.
# It proves what we send, what both sides read of it, and how drivers and store bear a server that fails.
"""A stand-in for mongod: ``MongoStub()`` in a thread, or ``python mongo_stub.py <port> <file>`` as a process."""

from __future__ import annotations

import pickle
import socketserver
import struct
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.int64 import Int64

Document = dict[str, Any]
OPTIONS: CodecOptions[Document] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
MORE_TO_COME = 2
LARGEST_DOCUMENT = 16 * 1024 * 1024


class Failure(Exception):
    """A command that fails, with the server's code."""

    def __init__(self, code: int, message: str, labels: list[str] | None = None) -> None:
        super().__init__(message)
        self.answer = {"ok": 0.0, "errmsg": message, "code": code, "errorLabels": labels or []}


class MongoStub:
    """A server on a free port of loopback. ``clock`` is what its removal of expired documents goes by."""

    def __init__(self, port: int = 0, file: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        #: The commands as they came, in order, but for those of the drivers' own housekeeping.
        self.commands: list[Document] = []
        #: Of each collection, by "database.collection": the documents by their _id, and the indexes.
        self.documents: dict[str, dict[Any, bytes]] = {}
        self.indexes: dict[str, list[Document]] = {}
        self._file = file
        if file and file.exists():
            self.documents, self.indexes = pickle.loads(file.read_bytes())
        self._lock = threading.RLock()
        self._fail_point: Document = {}
        self._cursors: dict[int, tuple[str, list[Document]]] = {}
        self._stopping = threading.Event()
        self._server = _Server(("127.0.0.1", port), _Connection)
        self._server.stub = self
        self.port = self._server.server_address[1]
        for work in (partial(self._server.serve_forever, 0.02), self._expire_for_ever):
            threading.Thread(target=work, name="mongo-stub", daemon=True).start()

    def close(self) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def find(self, name: str = "test.sessions") -> list[Document]:
        """Return all documents of a collection, for a test to look at."""
        return self._matching(name, {})

    def answer(self, command: Document) -> Document | None:
        """Carry out a command. None: hang up instead."""
        name = next(iter(command))
        if name not in _HOUSEKEEPING:
            self.commands.append(command)
        try:
            if not self._fail(name):
                return None
            work = getattr(self, f"_do_{name}", None)
            if work is None:
                raise Failure(59, f"no such command: '{name}'")
            with self._lock:
                answer = {**work(command, f"{command.get('$db')}.{command[name]}"), "ok": 1.0}
                if self._file and name in ("insert", "update", "delete", "findAndModify", "createIndexes"):
                    self._file.write_bytes(pickle.dumps((self.documents, self.indexes)))
                return answer
        except Failure as failure:
            return failure.answer

    def _fail(self, name: str) -> bool:
        """Do what the fail point says. Return whether to go on."""
        with self._lock:
            mode, data = self._fail_point.get("mode"), self._fail_point.get("data", {})
            if not mode or mode == "off" or name not in data["failCommands"]:
                return True
            if isinstance(mode, dict):
                mode["times"] -= 1
                if mode["times"] <= 0:
                    self._fail_point = {}
        if data.get("blockConnection"):
            self._stopping.wait(data["blockTimeMS"] / 1000)
        if "errorCode" in data:
            raise Failure(data["errorCode"], "fail point", data.get("errorLabels"))
        return not data.get("closeConnection")

    def _expire_for_ever(self) -> None:
        while not self._stopping.wait(0.05):
            with self._lock:
                for name, indexes in self.indexes.items():
                    for index in indexes:
                        if "expireAfterSeconds" in index:
                            self._expire(name, next(iter(index["key"])), index["expireAfterSeconds"])

    def _expire(self, name: str, field: str, after: float) -> None:
        filter_ = {field: {"$lte": DatetimeMS(int((self.clock() - after) * 1000))}}
        for document in self._matching(name, filter_):
            del self.documents[name][document["_id"]]

    def _matching(self, name: str, query: Document) -> list[Document]:
        documents, identity = self.documents.get(name, {}), query.get("_id")
        found = documents.values() if identity is None or isinstance(identity, dict) else [documents.get(identity)]
        decoded = (bson.decode(raw, OPTIONS) for raw in found if raw is not None)
        return [document for document in decoded if matches(document, query)]

    # Commands ---------------------------------------------------------------------------------------------------------

    def _do_hello(self, command: Document, name: str) -> Document:
        return {
            "helloOk": True,
            "isWritablePrimary": True,
            "ismaster": True,
            "maxBsonObjectSize": LARGEST_DOCUMENT,
            "maxMessageSizeBytes": 48_000_000,
            "maxWriteBatchSize": 100_000,
            "logicalSessionTimeoutMinutes": 30,
            "minWireVersion": 0,
            "maxWireVersion": 21,
            "readOnly": False,
        }

    _do_isMaster = _do_ismaster = _do_hello

    def _do_ping(self, command: Document, name: str) -> Document:
        return {}

    _do_endSessions = _do_ping

    def _do_configureFailPoint(self, command: Document, name: str) -> Document:
        self._fail_point = command
        return {}

    def _do_dropDatabase(self, command: Document, name: str) -> Document:
        for kept in (self.documents, self.indexes):
            for key in [key for key in kept if key.startswith(f"{command['$db']}.")]:
                del kept[key]
        return {}

    def _do_createIndexes(self, command: Document, name: str) -> Document:
        indexes = self.indexes.setdefault(name, [{"v": 2, "key": {"_id": 1}, "name": "_id_"}])
        before = len(indexes)
        for index in command["indexes"]:
            same = next((known for known in indexes if known["name"] == index["name"]), None)
            if same is None:
                indexes.append(index)
            elif {**same, "background": 0} != {**index, "background": 0}:
                raise Failure(85, "an equivalent index already exists with different options")
        return {"numIndexesBefore": before, "numIndexesAfter": len(indexes)}

    def _do_listIndexes(self, command: Document, name: str) -> Document:
        return _first_batch(0, name, self.indexes.get(name, []))

    def _do_insert(self, command: Document, name: str) -> Document:
        return self._each(command["documents"], lambda document: (self._insert(name, document), {"n": 1})[1])

    def _do_find(self, command: Document, name: str) -> Document:
        found = [_project(document, command) for document in self._matching(name, command.get("filter", {}))]
        limit = command.get("limit", 0)
        found = found[:limit] if limit else found
        size = command.get("batchSize", 101)
        rest = [] if command.get("singleBatch") else found[size:]
        identity = Int64(len(self._cursors) + 1 if rest else 0)
        if rest:
            self._cursors[identity] = (name, rest)
        return _first_batch(identity, name, found[:size])

    def _do_getMore(self, command: Document, name: str) -> Document:
        identity = command["getMore"]
        if identity not in self._cursors:
            raise Failure(43, "cursor not found")
        name, rest = self._cursors[identity]
        size = command.get("batchSize", len(rest))
        batch, rest[:] = rest[:size], rest[size:]
        return {"cursor": {"id": Int64(identity if rest else 0), "ns": name, "nextBatch": batch}}

    def _do_killCursors(self, command: Document, name: str) -> Document:
        for identity in command["cursors"]:
            self._cursors.pop(identity, None)
        return {"cursorsKilled": command["cursors"]}

    def _do_aggregate(self, command: Document, name: str) -> Document:
        match, group = command["pipeline"]
        assert group == {"$group": {"_id": 1, "n": {"$sum": 1}}}
        count = len(self._matching(name, match["$match"]))
        return _first_batch(0, name, [{"_id": 1, "n": count}] if count else [])

    def _do_update(self, command: Document, name: str) -> Document:
        upserted: list[Document] = []

        def one(update: Document) -> Document:
            for document in self._matching(name, update["q"]):
                self._store(name, changed(document, update["u"], self.clock()))
                return {"n": 1, "nModified": 1}
            if not update.get("upsert"):
                return {"n": 0}
            new = changed({"_id": update["q"].get("_id", bson.ObjectId())}, update["u"], self.clock(), inserted=True)
            self._insert(name, new)
            upserted.append({"index": 0, "_id": new["_id"]})
            return {"n": 1}

        answer = {"nModified": 0, **self._each(command["updates"], one)}
        return {**answer, "upserted": upserted} if upserted else answer

    def _do_delete(self, command: Document, name: str) -> Document:
        def one(delete: Document) -> Document:
            doomed = self._matching(name, delete["q"])[: delete["limit"] or None]
            for document in doomed:
                del self.documents[name][document["_id"]]
            return {"n": len(doomed)}

        return self._each(command["deletes"], one)

    def _do_findAndModify(self, command: Document, name: str) -> Document:
        assert command["remove"], "of findAndModify this server knows the removal"
        for document in self._matching(name, command["query"]):
            del self.documents[name][document["_id"]]
            return {"value": _project(document, {"projection": command.get("fields", {})}), "lastErrorObject": {"n": 1}}
        return {"value": None, "lastErrorObject": {"n": 0}}

    def _each(self, statements: list[Document], work: Callable[[Document], Document]) -> Document:
        """Carry out the statements of a write command; the first that fails is the last."""
        sums: Document = {"n": 0}
        for index, statement in enumerate(statements):
            try:
                for key, value in work(statement).items():
                    sums[key] = sums.get(key, 0) + value
            except Failure as failure:
                return {**sums, "writeErrors": [{"index": index, **failure.answer}]}
        return sums

    def _insert(self, name: str, document: Document) -> None:
        if document["_id"] in self.documents.get(name, {}):
            raise Failure(11000, f"E11000 duplicate key error collection: {name} index: _id_")
        self._store(name, document)

    def _store(self, name: str, document: Document) -> None:
        raw = bson.encode(document, codec_options=OPTIONS)
        if len(raw) > LARGEST_DOCUMENT:
            raise Failure(10334, f"BSONObj size: {len(raw)} is invalid")
        self.documents.setdefault(name, {})[document["_id"]] = raw


_HOUSEKEEPING = {"hello", "ismaster", "isMaster", "ping", "endSessions", "configureFailPoint"}


def _first_batch(identity: int, name: str, batch: list[Any]) -> Document:
    return {"cursor": {"id": Int64(identity), "ns": name, "firstBatch": batch}}


def _project(document: Document, command: Document) -> Document:
    fields = command.get("projection")
    return {key: document[key] for key in document if key == "_id" or key in fields} if fields else document


def changed(document: Document, update: Document, now: float, inserted: bool = False) -> Document:
    """Return ``document`` as an update leaves it: by operators, or by replacement."""
    if not any(key.startswith("$") for key in update):
        return {"_id": document["_id"], **update}
    new = {**document, **update.get("$set", {})}
    if inserted:
        new.update(update.get("$setOnInsert", {}))
    for field in update.get("$currentDate", {}):
        new[field] = DatetimeMS(int(now * 1000))
    assert set(update) <= {"$set", "$setOnInsert", "$currentDate"}, "an operator that this server does not know"
    return new


def matches(document: Document, query: Document) -> bool:
    """Tell whether ``query`` finds ``document``."""
    for key, condition in query.items():
        if key in ("$or", "$nor"):
            if any(matches(document, one) for one in condition) != (key == "$or"):
                return False
        elif isinstance(condition, dict) and next(iter(condition), "").startswith("$"):
            if not all(_holds(document, key, *test) for test in condition.items()):
                return False
        elif not _holds(document, key, "$eq", condition):
            return False
    return True


def _holds(document: Document, key: str, operator: str, operand: Any) -> bool:
    value = document.get(key)
    if operator == "$exists":
        return (key in document) == bool(operand)
    if operator == "$eq":
        return equal(value, operand)
    if operator == "$in":
        return any(equal(value, one) for one in operand)
    # Values of another type are neither greater nor less.
    if type(value) is not type(operand):
        return False
    if operator == "$gt":
        return bool(value > operand)
    if operator == "$lte":
        return bool(value <= operand)
    raise Failure(2, f"unknown operator: {operator}")


def equal(one: Any, two: Any) -> bool:
    """Compare as the server does: numbers across their types, documents by the order of their fields too."""
    if isinstance(one, dict) and isinstance(two, dict):
        return list(one) == list(two) and all(equal(one[key], two[key]) for key in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(equal, one, two))
    numbers = [isinstance(value, (int, float)) and not isinstance(value, bool) for value in (one, two)]
    if any(numbers):
        return all(numbers) and (one == two or (one != one and two != two))
    return type(one) is type(two) and bool(one == two)


# The wire --------------------------------------------------------------------------------------------------------------


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    stub: MongoStub

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handle_error(request, client_address)


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        assert isinstance(self.server, _Server)
        while header := self.rfile.read(16):
            length, request, _, opcode = struct.unpack("<iiii", header)
            body = self.rfile.read(length - 16)
            command, wants_answer = _query(body) if opcode == OP_QUERY else _message(body)
            answer = self.server.stub.answer(command)
            if answer is None:
                return
            if wants_answer:
                document = bson.encode(answer, codec_options=OPTIONS)
                if opcode == OP_QUERY:
                    reply, kind = struct.pack("<iqii", 8, 0, 0, 1) + document, OP_REPLY
                else:
                    reply, kind = struct.pack("<IB", 0, 0) + document, OP_MSG
                self.wfile.write(struct.pack("<iiii", 16 + len(reply), 0, request, kind) + reply)


def _query(body: bytes) -> tuple[Document, bool]:
    """Read the message by which drivers greet a server that they do not know."""
    end = body.index(b"\0", 4)
    return bson.decode(body[end + 9 :], OPTIONS), True


def _message(body: bytes) -> tuple[Document, bool]:
    (flags,) = struct.unpack_from("<I", body)
    position, command = 4, {}
    while position < len(body):
        kind, position = body[position], position + 1
        (size,) = struct.unpack_from("<i", body, position)
        section = body[position : position + size]
        if kind == 0:
            command = {**bson.decode(section, OPTIONS), **command}
        else:
            end = section.index(b"\0", 4)
            command[section[4:end].decode()] = bson.decode_all(section[end + 1 :], OPTIONS)
        position += size
    return command, not flags & MORE_TO_COME


if __name__ == "__main__":
    print(MongoStub(int(sys.argv[1]), Path(sys.argv[2])).port, flush=True)
    sys.stdin.read()
