# One object for all that the library notes about one session in one request, so that the session itself can be a dict
# with the handler's verbs and nothing else. Rules and engine read and write it; no handler sees it.
#
# Fields, and no properties that ask: the rules (lifecycle.py) are what gives a combination of them its meaning. It is a
# Struct because one call makes it, defaults and all, in a seventh of the time that twenty-eight assignments take.
"""What the library knows of one session in one request."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Protocol

import msgspec

from sessile._records.record import JSON
from sessile.events import EventKind
from sessile.facts import Facts
from sessile.stores.base import Store

if TYPE_CHECKING:
    from sessile._session.backing import Backing
    from sessile._session.cookie import SessionCookie

__all__ = ["READ_ONLY", "Intent", "State", "View"]

#: Why a session that a handler has made ``read_only`` takes no changes.
READ_ONLY = "this request only looks at its session (read_only). Change it in another one"


class Intent(Enum):
    """What a handler has asked to become of its session."""

    KEEP = "keep"
    REGENERATE = "regenerate"
    DESTROY = "destroy"
    #: Nobody asked for this one: somebody else ended the session meanwhile.
    LOST = "lost"


class View(Protocol):
    """Something else that shows the data of a session, and in which it can be changed: see ``schema.py``."""

    def write(self) -> None:
        """Write to the session what was changed in the view."""

    def refresh(self) -> None:
        """Show what is in the session."""


class State(msgspec.Struct):
    """The bookkeeping of one session in one request."""

    backing: Backing
    #: The session's id, once it has one.
    id: str | None = None
    #: The id under which the store has a record, or None if it has none.
    loaded: str | None = None
    #: That record's bytes, as they were loaded or last written by us.
    payload: bytes | None = None
    #: The cookie's attributes as they are stored, in camelCase.
    stored_cookie: dict[str, JSON] | None = None
    #: Our own fields of the record.
    system: dict[str, JSON] = {}
    #: Where the facts of the request are found, where there is a request.
    facts: Facts | None = None
    #: When the record ends, in epoch seconds, as it was loaded.
    ends: float = 0.0

    #: When its request began, in epoch seconds, and how many revocations this process had made by then. A log-in is as
    #: old as that: the password may have been checked before it was changed.
    begun: float = 0.0
    order: int = 0
    #: The revocations that this request has asked for itself.
    revocations: tuple[str, ...] = ()
    #: Whether one of them did not spare the session of this request.
    ended_itself: bool = False

    #: Whether somebody has looked at the session, has written to it, or holds a value that can be changed in place.
    accessed: bool = False
    written: bool = False
    exposed: bool = False
    #: What was stored of each key that was written to or handed out, where all such keys are known: the value if it
    #: cannot be changed in place, else its JSON. None: compare the whole session. Nothing was stored of a new one.
    before: dict[str, JSON] | None = None

    intent: Intent = Intent.KEEP
    #: The keys whose values live on after regenerate(); True for all.
    kept: frozenset[str] | bool = False
    #: For how many seconds after regenerate() the old id is good as well.
    grace: float = 0.0
    #: Whether that is a renewal, which the handler did not ask for.
    renews: bool = False
    #: Whether touch() was called.
    touched: bool = False
    #: What to report of the user once the store has it: a log-in, or a fresh proof of who they are.
    proof: EventKind | None = None
    #: Whether clear(), or the log-out of a framework, has ended a log-in, and whether an empty session ends.
    emptied: bool = False
    ends_empty: bool = False
    #: Whether the system fields were changed, and not by an intent.
    restated: bool = False
    #: The cookie's attributes as the handler sees and changes them.
    cookie: SessionCookie | None = None
    #: What the handler said of these, where it differs from the options.
    autosave: bool | None = None
    keep_alive: bool | None = None
    #: Other objects that show the data.
    views: tuple[View, ...] = ()

    #: Whether the session came under an id that was never entered in the index of its user.
    arrives: bool = False
    #: Whether the request came by an id that the session had before, and was sent on. It does not get the new one.
    sent_on: bool = False
    #: The sessions of which a request brought live cookies, where they were several and none was believed: the id of
    #: each, and the attributes of its cookie.
    rivals: tuple[tuple[str, dict[str, JSON]], ...] = ()
    #: The number of the lock that this request holds, or 0.
    fence: int = 0
    #: Whether the record has been written or touched in this request already.
    committed: bool = False
    #: The indexes that this request has put the session into.
    stated: tuple[str, ...] = ()
    #: Whether a task of the request is at work on the stored session.
    busy: bool = False
    #: The attributes of a cookie that the store has confirmed and the browser has not got yet.
    promised: dict[str, JSON] | None = None
    #: Whether the head of the response is on its way, so that no cookie can be sent any more.
    headless: bool = False
    #: What a lazy session's request says of it.
    header: bytes = b""
    #: Called before the first look, where loading is lazy.
    loader: Callable[[], object] | None = None
    #: The store of this request, where the session travels in the cookie.
    own_store: Store | None = None
    #: Whether the program was told, by an exception, that the session as it is cannot be committed. The response that
    #: it gives to that, an error page perhaps, does not meet the same exception again.
    complained: bool = False
    #: Why nothing can be changed any more, or None.
    ended: str | None = None

    def may_have_changed(self) -> bool:
        """Tell whether it is worth looking for changes since the session was last stored."""
        return self.written or self.exposed

    def cookie_changed(self) -> bool:
        """Tell whether a handler changed an attribute of the cookie."""
        return self.cookie is not None and self.cookie.changed

    def is_lost(self) -> bool:
        """Tell whether somebody else ended the session while this request was at work on it."""
        return self.intent is Intent.LOST

    def current_cookie(self) -> dict[str, JSON] | None:
        """Return the cookie's attributes with the handler's changes, or None if there are none yet."""
        return self.stored_cookie if self.cookie is None else self.cookie.stored

    def expose(self) -> None:
        """Note that anything in the session may be changed, in place too."""
        self.exposed = True
        self.before = None

    def lose(self) -> None:
        """Note that somebody else ended the session: nothing of it will be stored."""
        self.intent = Intent.LOST
        self.loaded = self.promised = None
        self.written = False

    def end(self, reason: str) -> None:
        """Refuse changes from here on, because nothing would store them, and let go of the request."""
        if self.ended is None:
            self.ended = reason
        self.facts = None

    def stored_as(self, sid: str, payload: bytes, cookie: dict[str, JSON] | None, ends: float) -> None:
        """Note that the store has ``payload`` under ``sid`` now, until ``ends``, and nothing is left to commit."""
        self.id = self.loaded = sid
        self.payload = payload
        self.before = None
        self.ends = ends
        self.stored_cookie, self.cookie = cookie, None
        self.settle_intents()
        self.touched = self.emptied = False
        self.committed = True

    def settle_intents(self) -> None:
        """Forget what the handler has asked for: it is done, or it counts no more."""
        self.intent, self.proof = Intent.KEEP, None
        self.kept = self.restated = self.renews = False
        self.stated = ()
