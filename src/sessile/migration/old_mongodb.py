"""The collection of Flask-Session."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pymongo

from sessile.stores._shared import url as urls
from sessile.stores.base import Record

__all__ = ["shelf"]

PAGE_SIZE = 500


class _Collection:
    def __init__(self, url: str, name: str, prefix: str) -> None:
        self._client: pymongo.MongoClient[Any] = pymongo.MongoClient(url, serverSelectionTimeoutMS=2000)
        self._collection = self._client.get_default_database("flask_session")[name]
        self._prefix = prefix

    def pages(self) -> Iterator[list[tuple[str, Record]]]:
        page = []
        for document in self._collection.find(batch_size=PAGE_SIZE):
            key = document.get("id")
            if isinstance(key, str) and key.startswith(self._prefix):
                page.append((key[len(self._prefix) :], _record(document)))
            if len(page) == PAGE_SIZE:
                yield page
                page = []
        yield page

    def find(self, sid: str) -> Record | None:
        document = self._collection.find_one({"id": self._prefix + sid})
        return None if document is None else _record(document)

    def count(self) -> int:
        return int(self._collection.count_documents({}))

    def close(self) -> None:
        self._client.close()


def _record(document: dict[str, Any]) -> Record:
    value, end = document.get("val"), document.get("expiration")
    content = value.encode() if isinstance(value, str) else bytes(value or b"")
    return Record(content, end.replace(tzinfo=UTC).timestamp() if isinstance(end, datetime) else 0.0)


def shelf(url: str) -> _Collection:
    """Return the collection that ``url`` names; ``collection`` and ``prefix`` are options of ours."""
    url, found = urls.split(url, collection=str, prefix=str)
    return _Collection(url, found.get("collection", "sessions"), found.get("prefix", "session:"))
