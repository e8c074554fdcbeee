"""All live sessions of a store, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from sessile._engine.engine import Engine
from sessile._engine.index import is_reserved
from sessile._engine.waiting import warn_on_a_loop
from sessile._session.session import Session
from sessile.errors import SessionError
from sessile.stores.base import Iterable, Record, can

__all__ = ["Listing"]


class Listing:
    """All live sessions of a store, for ``for`` and ``async for``. The store is read while you go."""

    def __init__(self, engine: Engine) -> None:
        store = engine.setup.store
        if not can(store, Iterable):
            raise SessionError(f"{type(store).__name__} has no ability Iterable: it cannot list its sessions")
        self._engine = engine

    def __iter__(self) -> Iterator[Session]:
        if self._engine.setup.waits:
            warn_on_a_loop("sessions.all", self._engine.setup)
        for sid, record in self._engine.setup.store.all():
            yield from self._read(sid, record)

    async def __aiter__(self) -> AsyncIterator[Session]:
        records = self._engine.setup.async_store.all()
        if hasattr(records, "__aiter__"):
            async for sid, record in records:
                for session in self._read(sid, record):
                    yield session
        else:
            for sid, record in records:
                for session in self._read(sid, record):
                    yield session

    def _read(self, sid: str, record: Record) -> Iterator[Session]:
        if is_reserved(sid):
            return  # A store without a prefix of its own may come by the keys of the index.
        session = self._engine.opening.examine(sid, record)
        if isinstance(session, Session):
            yield session
