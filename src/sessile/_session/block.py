"""A block of work on a session as it is stored now: a transaction, or a lock."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar

from sessile._records.record import JSON
from sessile._session import data
from sessile._session.backing import Backing
from sessile.dual import AnyStore, Steps

if TYPE_CHECKING:
    from sessile._session.session import Session

__all__ = ["Block"]

T = TypeVar("T")


class Block(Generic[T]):
    """A block of work on the session as it is stored now: ``with``, or ``async with`` in a coroutine.

    If the block raises, or its commit is refused, nothing is kept of what it changed.
    """

    __slots__ = ("_backing", "_before", "_begin", "_end", "_session", "_verb")

    def __init__(
        self,
        verb: str,
        session: Session,
        backing: Backing,
        begin: Callable[[AnyStore, Session], Steps[T]],
        end: Callable[[AnyStore, Session, bool], Steps[None]],
    ) -> None:
        self._verb = verb
        self._session = session
        self._backing = backing
        self._begin = begin
        self._end = end
        self._before: dict[str, JSON] = {}

    def _begun(self) -> None:
        data.settle(self._session)
        self._before = deepcopy(self._session.copy())

    def _undo(self) -> None:
        data.put(self._session, self._before)

    def __enter__(self) -> T:
        answer = self._backing.run(self._verb, self._session, self._begin)
        self._begun()
        return answer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self._undo()
        try:
            self._backing.run(self._verb, self._session, self._end, kind is None)
        except BaseException:
            self._undo()
            raise

    async def __aenter__(self) -> T:
        answer = await self._backing.arun(self._session, self._begin)
        self._begun()
        return answer

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self._undo()
        try:
            await self._backing.arun(self._session, self._end, kind is None)
        except BaseException:
            self._undo()
            raise
