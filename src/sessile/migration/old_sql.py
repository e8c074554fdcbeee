"""The table of Flask-Session, in any database that SQLAlchemy knows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sql

from sessile.stores._shared import url as urls
from sessile.stores.base import Record

__all__ = ["shelf"]

PAGE_SIZE = 500


class _Table:
    def __init__(self, url: str, name: str, prefix: str) -> None:
        schema, _, name = name.rpartition(".")
        self._engine = sql.create_engine(url)
        self._prefix = prefix
        self._table = sql.Table(
            name,
            sql.MetaData(schema=schema or None),
            sql.Column("session_id", sql.String),
            sql.Column("data", sql.LargeBinary),
            sql.Column("expiry", sql.DateTime),
        )

    def pages(self) -> Iterator[list[tuple[str, Record]]]:
        last = self._prefix
        key = self._table.c.session_id
        while True:
            query = sql.select(self._table).where(key > last, key.startswith(self._prefix, autoescape=True))
            with self._engine.connect() as connection:
                rows = connection.execute(query.order_by(key).limit(PAGE_SIZE)).all()
            if not rows:
                return
            last = rows[-1].session_id
            yield [(row.session_id[len(self._prefix) :], _record(row)) for row in rows]

    def find(self, sid: str) -> Record | None:
        query = sql.select(self._table).where(self._table.c.session_id == self._prefix + sid)
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else _record(row)

    def count(self) -> int:
        with self._engine.connect() as connection:
            return int(connection.execute(sql.select(sql.func.count()).select_from(self._table)).scalar_one())

    def close(self) -> None:
        self._engine.dispose()


def _record(row: Any) -> Record:
    # Flask-Session takes a row without an end for one that is over.
    end = row.expiry or datetime.min.replace(year=1970)
    return Record(bytes(row.data or b""), end.replace(tzinfo=UTC).timestamp())


def shelf(url: str) -> _Table:
    """Return the table in the database at ``url``; ``table`` (or schema.table) and ``prefix`` are options of ours."""
    url, found = urls.split(url, table=str, prefix=str)
    return _Table(url, found.get("table", "sessions"), found.get("prefix", "session:"))
