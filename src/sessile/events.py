# An event is a fact about a session that somebody may want to count, log or act on. The table below is all of them; the
# page "Events" of the documentation is written from it.
#
#   1. No event carries an id, a token or data: `session` is a keyed hash, good for telling that two lines speak of one
#      session and for nothing else. No text in it is a client's.
#   2. The log gets no address: it is personal data, and logs are kept long and read by many. A hook gets it, and the
#      program decides.
#   3. Everything is counted. A hook is told everything. The log is told what its level lets through, and of what
#      anybody can cause, a bounded number of lines (RateLimit).
#   4. Nothing here ends a request. Nobody who listens: hardly any cost.
"""What happened to a session: log lines, and a hook for everything else."""

from __future__ import annotations

import hashlib
import inspect
import logging
import threading
import time
from collections.abc import Callable, Hashable
from enum import Enum
from itertools import count
from logging import DEBUG, ERROR, INFO, WARNING
from typing import Final, Generic, TypeVar

import msgspec

from sessile.facts import Facts

__all__ = ["LINES", "WINDOW", "Event", "EventKind", "Events", "RateLimit"]

logger = logging.getLogger("sessile")

T = TypeVar("T", bound=Hashable)

#: How many lines of one limited event a process writes in how many seconds.
LINES: Final = 10
WINDOW: Final = 60.0


