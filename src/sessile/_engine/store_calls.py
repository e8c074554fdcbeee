# A store is somebody else's code. This is the one place where it is called, and where an exception that comes out of
# it gets its meaning:
#
#   An outage    Whatever a driver raises, and StoreUnavailable; StoreRefused, of a server that is up, among them.
#   A mistake    SessionError passes, for a store may refuse what a programmer asks. So does what Python itself raises
#                for a bug in the store (AttributeError, TypeError): nobody would ever find it as an outage.
"""The one place where the engine calls a store, and gives the exceptions that come out their meaning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from sessile.dual import Steps
from sessile.errors import SessionError, StoreUnavailable
from sessile.events import EventKind, Events

__all__ = ["Failed", "StoreCalls"]

#: How much of a store's words goes into the log, in characters.
LONGEST_LINE = 300


class Failed(NamedTuple):
    """Stands for the answer of a verb that has raised ``error``, until somebody waits for it."""

    error: Exception

    def __repr__(self) -> str:
        return f"<Failed {type(self.error).__name__}>"


class StoreCalls:
    """Calls the verbs of a store."""

    __slots__ = ("_events",)

    def __init__(self, events: Events) -> None:
        self._events = events

    def call(self, verb: Callable[..., object], *arguments: object) -> object:
        """Return the answer of ``verb``, or what it gave to be awaited. Raises StoreUnavailable."""
        try:
            return verb(*arguments)
        except Exception as error:
            self.fail(error, verb)

    def wait(self, answer: object, verb: Callable[..., Any] | None = None) -> Steps[Any]:
        """Return the answer that ``call`` gave for ``verb``, once it is there. Raises StoreUnavailable."""
        if isinstance(answer, Failed):
            self.fail(answer.error, verb)
        try:
            return (yield answer)
        except Exception as error:
            self.fail(error, verb)

    def ask(self, verb: Callable[..., Any], *arguments: Any) -> Steps[Any]:
        """Call ``verb`` and wait for its answer. Raises StoreUnavailable."""
        return (yield from self.wait(self.call(verb, *arguments), verb))

    def answer(self, given: tuple[object, ...], verb: Callable[..., Any], *arguments: Any) -> Steps[Any]:
        """Do what ``ask`` does, or wait for the first of the answers that were ``given``, if there is one."""
        return (yield from self.wait(given[0], verb) if given else self.ask(verb, *arguments))

    def fail(self, error: Exception, verb: Callable[..., Any] | None = None) -> NoReturn:
        """Raise what ``error`` means, which came out of a store, of its ``verb``."""
        outage = self.outage(error, verb)
        if outage is error:
            raise error  # Not from itself: its cause is the driver's.
        raise outage from error

    def outage(self, error: Exception, verb: Callable[..., Any] | None = None) -> Exception:
        """Return what to raise for ``error``, which came out of a store, of its ``verb``."""
        if isinstance(error, StoreUnavailable):
            outage = error
        elif isinstance(error, SessionError) or _is_bug(error):
            return error
        elif isinstance(error, RuntimeError) and str(error) == "no running event loop":
            return SessionError(f"{_name(verb)} needs asyncio, and the site is served by something else, such as trio")
        else:
            outage = StoreUnavailable(f"{_name(verb)} failed: {type(error).__name__}")
        self._events.report(EventKind.STORE_UNAVAILABLE, None, _told(outage))
        return outage


#: What Python raises for a mistake in a program. What drivers raise are classes of their own, or an OSError.
_MISTAKES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    ImportError,
    LookupError,
    NameError,
    NotImplementedError,
    RecursionError,
    ReferenceError,
    SyntaxError,
    TypeError,
    ValueError,
)


def _is_bug(error: Exception) -> bool:
    return isinstance(error, _MISTAKES) and type(error).__module__ == "builtins"


def _name(verb: Callable[..., Any] | None) -> str:
    """Return what a message calls a verb of a store: ``RedisStore.load``."""
    owner = getattr(verb, "__self__", None)
    return "the store" if owner is None else f"{type(owner).__name__}.{getattr(verb, '__name__', 'call')}"


def _told(outage: StoreUnavailable) -> str:
    """Return a line for a log: what the store says, and the class of the driver's error."""
    words = next(iter(str(outage).splitlines()), "")[:LONGEST_LINE]
    cause = "" if outage.__cause__ is None else type(outage.__cause__).__name__
    return words if cause in words else f"{words} ({cause})"
