# A store is somebody else's code. This is the one place where it is called, and where an exception that comes out of
# it gets its meaning: the store is down. SessionError passes, for a store may refuse a programmer's mistake.
"""The border between the core and a store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from holdfast.dual import Steps
from holdfast.errors import SessionError, StoreUnavailable
from holdfast.events import Events, Happening

__all__ = ["Border"]


class Border:
    """Calls the verbs of a store."""

    __slots__ = ("_events",)

    def __init__(self, events: Events) -> None:
        self._events = events

    def call(self, verb: Callable[..., Any], *arguments: Any) -> Any:
        """Return the answer of ``verb``, or what it gave to be awaited. Raises StoreUnavailable."""
        try:
            return verb(*arguments)
        except Exception as error:
            self.fail(error)

    def wait(self, answer: Any) -> Steps[Any]:
        """Return the answer that ``call`` gave, once it is there. Raises StoreUnavailable."""
        try:
            return (yield answer)
        except Exception as error:
            self.fail(error)

    def ask(self, verb: Callable[..., Any], *arguments: Any) -> Steps[Any]:
        """Call ``verb`` and wait for its answer. Raises StoreUnavailable."""
        return (yield from self.wait(self.call(verb, *arguments)))

    def fail(self, error: Exception) -> NoReturn:
        """Raise what ``error`` means, which came out of a store."""
        outage = self.outage(error)
        if outage is error:
            raise error  # Not from itself: its cause is the driver's.
        raise outage from error

    def outage(self, error: Exception) -> SessionError:
        """Return what to raise for ``error``, which came out of a store."""
        if isinstance(error, SessionError) and not isinstance(error, StoreUnavailable):
            return error
        self._events.tell(Happening.STORE_UNAVAILABLE, None, type(error.__cause__ or error).__name__)
        if isinstance(error, StoreUnavailable):
            return error
        return StoreUnavailable(f"the store failed: {type(error).__name__}")