class EventKind(Enum):
    """Everything that can happen: its name, its level in the log, whether its lines are limited, when, and what to do.

    Limited is what a client who is nobody can cause as often as they like, and what comes with each request of an
    outage. What is logged by default and takes a user who is logged in, is never left out of the log.
    """

    # Enum's own hash is written in Python.
    __hash__ = object.__hash__

    # fmt: off
    LOADED = (
        "loaded", DEBUG, False,
        "A request has brought the token of a live session, and has got it.",
        "",
    )
    CREATED = (
        "created", DEBUG, False,
        "The store has a new record: of a new session, or of one that goes on under a new id (see `rotated`).",
        "",
    )
    SAVED = (
        "saved", DEBUG, False,
        "What was changed is in the store.",
        "",
    )
    MERGED = (
        "merged", DEBUG, False,
        "Another request had changed the session meanwhile; what both changed is in the store.",
        "",
    )
    COLLIDED = (
        "collided", DEBUG, False,
        "Both had changed the same key, and the later one won.",
        "If it is frequent, give that key a function (`merge=`), or use `incr`, `pop_once` or `transaction`.",
    )
    ROTATED = (
        "rotated", DEBUG, False,
        "The session has got a new id by `regenerate()`, `login()` or `reauthenticated()`, or because its `Lifetime`"
        " says so (`renew_every`). The line is about the old one, and names the alias of the new one.",
        "",
    )
    LOGGED_IN = (
        "logged_in", INFO, False,
        "The store has confirmed a `login()`: from now on the session is that of a user. The user is not named.",
        "Keep it: an audit wants to see each authentication (OWASP ASVS 16.3.1). What fails, the application knows.",
    )
    REAUTHENTICATED = (
        "reauthenticated", INFO, False,
        "The store has confirmed a `reauthenticated()`: the user gave the password again.",
        "Keep it, as `logged_in`.",
    )
    DESTROYED = (
        "destroyed", DEBUG, False,
        "A request has ended its own session: `logout()`, `destroy()`, or the slot set to None with"
        ' `unset="destroy"`. A second one, at the same time or later, is not told.',
        "",
    )
    REVOKED = (
        "revoked", INFO, False,
        "A session was ended from elsewhere: by `revoke`, `revoke_user`, `revoke_where`, a `SessionHandle`, a log-in"
        " beyond `max_sessions_per_user`, or all by `clear`.",
        "Keep it. If nobody asked for it, find out who did.",
    )
    OPERATED = (
        "operated", INFO, False,
        "An operator has looked at sessions in the console, or ended some. The detail names the operator, and what they"
        " did.",
        "Keep it. If nobody asked for it, find out who did.",
    )
    LOGIN_REFUSED = (
        "login_refused", WARNING, False,
        "All sessions of the user were ended after the request had begun that logs them in, or proves who they are."
        " It was answered with 503, and nothing was stored.",
        "Nothing: they try again, and are checked against what holds now.",
    )
    REVOCATION_INCOMPLETE = (
        "revocation_incomplete", ERROR, False,
        "The store refused the mark that keeps log-ins under way from outliving `revoke_user` or `revoke_where`, or the"
        " end of a session. What could be ended was ended.",
        "See to the store, which may be full. Then revoke once more.",
    )
    EXPIRED = (
        "expired", DEBUG, True,
        "A request has brought the id of a session whose time is over, and its record is still to be seen.",
        "",
    )
    UNKNOWN_ID = (
        "unknown_id", DEBUG, True,
        "A request has brought a token that we have signed, and there is no such session: it was ended, or its time is"
        " over and the record gone.",
        "Ordinary, for browsers keep cookies. Many from one client: somebody tries tokens that they have found.",
    )
    BAD_SIGNATURE = (
        "bad_signature", INFO, True,
        "A request has brought a token that none of our secrets has signed: forged, damaged, of another application, or"
        " of a secret that was taken away.",
        "From everybody at once: put the old secret back beside the new one. Many from one client: somebody guesses.",
    )
    REPLAYED = (
        "replayed", WARNING, True,
        "A request has brought an id after its time of grace (`regenerate(grace=...)`, `renew_every`). It got no"
        " session.",
        "The token may be a stolen one, or the browser has missed the answer with the new one. If it is often the same"
        " user: consider `revoke_user`.",
    )
    AMBIGUOUS = (
        "ambiguous_cookies", WARNING, True,
        "A request has brought several cookies of our name, and more than one is that of a live session. None was"
        " believed.",
        "A neighbour below the same domain may be planting cookies: use a `__Host-` name (RFC 6265bis 4.1.3).",
    )
    CORRUPT = (
        "corrupt_record", WARNING, True,
        "A record is no session, or holds attributes of a cookie that none can have. It is left as it is, and its"
        " visitor is a stranger.",
        "Find out who else writes to the store, and whether a codec was taken away.",
    )
    UNTRUSTED = (
        "untrusted_fields", WARNING, True,
        "A record has fields of ours that none of our secrets has sealed. They are ignored, and nobody is logged in by"
        " them.",
        "After a change of secrets: put the old one back beside the new one. Otherwise something lets visitors write"
        " the field `sessile`: a handler that assigns a request's body to its session.",
    )
    UNFIT = (
        "unfit_value", WARNING, True,
        "What is stored no longer fits the class of a typed session. The detail names the class and its fields.",
        "After a change of the class: give `unfit=` a function that brings old sessions over.",
    )
    DROPPED = (
        "changes_dropped", INFO, True,
        "The session was ended while a request was at work on it. What that changed was dropped.",
        "Nothing: this is what keeps a logout from being undone.",
    )
    COOKIE_TOO_LATE = (
        "cookie_too_late", WARNING, True,
        "The session needs a cookie, and the head of the response is gone.",
        "Change the session before you respond.",
    )
    INSECURE = (
        "insecure_transport", WARNING, True,
        "The cookie is `secure`, and the request came by http: no session was made.",
        "Use https; behind a proxy, set `proxy=[its address]`.",
    )
    CROSS_ORIGIN = (
        "cross_origin", INFO, True,
        "A page of another origin has sent a request that may change something, or begun a WebSocket. It was answered"
        " with 403.",
        "If the page is yours, allow its origin: `cross_origin=[\"https://app.example.com\"]`. Else somebody tries"
        " cross-site request forgery.",
    )
    DEVICE_BOUND = (
        "device_bound", INFO, False,
        "A browser has registered the key of its device: from now on the session works from there only"
        " (`Sessions(device=...)`).",
        "Keep it, as `logged_in`.",
    )
    DEVICE_UNPROVED = (
        "device_unproved", WARNING, True,
        'A request has brought a session that is bound to a device, without the proof. With `enforce="strict"` it got'
        " no session.",
        "The cookie may be a stolen one, or the browser could not renew its proof. If it is often the same user:"
        " consider `revoke_user`.",
    )
    DEVICE_REFUSED = (
        "device_refused", WARNING, True,
        "Somebody has tried to register a device, or to renew its proof, and the proof was wrong, late, or for another"
        " session. The session goes on as it was.",
        "A few are races. Many from one client: somebody tries to bind a stolen session to a device of their own.",
    )
    STORE_UNAVAILABLE = (
        "store_unavailable", ERROR, True,
        "The store did not answer in time, failed, or refused. The detail names the store and the operation, and what"
        " the server said: its code or its first line.",
        "See to the store. What visitors get meanwhile is said by `on_store_error`.",
    )
    HOOK_FAILED = (
        "hook_failed", ERROR, True,
        "`on_event` has raised, or returned a coroutine, which nobody awaits. The hook is not told of it.",
        "The line has the traceback.",
    )
    # fmt: on

    def __init__(self, label: str, level: int, limited: bool, when: str, remedy: str) -> None:
        self.label = label
        self.level = level
        self.limited = limited
        self.when = when
        self.remedy = remedy


class Event(msgspec.Struct, frozen=True):
    """One thing that happened. ``Sessions(on_event=...)`` is called with it, at once and in the thread of the request.

    So the function must not wait. It must be no coroutine function; where something has to be awaited, let it put the
    event into a queue.
    """

    #: What happened: one of the labels of ``EventKind``, such as ``"merged"``.
    name: str
    #: A keyed hash of the session's id, or "" where no session is concerned. Worthless to a thief.
    session: str
    #: What it means, in a sentence for a log.
    detail: str
    #: The address of the peer as the server says it, where a request is concerned and the server knows. Personal data,
    #: which the log does not get; and behind a proxy the proxy's, unless the server was told to believe a header. Then
    #: it is whatever that says: escape it before you write it into a line.
    client: str | None = None


