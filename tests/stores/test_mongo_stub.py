"""The stand-in for mongod does what MongoDB's documentation says, as far as the store relies on it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from bson.datetime_ms import DatetimeMS
from bson.int64 import Int64
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, DuplicateKeyError, NotPrimaryError, OperationFailure

from tests.stores.mongo_stub import MongoStub, equal, matches


@pytest.fixture
def stub() -> Iterator[MongoStub]:
    stub = MongoStub()
    yield stub
    stub.close()


@pytest.fixture
def sessions(stub: MongoStub) -> Iterator[Any]:
    with MongoClient[Any](f"mongodb://127.0.0.1:{stub.port}/") as client:
        yield client.test.sessions


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        (1, 1.0, True),
        (1, Int64(1), True),
        (0.0, -0.0, True),
        (float("nan"), float("nan"), True),
        (True, 1, False),
        (None, False, False),
        ("a", b"a", False),
        (DatetimeMS(0), 0, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
        ({"a": 1, "b": 2}, {"a": 1.0, "b": 2}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([1, 2], [1.0, 2], True),
        ([1, 2], [2, 1], False),
    ],
)
def test_it_compares_by_bson_types(one: object, two: object, same: bool) -> None:
    """Numbers across their types; documents with the order of their fields."""
    assert equal(one, two) is equal(two, one) is same


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"e": {"$gt": DatetimeMS(4)}}, True),
        ({"e": {"$gt": DatetimeMS(5)}}, False),
        ({"e": {"$lte": DatetimeMS(5)}}, True),
        ({"text": {"$gt": DatetimeMS(0)}}, False),
        ({"none": {"$exists": False}}, False),
        ({"absent": {"$exists": False}}, True),
        ({"absent": {"$gt": DatetimeMS(0)}}, False),
        ({"$or": [{"text": "x"}, {"text": "t"}]}, True),
        ({"$nor": [{"text": "x"}, {"text": "t"}]}, False),
        ({"text": {"$in": ["x", "t"]}}, True),
        ({"whole": {"$eq": {"$ne": 1}}}, True),
        ({"text": "t", "e": DatetimeMS(6)}, False),
    ],
)
def test_it_finds_by_filters(query: dict[str, Any], found: bool) -> None:
    """Values of another type are neither greater nor less."""
    document = {"e": DatetimeMS(5), "text": "t", "none": None, "whole": {"$ne": 1}}
    assert matches(document, query) is found


def test_the_driver_takes_it_for_a_server(sessions: Any) -> None:
    """Insert, find, update, upsert, remove, count, pages, indexes."""
    sessions.insert_many([{"_id": str(number), "n": number} for number in range(250)])
    assert sessions.count_documents({}) == 250
    assert len(list(sessions.find({}, batch_size=100))) == 250
    with pytest.raises(DuplicateKeyError):
        sessions.insert_one({"_id": "1"})
    with pytest.raises(DuplicateKeyError):
        sessions.replace_one({"_id": "1", "n": {"$exists": False}}, {"n": 0}, upsert=True)
    assert sessions.update_one({"_id": "1"}, {"$set": {"x": 1}, "$currentDate": {"now": True}}).matched_count == 1
    assert list(sessions.find_one({"_id": "1"})) == ["_id", "n", "x", "now"]
    created = sessions.update_one({"_id": "new"}, {"$set": {"n": 1}, "$setOnInsert": {"c": 2}}, upsert=True)
    assert created.upserted_id == "new"
    assert sessions.find_one_and_delete({"_id": "new"}) == {"_id": "new", "n": 1, "c": 2}
    assert sessions.delete_many({"_id": {"$in": ["1", "2", "x"]}}).deleted_count == 2
    assert sessions.create_index("expires", expireAfterSeconds=0) == "expires_1"
    assert set(sessions.index_information()) == {"_id_", "expires_1"}
    with pytest.raises(OperationFailure, match="no such command"):
        sessions.database.command("shutdown")


def test_it_removes_by_its_clock(stub: MongoStub, sessions: Any) -> None:
    """Dates only, and only where there is an index."""
    sessions.insert_many([{"_id": "a", "expires": DatetimeMS(5)}, {"_id": "b", "expires": "x"}, {"_id": "c"}])
    time.sleep(0.12)
    assert sessions.count_documents({}) == 3
    sessions.create_index("expires", expireAfterSeconds=0)
    deadline = time.monotonic() + 30
    while sessions.count_documents({}) != 2:
        assert time.monotonic() < deadline
    assert {document["_id"] for document in stub.find()} == {"b", "c"}


def test_it_fails_as_told(sessions: Any) -> None:
    """So many times, and then no more."""
    fail = sessions.database.client.admin.command
    fail("configureFailPoint", "failCommand", mode={"times": 1}, data={"failCommands": ["insert"], "errorCode": 10107})
    with pytest.raises(NotPrimaryError):
        sessions.insert_one({"_id": "a"})
    sessions.insert_one({"_id": "a"})
    fail(
        "configureFailPoint", "failCommand", mode="alwaysOn", data={"failCommands": ["insert"], "closeConnection": True}
    )
    for _ in range(2):
        with pytest.raises(AutoReconnect):
            sessions.insert_one({"_id": "b"})
    fail("configureFailPoint", "failCommand", mode="off")
    sessions.insert_one({"_id": "b"})
