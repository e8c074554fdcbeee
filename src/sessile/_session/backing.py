"""What stands behind a session: the verbs that ask the store, and what the options say."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

from sessile._records.fields import SystemFields
from sessile._records.record import JSON
from sessile.device import Device
from sessile.dual import AnyStore, Steps
from sessile.events import EventKind

if TYPE_CHECKING:
    from sessile._session.session import Session
    from sessile._session.state import State

__all__ = ["Backing"]

P = ParamSpec("P")
T = TypeVar("T")


class Backing(Protocol):
    """What a session asks. The engine is behind it, which the session does not know.

    The verbs from ``save`` on are bodies of code for ``run``, which waits for the store, and ``arun``, which awaits it.
    """

    #: What proves that the system fields are ours.
    fields: SystemFields

    def now(self) -> float:
        """Return the time, in epoch seconds."""

    def new_id(self, state: State) -> str:
        """Return a new id for a session."""

    def report(self, state: State, kind: EventKind, detail: str) -> None:
        """Report an event of a session."""

    def device(self, state: State) -> Device:
        """Return what is known of the device of a session."""

    def autosaves(self) -> bool:
        """Return what the options say of ``session.autosave``."""

    def keeps_alive(self, state: State) -> bool:
        """Return what the options say of ``session.keep_alive``."""

    def remembered(self) -> float:
        """Return for how many seconds a session lives whose visitor wants to be remembered. Raises SessionError."""

    def new_cookie(self, state: State) -> dict[str, JSON]:
        """Return the attributes of a new cookie, as they are stored."""

    def last_seen(self, state: State) -> float:
        """Return when a stored session was last used."""

    def expires_at(self, state: State) -> float:
        """Return when a stored session ends."""

    def run(
        self,
        verb: str,
        session: Session,
        body: Callable[Concatenate[AnyStore, Session, P], Steps[T]],
        *args: P.args,
        **named: P.kwargs,
    ) -> T:
        """Run ``body`` with the store of ``session``. ``verb`` is what the handler called."""

    async def arun(
        self,
        session: Session,
        body: Callable[Concatenate[AnyStore, Session, P], Steps[T]],
        *args: P.args,
        **named: P.kwargs,
    ) -> T:
        """The async version of ``run``."""

    def save(self, store: AnyStore, session: Session) -> Steps[bool]:
        """Commit ``session`` now."""

    def reload(self, store: AnyStore, session: Session) -> Steps[None]:
        """Load ``session`` again."""

    def pop_once(self, store: AnyStore, session: Session, key: str, default: JSON) -> Steps[JSON]:
        """Take ``key`` out of the stored record."""

    def incr(self, store: AnyStore, session: Session, key: str, by: float) -> Steps[float]:
        """Add ``by`` to ``key`` in the stored record."""

    def begin(self, store: AnyStore, session: Session) -> Steps[Session]:
        """Bring ``session`` up to what is stored, keeping the changes made here, and return it."""

    def finish(self, store: AnyStore, session: Session, kept: bool) -> Steps[None]:
        """Commit ``session`` now, if it is to be ``kept``, and refuse to overwrite a key that somebody else changed."""

    def lock(self, store: AnyStore, session: Session, ttl: float, wait: float) -> Steps[int]:
        """Take the lock of ``session``, and return the holder's number."""

    def unlock(self, store: AnyStore, session: Session, kept: bool) -> Steps[None]:
        """Commit ``session`` now, if it is to be ``kept``, and give the lock back."""
