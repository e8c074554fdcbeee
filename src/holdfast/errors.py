# One tree. Each class says whose fault it is:
#   CookieTooLarge, InvalidOption, MissingExtra, MissingMiddleware, NotLoaded, SessionEnded, UnserialisableValue
#                                                                                    the program's
#   LockLost, RetriesExhausted, SessionConflict, SessionGone, SessionLocked          nobody's: two requests met
#   NotFresh, TooManySessions                                                        the user's
#   StoreUnavailable                                                                 the world's
# A hostile or stale browser never causes any of them: it gets an event and a fresh session.
#
# No message here ever contains an id, a token, a secret or a value out of a session.
"""Every exception that holdfast raises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "CookieTooLarge",
    "InvalidOption",
    "LockLost",
    "MissingExtra",
    "MissingMiddleware",
    "NotFresh",
    "NotLoaded",
    "RetriesExhausted",
    "SessionConflict",
    "SessionEnded",
    "SessionError",
    "SessionGone",
    "SessionLocked",
    "StoreUnavailable",
    "TooManySessions",
    "UnserialisableValue",
]


class SessionError(Exception):
    """Catch this to catch everything that holdfast raises."""


class InvalidOption(SessionError, ValueError):
    """Tells the programmer that an option is wrong, and what to write instead.

    Raised at construction, never while a request is served.
    """

    def __init__(self, option: str, problem: str, remedy: str) -> None:
        super().__init__(f"{option}: {problem}. {remedy}")
        #: The name of the option, as it is written in the call.
        self.option = option
        #: What to write instead.
        self.remedy = remedy


class MissingExtra(SessionError, ImportError):
    """Tells the programmer which extra to install for the store or integration asked for."""

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs a package that is not installed. Run: pip install 'holdfast[{extra}]'")
        #: The name of the extra, as in ``pip install holdfast[<extra>]``.
        self.extra = extra


class MissingMiddleware(SessionError, RuntimeError):
    """Tells the programmer that a handler asked for the session of a request that has none."""


class NotLoaded(SessionError, RuntimeError):
    """Tells the programmer that a lazy session was used before it was loaded."""


class SessionEnded(SessionError, RuntimeError):
    """Tells the programmer that a session was changed when nothing can store the change any more.

    That is after ``destroy()`` or ``logout()``, or after the response was sent.
    """


class UnserialisableValue(SessionError, TypeError):
    """Tells the programmer which value of the session the store cannot hold.

    Raised when the session is committed or saved. Nothing has been written, the stored record is as it was.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path} {problem}")
        #: Where the value is, as Python would reach it: ``session['cart']['items'][2]``.
        self.path = path


class CookieTooLarge(SessionError):
    """Tells the programmer that a session which travels in its cookie has grown larger than a cookie may be.

    Raised when the session is committed or saved. The browser keeps the cookie that it had.
    """

    def __init__(self, size: int, limit: int, key: str, key_size: int) -> None:
        super().__init__(
            f"the session takes {size} of the {limit} bytes that browsers allow a cookie, and session[{key!r}] alone "
            f"{key_size} before encoding. Keep less in it, or keep sessions in a store on the server"
        )
        #: The bytes of name and value together (RFC 6265bis 5.6).
        self.size = size
        #: The key that takes the most.
        self.key = key


class SessionConflict(SessionError):
    """Tells the program that another request changed the session first, under ``conflict="error"``.

    Nothing has been written. The three attributes hold session data: do not log them.
    """

    def __init__(self, base: Mapping[str, object], mine: Mapping[str, object], theirs: Mapping[str, object]) -> None:
        super().__init__("another request changed this session after it was loaded here; nothing was written")
        #: The data as this request had loaded it.
        self.base = base
        #: The data as this request wanted to store it.
        self.mine = mine
        #: The data as it stands in the store now.
        self.theirs = theirs


class RetriesExhausted(SessionError):
    """Tells the program that others changed the session each time it was about to be written. Nothing was written.

    Dozens of requests at work on one session at once, or a store whose ``replace`` does not keep the contract.
    """

    def __init__(self, tries: int) -> None:
        super().__init__(f"the session was changed by others {tries} times in a row; nothing was written")


class TooManySessions(SessionError):
    """Tells the program that a user who logs in has as many sessions as there may be. Nothing has been written.

    ``sessions`` are those that he has, as handles: show them, and let him end one.
    """

    def __init__(self, limit: int, sessions: Sequence[Any]) -> None:
        super().__init__(f"the user has {limit} sessions already, and may have no more")
        self.sessions = list(sessions)


class NotFresh(SessionError):
    """Tells the program that it is too long since the user proved to be who he is, or that nobody is logged in."""

    def __init__(self, max_age: float) -> None:
        super().__init__(f"the user has to prove who he is: nobody has within the last {max_age:g} seconds")


class SessionLocked(SessionError):
    """Tells the program that others held the lock of the session for as long as this request was willing to wait."""

    def __init__(self, waited: float) -> None:
        super().__init__(f"others hold the lock of this session; waited {waited:g} seconds for it")


class LockLost(SessionError):
    """Tells the program that it held the lock of the session for too long, and another request has it now.

    Nothing has been written. ``lock(ttl=...)`` says how long it is held at most.
    """

    def __init__(self) -> None:
        super().__init__(
            "the lock of this session was held for longer than its ttl, and passed on; nothing was written"
        )


class SessionGone(SessionError):
    """Tells the program that the session was ended, revoked or expired while it was at work on it."""


class StoreUnavailable(SessionError):
    """Tells the program that the store could not answer. The driver's own error is the ``__cause__``.

    This is never the same as "no session": no record is created and no cookie is sent in its place.
    """