class Events:
    """Counts what happens, and tells the log and the user's hook.

    ``name`` returns an id as all parts of the library know it. ``clock`` is for the limits of the log: not that of the
    options, which a test lets stand still and an administrator may set back.
    """

    __slots__ = ("_count_loaded", "_counts", "_hook", "_key", "_limit", "_name")

    def __init__(
        self,
        key: bytes,
        hook: Callable[[Event], object] | None,
        name: Callable[[str], str] = str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = hashlib.sha256(b"sessile events" + key).digest()
        self._hook = hook
        self._name = name
        self._limit: RateLimit[EventKind] = RateLimit(LINES, WINDOW, clock)
        # Advanced in one step of the interpreter, so no thread has to wait for another, and nothing is lost.
        self._counts = {each: count() for each in ("conflicts", "retries", *(one.label for one in EventKind))}
        self._count_loaded = self._counts[EventKind.LOADED.label].__next__

    def counts(self) -> dict[str, int]:
        """Return how often each thing has happened in this process."""
        numbers = {name: _reached(counter) for name, counter in self._counts.items()}
        return {name: number for name, number in numbers.items() if number}

    def count(self, name: str) -> None:
        """Note that something happened that is worth a number, and no words."""
        next(self._counts[name])

    def report(self, kind: EventKind, sid: str | None = None, detail: str = "", facts: Facts | None = None) -> None:
        """Report that ``kind`` befell the session ``sid``. A hook that raises is logged, and changes nothing.

        ``facts`` are those of the request, where there is one.
        """
        next(self._counts[kind.label])
        heard = logger.isEnabledFor(kind.level)
        if not heard and self._hook is None:
            return
        if heard and kind.limited:
            self._log_held()
            heard = self._limit.passes(kind)
            if not heard and self._hook is None:
                return
        alias = self.alias(sid)
        if heard:
            _log(kind, alias, detail)
        if self._hook is not None:
            self._call(self._hook, kind, alias, detail, facts)

    def report_loaded(self, sid: str | None, facts: Facts) -> None:
        """Report that a request has got the session ``sid``: the hot path, where nearly always nobody listens."""
        if self._hook is None and not logger.isEnabledFor(DEBUG):
            self._count_loaded()
        else:
            self.report(EventKind.LOADED, sid, "", facts)

    def alias(self, sid: str | None) -> str:
        """Return what stands for ``sid`` in events."""
        if sid is None:
            return ""
        return hashlib.blake2b(self._name(sid).encode("utf-8", "replace"), key=self._key, digest_size=6).hexdigest()

    def _call(
        self, hook: Callable[[Event], object], kind: EventKind, alias: str, detail: str, facts: Facts | None
    ) -> None:
        try:
            answer = hook(Event(kind.label, alias, detail, None if facts is None else facts().client))
            if inspect.iscoroutine(answer):
                answer.close()
                raise TypeError("on_event returned a coroutine, which nobody awaits. Give a plain function")
        except Exception:
            self.count(EventKind.HOOK_FAILED.label)
            self._log_held()
            if self._limit.passes(EventKind.HOOK_FAILED):
                _log(EventKind.HOOK_FAILED, alias, "the on_event hook failed", exc_info=True)

    def _log_held(self) -> None:
        for kind, number in self._limit.held():
            _log(kind, "", f"{number} more like this were suppressed", suppressed=number)


def _log(kind: EventKind, alias: str, detail: str, suppressed: int = 0, exc_info: bool = False) -> None:
    fields = {"event": kind.label, "session": alias, "detail": detail, "suppressed": suppressed}
    line = "%s session=%s %s"
    logger.log(kind.level, line, kind.label, alias or "-", detail, exc_info=exc_info, extra=fields)


def _reached(counter: count[int]) -> int:
    return int(repr(counter)[6:-1])  # count(7): there is no other way to look at it that does not advance it.


# Whoever can cause a line in a log can fill the disk with it. So of what strangers can cause, a few lines are written
# in each stretch of time, and then one that says how many there would have been. Names are the program's, never a
# client's, so what is kept here has a bound.
class RateLimit(Generic[T]):
    """Lets ``most`` things of one name pass in ``seconds``, which begin with the first, and counts the others.

    ``clock`` is one that never goes back. Thread-safe.
    """

    def __init__(self, most: int, seconds: float, clock: Callable[[], float]) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        #: By name: when its time is over, how many have passed, and how many have not.
        self._windows: dict[T, tuple[float, int, int]] = {}
        self._lock = threading.Lock()

    def passes(self, name: T) -> bool:
        """Tell whether one more may pass."""
        with self._lock:
            end, passed, held = self._windows.get(name) or (self._clock() + self._seconds, 0, 0)
            there_is_room = passed < self._most
            self._windows[name] = (end, passed + 1, held) if there_is_room else (end, passed, held + 1)
        return there_is_room

    def held(self) -> list[tuple[T, int]]:
        """Return the names whose time is over, and how many of each did not pass, where any did not. Tells it once."""
        now = self._clock()
        with self._lock:
            over = [(name, held) for name, (end, _, held) in self._windows.items() if end <= now]
            for name, _ in over:
                del self._windows[name]
        return [(name, held) for name, held in over if held]
