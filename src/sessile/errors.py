# One tree. Each class says whose fault it is:
#   CookieTooLarge, InvalidOption, MissingExtra, MissingMiddleware, NotLoaded, SessionEnded, UnserialisableValue
#                                                                                    the program's
#   LockLost, RetriesExhausted, SessionConflict, SessionGone, SessionLocked          nobody's: two requests met
#   DeviceRequired, NotFresh, TooManySessions                                        the user's
#   LoginRefused, StoreRefused, StoreUnavailable                                     the world's
# A hostile or stale browser never causes any of them: it gets an event and a fresh session.
#
# No message here ever contains an id, a token, a secret or a value out of a session.
"""Every exception that sessile raises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "CookieTooLarge",
    "DeviceRequired",
    "InvalidOption",
    "LockLost",
    "LoginRefused",
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
    "SessionTooLarge",
    "StoreRefused",
    "StoreUnavailable",
    "TooManySessions",
    "UnserialisableValue",
]


class SessionError(Exception):
    """Catch this to catch everything that sessile raises.

    >>> try:
    ...     session["cart"] = {"rope"}
    ...     session.save()
    ... except SessionError as error:
    ...     print(error)
    session['cart'] is a set, which JSON cannot hold. Store text, numbers, lists or dicts instead
    """


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
        super().__init__(f"{purpose} needs a package that is not installed. Run: pip install 'sessile[{extra}]'")
        #: The name of the extra, as in ``pip install sessile[<extra>]``.
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


class SessionTooLarge(SessionError):
    """Tells the programmer that a session has grown larger than ``max_bytes`` allows.

    Raised when the session is committed or saved. Nothing has been written, the stored record is as it was. A record
    that is larger already, because another program has written it, is still loaded, and may be made smaller or ended.
    """

    def __init__(self, size: int, limit: int, key: str, key_size: int) -> None:
        super().__init__(
            f"the session has {size} bytes, and max_bytes={limit}; session[{key[:80]!r}] alone has {key_size}. "
            "Keep less in it, or raise max_bytes"
        )
        #: The bytes of the record.
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

    ``sessions`` are the user's sessions, as handles: show them, and let the user end one.
    """

    def __init__(self, limit: int, sessions: Sequence[Any]) -> None:
        super().__init__(f"the user has {limit} sessions already, and may have no more")
        self.sessions = list(sessions)


class NotFresh(SessionError):
    """Tells the program that it is too long since the user re-authenticated, or that nobody is logged in."""

    def __init__(self, max_age: float) -> None:
        super().__init__(f"the user has to re-authenticate: nobody has within the last {max_age:g} seconds")


class DeviceRequired(SessionError):
    """Tells the program that a request does not come from a device that its session is bound to."""

    def __init__(self) -> None:
        super().__init__("the request does not come from a device that its session is bound to")


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


class StoreRefused(StoreUnavailable):
    """The store's server answered, and said no: it is full, read-only, or forbids what was asked.

    It is reachable, so it never counts as silent: the circuit breaker stays closed, and reads go on. The text names
    the store, the operation and the server's reason, and never a value that was sent.
    """

    def __init__(self, store: str, operation: str, reason: str) -> None:
        super().__init__(f"{store} refused {operation}: {reason}")
        #: The store, as its class is called.
        self.store = store
        #: The verb that was refused, such as ``"replace"``.
        self.operation = operation
        #: What the server said: its code or first line, without any value that was sent.
        self.reason = reason


class LoginRefused(StoreUnavailable):
    """Tells the program that all sessions of the user were ended while the request was under way that logs them in.

    What the request has checked may not hold any more: the password was changed, the account closed. Nothing has been
    written. It is answered as an outage is, with status 503 and ``Retry-After``: a second try begins after the
    revocation, and is checked against what holds then.
    """

    def __init__(self) -> None:
        super().__init__("all sessions of the user were ended after this request had begun; log in again")
