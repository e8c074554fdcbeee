# Django itself finds and decodes what it has written: its settings say where that is, and the key it was signed with.
# The serializer is always JSON, whatever the settings say.
"""What Django's own engines keep: the table django_session, and files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib import import_module
from typing import Any

import django
import msgspec
from django.core import signing
from django.core.exceptions import ImproperlyConfigured
from django.core.signing import JSONSerializer

from sessile.errors import InvalidOption
from sessile.stores.base import Record

__all__ = ["shelf"]

PAGE_SIZE = 500

#: Says of what Django cannot decode that it is no JSON.
_UNREADABLE = b"\x80"


class _Engine:
    def __init__(self, engine: str) -> None:
        self._store: Any = import_module(f"django.contrib.sessions.backends.{engine}").SessionStore
        self._salt = self._store().key_salt

    def close(self) -> None:
        from django.db import connections

        connections.close_all()

    def _content(self, text: str) -> bytes:
        try:
            data = signing.loads(text, salt=self._salt, serializer=JSONSerializer)
        except (signing.BadSignature, ValueError):
            return _UNREADABLE
        return msgspec.json.encode(data)


class _Table(_Engine):
    def pages(self) -> Iterator[list[tuple[str, Record]]]:
        rows = self._store.get_model_class().objects.order_by("session_key")
        last = ""
        while True:
            page = list(rows.filter(session_key__gt=last)[:PAGE_SIZE])
            if not page:
                return
            last = page[-1].session_key
            yield [(row.session_key, self._record(row)) for row in page]

    def find(self, sid: str) -> Record | None:
        row = self._store.get_model_class().objects.filter(session_key=sid).first()
        return None if row is None else self._record(row)

    def count(self) -> int:
        return int(self._store.get_model_class().objects.count())

    def _record(self, row: Any) -> Record:
        return Record(self._content(row.session_data), row.expire_date.timestamp())


class _Files(_Engine):
    def __init__(self, engine: str) -> None:
        super().__init__(engine)
        store = self._store()
        self._folder, self._prefix = store.storage_path, store.file_prefix

    def pages(self) -> Iterator[list[tuple[str, Record]]]:
        keys = self._keys()
        for first in range(0, len(keys), PAGE_SIZE):
            found = [(key, self.find(key)) for key in keys[first : first + PAGE_SIZE]]
            yield [(key, record) for key, record in found if record is not None]

    def find(self, sid: str) -> Record | None:
        store = self._store(sid)
        try:
            with open(store._key_to_file(), encoding="ascii") as file:  # noqa: SLF001 - Where Django's own engine says it.
                text = file.read()
            content = self._content(text)
            end = store._expiry_date({} if content is _UNREADABLE else msgspec.json.decode(content))  # noqa: SLF001 - Where Django's own engine says it.
        except (OSError, UnicodeDecodeError):
            return None
        end = datetime.fromisoformat(end) if isinstance(end, str) else end
        if isinstance(end, int):
            end = store._last_modification().timestamp() + end  # noqa: SLF001 - Where Django's own engine says it.
        return Record(content, end if isinstance(end, float) else end.timestamp()) if text else None

    def count(self) -> int:
        return len(self._keys())

    def _keys(self) -> list[str]:
        names = [name for name in os.listdir(self._folder) if name.startswith(self._prefix)]
        return [name[len(self._prefix) :] for name in names]


_KINDS: dict[str, Callable[[str], _Table | _Files]] = {"db": _Table, "cached_db": _Table, "file": _Files}


def shelf(engine: str) -> _Table | _Files:
    """Return what ``engine`` of the project in DJANGO_SETTINGS_MODULE keeps. Raises InvalidOption if there is none."""
    try:
        django.setup()
        return _KINDS[engine](engine)
    except (ImproperlyConfigured, ImportError) as error:
        remedy = "Name the settings in DJANGO_SETTINGS_MODULE, and start it in the folder of manage.py."
        raise InvalidOption("--from", f"Django is not set up: {error}", remedy) from error
