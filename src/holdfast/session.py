# A session is a dict, because applications rely on that: json.dumps(session), isinstance, |=, copy.
#
#   1. Every way of looking and of writing is noted (watched.py); changes are found at commit, by comparing bytes.
#   2. Intents (regenerate, destroy, touch, login, logout) change this object only. Their I/O is the commit's.
#   3. Only save, reload, pop_once, incr, transaction and lock do I/O at once; under asyncio they are awaitable.
#   4. The repr shows no data, for it ends in logs.
"""The session: what a handler reads and writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from enum import Enum
from math import isfinite
from typing import Any, Protocol, TypeVar

from holdfast.attributes import SessionCookie, iso, original_max_age, refresh
from holdfast.errors import NotFresh, NotLoaded, SessionEnded, SessionError
from holdfast.events import Happening
from holdfast.facts import Facts
from holdfast.lifetime import LONGEST_GRACE
from holdfast.merge import Merged, merge
from holdfast.record import (
    AUTHENTICATED,
    CLAIMS,
    CREATED,
    INDEXES,
    JSON,
    REMEMBERED,
    RENEWED,
    USER,
    Contents,
    decode,
    same,
)
from holdfast.watched import Watched

__all__ = ["Backing", "Block", "Intent", "Session", "View"]

#: Where flashed messages are kept: {category: [message, ...]}, as connect-flash of Node does.
FLASH = "flash"


#: What a lazy session holds until it is loaded, for serialisers in C see for themselves whether a dict is empty. With
#: something in it json asks for the items, and so loads it; orjson, msgspec and ujson never ask, and refuse this.
_UNREAD: Any = NotLoaded("a lazy session that nobody has looked at cannot be written. Write a copy: session.copy()")

_READ_ONLY = "this request only looks at its session (read_only). Change it in another one"


class Intent(Enum):
    """What a handler has asked to become of its session."""

    KEEP = "keep"
    REGENERATE = "regenerate"
    DESTROY = "destroy"
    #: Nobody's intent: somebody else ended the session meanwhile.
    LOST = "lost"


class Backing(Protocol):
    """What stands behind a session and does its I/O: the manager."""

    def now(self) -> float:
        """Return the time, in epoch seconds."""

    def new_id(self, session: Session) -> str:
        """Return a new id for ``session``."""

    def tell(self, session: Session, happening: Happening, detail: str) -> None:
        """Report that ``happening`` befell ``session``."""

    def autosave(self, session: Session) -> bool:
        """Return what the options say of ``session.autosave``."""

    def extends(self, session: Session) -> bool:
        """Return what the options say of ``session.extends``."""

    def remembered(self) -> float:
        """Return for how many seconds a session lives whose visitor wants to be remembered. Raises SessionError."""

    def cookie_attributes(self, session: Session) -> dict[str, JSON]:
        """Return the attributes of a new cookie for ``session``, as they are stored."""

    def last_seen(self, session: Session) -> float:
        """Return when ``session``, which is stored, was last used."""

    def expires_at(self, session: Session) -> float:
        """Return when ``session``, which is stored, ends."""

    async def load_async(self, session: Session) -> None:
        """Load ``session``, if it is lazy and nobody has."""

    def save(self, session: Session) -> Any:
        """Commit ``session`` now."""

    def reload(self, session: Session) -> Any:
        """Load ``session`` again."""

    def pop_once(self, session: Session, key: str, default: JSON) -> Any:
        """Take ``key`` out of the stored record."""

    def incr(self, session: Session, key: str, by: float) -> Any:
        """Add ``by`` to ``key`` in the stored record."""

    def begin(self, session: Session) -> Any:
        """Bring ``session`` up to what is stored, keeping the changes made here, and return it."""

    def finish(self, session: Session, kept: bool) -> Any:
        """Commit ``session`` now, if it is to be ``kept``, and refuse to overwrite a key that somebody else changed."""

    def lock(self, session: Session, ttl: float, wait: float) -> Any:
        """Take the lock of ``session``, and return the holder's number."""

    def unlock(self, session: Session, kept: bool) -> Any:
        """Commit ``session`` now, if it is to be ``kept``, and give the lock back."""


class View(Protocol):
    """Something else that shows the data of a session, and in which it can be changed: see ``schema.py``."""

    def write(self) -> None:
        """Write to the session what was changed in the view."""

    def refresh(self) -> None:
        """Show what is in the session."""


V = TypeVar("V", bound=View)


class Session(Watched):
    """What a handler reads and writes: a dict that is remembered, plus ``id``, ``cookie`` and its intents.

    Values are what JSON can hold. A change at any depth is noticed: ``session["cart"]["items"].append(x)``. Changes
    reach the store when the response begins, in one step with what other requests changed meanwhile.

    Sessions are made by ``Sessions`` and its middleware, not by hand.
    """

    __slots__ = (
        "_autosave",
        "_backing",
        "_cookie",
        "_cookie_stored",
        "_ended",
        "_ends",
        "_extends",
        "_facts",
        "_grace",
        "_header",
        "_headless",
        "_id",
        "_intent",
        "_kept",
        "_loaded",
        "_loader",
        "_payload",
        "_pocket",
        "_promised",
        "_proof",
        "_renewed",
        "_renews",
        "_restated",
        "_system",
        "_told",
        "_touched",
        "_views",
        "fence",
        "sent_on",
    )

    def __init__(
        self,
        data: dict[str, JSON],
        backing: Backing,
        sid: str | None = None,
        payload: bytes | None = None,
        cookie: dict[str, JSON] | None = None,
        system: dict[str, JSON] | None = None,
    ) -> None:
        super().__init__(data)
        self._backing = backing
        self._id = sid
        #: The sid under which the store has a record, or None if it has none.
        self._loaded = sid
        #: That record's bytes, as they were loaded or last written by us.
        self._payload = payload
        self._cookie_stored = cookie
        self._cookie: SessionCookie | None = None
        self._system: dict[str, JSON] = system or {}
        self._intent = Intent.KEEP
        #: The keys whose values live on after regenerate(); True for all.
        self._kept: frozenset[str] | bool = False
        #: For how many seconds after regenerate() the old id is good as well.
        self._grace = 0.0
        #: Whether that is a renewal, which the handler did not ask for.
        self._renews = False
        #: Whether the request came by an id that the session had before, and was sent on. It is not given the new one.
        self.sent_on = False
        #: The number of the lock that this request holds, or 0.
        self.fence = 0
        self._touched = False
        #: What there is to tell of the user once the store has it: that he has logged in, or proved again who he is.
        self._proof: Happening | None = None
        #: Whether the system fields were changed, and not by an intent.
        self._restated = False
        #: Whether the record has been renewed in this request already.
        self._renewed = False
        #: The attributes of a cookie that the store has confirmed and the browser has not got yet.
        self._promised: dict[str, JSON] | None = None
        #: Whether the head of the response is on its way, so that no cookie can be sent any more.
        self._headless = False
        #: Where the manager finds the facts of the request, where there is one.
        self._facts: Facts | None = None
        #: What a lazy session's request says of it.
        self._header = b""
        #: When the record ends, in epoch seconds, as it was loaded.
        self._ends = 0.0
        #: What the handler said of these, where it differs from the options.
        self._autosave: bool | None = None
        self._extends: bool | None = None
        #: The store of this request, where the session travels in the cookie.
        self._pocket: Any = None
        #: Whether the program was told, by an exception, that the session as it is cannot be committed. The response
        #: that it gives to that, an error page perhaps, does not meet the same exception again.
        self._told = False
        #: Why nothing can be changed any more, or None.
        self._ended: str | None = None
        #: Called before the first look, where loading is lazy.
        self._loader: Callable[[], object] | None = None
        self._views: tuple[View, ...] = ()

    # What it is -------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        if self._loader is not None:
            return "<Session lazy>"
        return f"<Session {'new' if self._loaded is None else 'loaded'}, {dict.__len__(self)} keys>"

    @property
    def id(self) -> str:
        """The session's id (sid). A handle, worthless without the signature; still, do not log it."""
        self.mark_accessed()
        return self.sid()

    @property
    def is_new(self) -> bool:
        """Whether the store has no record of this session: the visitor is new, or its id was changed just now."""
        self.mark_accessed()
        return self._loaded is None or self._intent is Intent.REGENERATE

    @property
    def is_modified(self) -> bool:
        """Whether something in it is not what was loaded, at any depth. Costs one encoding."""
        self.mark_accessed()
        self.settle()
        return self._intent is not Intent.KEEP or self._restated or self.cookie_changed or self.data_changed()

    @property
    def created_at(self) -> float | None:
        """When the session began, in epoch seconds. None for a stored one that nobody has logged in to.

        The record of an anonymous session is exactly what express-session writes, which has no place for it; but with a
        ``Lifetime`` that counts from there.
        """
        self.mark_accessed()
        if self._loaded is None and CREATED not in self._system:
            return self._backing.now()
        value = self._system.get(CREATED)
        return float(value) if isinstance(value, (int, float)) else None

    @property
    def last_seen(self) -> float | None:
        """When it was used before this, in epoch seconds, to ``touch_after``. None for one that is not stored."""
        self.mark_accessed()
        return None if self._loaded is None else self._backing.last_seen(self)

    @property
    def expires_at(self) -> float | None:
        """When it ends if it is not used any more, in epoch seconds. None for one that is not stored."""
        self.mark_accessed()
        return None if self._loaded is None else self._backing.expires_at(self)

    @property
    def user_id(self) -> str | int | None:
        """The user given to ``login``, or None while nobody is logged in."""
        self.mark_accessed()
        value = self._system.get(USER)
        return value if isinstance(value, (str, int)) else None

    @property
    def logged_in_at(self) -> float | None:
        """When the user last proved to be who he is, in epoch seconds; None while nobody is logged in."""
        self.mark_accessed()
        value = self._system.get(AUTHENTICATED)
        return float(value) if isinstance(value, (int, float)) and self.user_id is not None else None

    @property
    def claims(self) -> dict[str, JSON]:
        """What was given to ``login()`` beside the user. A copy."""
        self.mark_accessed()
        value = self._system.get(CLAIMS)
        return dict(value) if isinstance(value, dict) else {}

    def is_fresh(self, max_age: float) -> bool:
        """Tell whether the user has proved to be who he is within the last ``max_age`` seconds.

        Ask before something delicate: a change of password, a payment (OWASP ASVS 7.5.1).
        """
        at = self.logged_in_at
        return at is not None and 0 <= self._backing.now() - at <= max_age

    def require_fresh(self, max_age: float) -> None:
        """Raise NotFresh unless ``is_fresh(max_age)``: then ask for the password, and call ``reauthenticated()``."""
        if not self.is_fresh(max_age):
            raise NotFresh(max_age)

    @property
    def cookie(self) -> SessionCookie:
        """The attributes of this session's cookie. Changing one counts as a change of the session."""
        self.mark_accessed()
        if self._cookie is None:
            attributes = self.cookie_attributes()
            if isfinite(self._ends) and self._ends and attributes.get("expires") is not None:
                # A touch moves the end of the record, and not what is written in it.
                attributes = {**attributes, "expires": iso(self._ends)}
            self._cookie = SessionCookie(attributes, self._backing.now, self.writable)
        return self._cookie

    @property
    def autosave(self) -> bool:
        """Whether changes are stored when the response begins. Set it to False, and only ``save()`` stores them.

        What ``regenerate``, ``login``, ``destroy`` and ``logout`` ask for is carried out all the same.
        """
        return self._backing.autosave(self) if self._autosave is None else self._autosave

    @autosave.setter
    def autosave(self, value: bool) -> None:
        self._autosave = bool(value)

    @property
    def extends(self) -> bool:
        """Whether this request counts as a visit: whether the session's life begins anew with it.

        Set it to False where a page asks by itself, so that an open window does not keep a session alive for ever
        (OWASP Session Management: idle timeout). What the request changes is stored; ``touch()`` extends all the same.
        """
        return self._backing.extends(self) if self._extends is None else self._extends

    @extends.setter
    def extends(self, value: bool) -> None:
        self._extends = bool(value)

    @property
    def read_only(self) -> bool:
        """Whether this request only looks: nothing is written and no life extended. Set it to True; for this request.

        A change raises SessionEnded then. For what must not disturb: health checks, previews, pages that ask by
        themselves.
        """
        return self._ended is _READ_ONLY

    @read_only.setter
    def read_only(self, value: bool) -> None:
        if self._ended not in (None, _READ_ONLY):
            return
        if value and (self._intent is not Intent.KEEP or self._written):
            raise SessionError("this request has changed the session already: set read_only before")
        self._ended = _READ_ONLY if value else None
        self._autosave = self._extends = False if value else None

    # Intents ----------------------------------------------------------------------------------------------------

    def regenerate(self, keep: Iterable[str] | bool = (), *, grace: float = 0) -> None:
        """Give the session a new id; the old one is dead from the commit on.

        ``keep`` names the keys whose values live on; True keeps all, the default none. Do this whenever what the
        visitor may do changes: an id that somebody planted before is worthless after (OWASP: session fixation). With
        True the session keeps its own length of life too; else it gets a cookie as the options say.

        ``grace``: for how many seconds, up to 300, a request that still comes by the old id gets the session, under its
        new id, of which it is not told. For renewing an id now and then, while a page has several requests in flight;
        not where privileges change, for whoever knows the old id has them too as long as that lasts. What comes by the
        old id later gets no session, and the event ``replayed`` tells of it: the token may be a stolen one.
        """
        if isinstance(keep, str):
            raise TypeError(f"keep={keep!r}: give a list of keys, or True for all")
        if isinstance(grace, bool) or not isinstance(grace, (int, float)) or not 0 <= grace <= LONGEST_GRACE:
            raise ValueError(f"grace={grace!r}: give seconds, from 0 to {LONGEST_GRACE}")
        self._ended = None if self._intent is Intent.DESTROY else self._ended
        self.writable()
        if self._intent is Intent.LOST:
            keep = ()  # What is over is not brought back to life under another id.
        kept = keep if isinstance(keep, bool) else frozenset(keep)
        self.settle()
        if kept is not True:
            self._system = {}
            for key in [key for key in dict.keys(self) if not kept or key not in kept]:
                dict.__delitem__(self, key)
        self._intent = Intent.REGENERATE
        life = original_max_age(self.cookie_attributes()) if kept is True and self._loaded is not None else None
        self._kept = kept
        self._grace = float(grace)
        self._id = None
        self._ends = 0.0
        self._cookie = None
        self._cookie_stored = None
        if life is not None:
            self._cookie_stored = {**self.cookie_attributes(), "originalMaxAge": life}
            refresh(self._cookie_stored, self._backing.now())
        self.refresh()

    def destroy(self) -> None:
        """End the session: its record is removed, the browser's cookie expired. Later changes raise SessionEnded."""
        if self._intent is not Intent.DESTROY:
            self.writable()
        self._written = True
        dict.clear(self)
        self._system = {}
        self._intent = Intent.DESTROY
        self.refresh()
        self._ended = "the session was destroyed. Call regenerate() first to begin a new one"

    def touch(self) -> None:
        """Renew the session: its record lives on for its whole life from now, and the cookie is sent again."""
        self.writable()
        self._touched = True

    def login(
        self, user_id: str | int, keep: Iterable[str] | bool = True, *, remember: bool = False, **claims: JSON
    ) -> None:
        """Record that the visitor has proved to be ``user_id``, under a new id.

        ``keep`` is what lives on of the anonymous session, as in ``regenerate``; the data of another user never
        does. ``claims`` is what a list of the user's sessions should show (``Sessions.of_user``): the device, the
        address. OWASP Session Management: a new id at every change of privilege.

        ``remember``: the session outlives the browser, and is limited by ``Lifetime.remember`` in place of its other
        limits. For the box "remember me", where the user has ticked it, for whoever finds the device finds him logged
        in (NIST SP 800-63B-4 section 5.1). Raises SessionError where the options remember nobody.

        The response raises TooManySessions if the user may have no more of them (``max_sessions_per_user``); to answer
        that with a page of your own, ``save()`` here.
        """
        if isinstance(user_id, bool) or not isinstance(user_id, (str, int)) or user_id == "":
            raise TypeError(f"login() takes the user's id as text or an int, not a {type(user_id).__name__}")
        life = self._backing.remembered() if remember else None
        someone_else = self.user_id is not None and self.user_id != user_id
        self.regenerate(keep=() if someone_else else keep)
        self._cookie_stored = None
        now = self._backing.now()
        self._system = {CREATED: now, USER: user_id, AUTHENTICATED: now}
        if claims:
            self._system[CLAIMS] = claims
        if life is not None:
            self._system[REMEMBERED] = True
            self.cookie.max_age = life
        self._proof = Happening.LOGGED_IN

    def reauthenticated(self) -> None:
        """Record that the user, who is logged in, has just proved again to be who he is. The session gets a new id.

        Do this before something delicate, when ``is_fresh`` says no (OWASP ASVS 7.5.1; NIST 800-63B 5.2). Raises
        SessionError if nobody is logged in.
        """
        if self.user_id is None:
            raise SessionError("nobody is logged in here: call login()")
        self.regenerate(keep=True)
        self._system = {**self._system, AUTHENTICATED: self._backing.now()}
        self._proof = self._proof or Happening.REAUTHENTICATED

    def renew(self, grace: float, now: float) -> None:
        """Give the session a new id because it has had the old one for long enough. For the library."""
        self.regenerate(keep=True, grace=grace)
        self._system = {**self._system, RENEWED: now}
        self._renews = True

    def begin(self, now: float) -> None:
        """Note when the session began, where a limit of its life counts from that. For the library."""
        self._system = {**self._system, CREATED: now}
        self._restated = True

    def index(self, name: str, value: str | int | None) -> None:
        """Let ``Sessions.revoke_where(name, value)`` find this session; None takes it out.

        For what ends several sessions at once: a tenant, or the ``sid`` of an OpenID provider that logs out over the
        back channel (OpenID Connect Back-Channel Logout 1.0). For a session that is stored, or will be.
        """
        if not isinstance(name, str) or not name or name == USER:
            raise ValueError(f"{name!r} cannot name an index" + (": login() keeps that one" if name == USER else ""))
        if isinstance(value, bool) or not isinstance(value, (str, int, type(None))):
            raise TypeError(f"index() takes text or an int, not a {type(value).__name__}")
        self.writable()
        before = self._system.get(INDEXES)
        values = {**(before if isinstance(before, dict) else {}), name: value}
        self._system = {**self._system, INDEXES: {each: kept for each, kept in values.items() if kept is not None}}
        self._restated = True

    def logout(self) -> None:
        """End the session of the user who is logged in: the same as ``destroy``."""
        self.destroy()

    # Messages for the next page -----------------------------------------------------------------------------------

    def flash(self, message: str, category: str = "info") -> None:
        """Keep ``message`` for the next page that asks with ``flashes``. Survives redirects, is read once."""
        self.writable()
        kept = self.get(FLASH)
        if not isinstance(kept, dict):
            kept = self[FLASH] = {}
        messages = kept.get(category)
        kept[category] = [*messages, message] if isinstance(messages, list) else [message]

    def flashes(self, category: str | None = None) -> dict[str, list[str]]:
        """Take the flashed messages out of the session, by category; with ``category``, those of that one only."""
        kept = self.get(FLASH)
        if not isinstance(kept, dict):
            return {}
        taken = {name: kept.pop(name) for name in list(kept) if category in (None, name)}
        if not kept:
            del self[FLASH]
        return taken

    # I/O at once --------------------------------------------------------------------------------------------------

    def save(self) -> Any:
        """Commit now instead of when the response begins. Await it under asyncio.

        Returns True if the store has the session as it is here, False if the session was ended by somebody else
        meanwhile, and nothing was written. Raises StoreUnavailable if the store is down.
        """
        return self._backing.save(self)

    def reload(self) -> Any:
        """Load the session again; changes made here and not saved are lost. Await it under asyncio.

        Raises SessionGone if the store has it no more.
        """
        return self._backing.reload(self)

    def pop_once(self, key: str, default: JSON = None) -> Any:
        """Take ``key`` out of the stored session and return its value; of all requests, one gets it.

        For one-time tokens. Writes at once, this key only; await it under asyncio. Returns ``default`` if the key is
        not there, or no more.
        """
        return self._backing.pop_once(self, key, default)

    def incr(self, key: str, by: float = 1) -> Any:
        """Add ``by`` to the number under ``key``, which counts as 0 if there is none, and return the sum.

        Of all requests at once each adds its own: none is lost. Writes at once, this key only; await it under asyncio.
        A new session is written with its request. Raises SessionGone if the session was ended meanwhile, and TypeError
        if something else than a number is there.
        """
        if isinstance(by, bool) or not isinstance(by, (int, float)):
            raise TypeError(f"incr() adds a number, not a {type(by).__name__}")
        return self._backing.incr(self, key, by)

    def transaction(self) -> Block:
        """Return a block that sees the session as it is stored now, and commits at its end.

        ``async with session.transaction() as s:`` under asyncio, ``with`` elsewhere; ``s`` is this session, with what
        others have stored and what was changed here. If the block raises, nothing of it is kept. Raises SessionGone
        if the session has been ended, and SessionConflict, with nothing written, if somebody else changed the same
        key while the block ran: then run it again.
        """
        return Block(self, lambda: self._backing.begin(self), lambda kept: self._backing.finish(self, kept))

    def lock(self, *, ttl: float = 10, wait: float = 10) -> Block:
        """Return a block that one request at a time may be in, of all that take the lock of this session.

        ``async with session.lock() as fence:`` under asyncio, ``with`` elsewhere. Inside, the session is as it is
        stored now, with what was changed here; at the end it is committed, and the lock given back. For those who want
        strict order; without it changes are joined. A request that does not ask for the lock is not kept out.

        ``ttl`` is for how many seconds the lock is held at most, so that one who dies with it keeps nobody out for
        longer. ``wait`` is for how many seconds others are waited for; then SessionLocked is raised. Whoever comes
        first when it is free has it. ``fence`` is a number larger than that of any holder before: give it to other
        systems that you write to, so that they can refuse one who is late (a fencing token). Raises LockLost, with
        nothing written, if somebody else got it because the time was over; SessionGone if the session was ended.
        """
        for name, value, least in (("ttl", ttl, 0.001), ("wait", wait, 0)):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= 86_400:
                raise ValueError(f"{name}={value!r}: give seconds, from {least} to 86400")
        return Block(self, lambda: self._backing.lock(self, ttl, wait), lambda kept: self._backing.unlock(self, kept))

    # For the library ----------------------------------------------------------------------------------------------

    def mark_accessed(self) -> None:
        """Note that the response depends on the session. Starlette's ``request.session`` calls this."""
        if self._loader is not None:
            self._loader()
        self._accessed = True

    def writable(self) -> None:
        """Note that the session is about to be changed. Raises SessionEnded if nothing would store the change."""
        if self._loader is not None:
            self._loader()
        self._accessed = self._written = True
        self._told = False
        if self._ended is not None:
            raise SessionEnded(self._ended)

    # None of these counts as looking: they serve the commit, not the handler.

    def show_in(self, make: Callable[[Session], V]) -> V:
        """Let the view that ``make`` returns show the data: what is changed in it is taken over before each commit."""
        self.mark_accessed()
        self._exposed = True
        view = make(self)  # With the session itself, where a caller may have a proxy of it.
        self._views += (view,)
        return view

    def settle(self) -> None:
        """Take over what was changed in views."""
        if self._intent is Intent.KEEP or self._intent is Intent.REGENERATE:
            for view in self._views:
                view.write()

    def refresh(self) -> None:
        """Let views show what became of the data."""
        for view in self._views:
            view.refresh()

    def sid(self) -> str:
        """Return the id, made now if there is none yet."""
        if self._id is None:
            self._id = self._backing.new_id(self)
        return self._id

    def contents(self) -> Contents:
        """Return what a record of this session would hold."""
        cookie = self._cookie.stored if self._cookie is not None else self._cookie_stored
        return Contents(self, cookie, self._system)

    def cookie_attributes(self) -> dict[str, JSON]:
        """Return the cookie's attributes as they are stored, made now from the options if there are none yet."""
        if self._cookie is not None:
            return self._cookie.stored
        if self._cookie_stored is None:
            self._cookie_stored = self._backing.cookie_attributes(self)
        return self._cookie_stored

    def load_by(self, loader: Callable[[], object]) -> None:
        """Be lazy: ``loader`` is called before the first look."""
        self._loader = loader
        dict.__setitem__(self, "", _UNREAD)

    def load_nothing(self) -> None:
        """Be empty, if nobody has loaded what is stored: it cannot be had."""
        if self._loader is not None:
            self._loader = None
            dict.clear(self)

    def may_have_changed(self) -> bool:
        """Tell whether it is worth looking for changes since the session was last stored."""
        return self._written or self._exposed

    def data_changed(self) -> bool:
        """Tell whether the data is not what is stored, at any depth."""
        payload = self._payload
        if payload is None:
            return dict.__len__(self) > 0
        return not same(self.contents(), payload)

    @property
    def cookie_changed(self) -> bool:
        """Whether a handler changed an attribute of the cookie."""
        return self._cookie is not None and self._cookie.changed

    @property
    def over(self) -> bool:
        """Whether nothing can be changed any more."""
        return self._ended is not None

    @property
    def lost(self) -> bool:
        """Whether somebody else ended the session while this request was at work on it."""
        return self._intent is Intent.LOST

    def lose(self) -> None:
        """Note that somebody else ended the session: nothing of it will be stored."""
        self._intent = Intent.LOST
        self._loaded = self._promised = None
        self._written = False

    def become(self, other: Session) -> None:
        """Be what ``other`` is, a session that was just opened."""
        dict.clear(self)
        dict.update(self, dict.items(other))
        self._id = other._id
        self._loaded = other._loaded
        self._payload = other._payload
        self._pocket = other._pocket or self._pocket
        self._ends = other._ends
        self._system = other._system
        self._cookie_stored, self._cookie = other._cookie_stored, None
        self._intent, self._proof = Intent.KEEP, None
        self._kept = self._told = self._restated = self._renews = False
        self._touched, self._written = other._touched, other._written
        self.sent_on = self.sent_on or other.sent_on
        self.refresh()

    def adopt(self, sid: str, payload: bytes, ttl: float) -> None:
        """Be what ``payload`` says, which was just written under ``sid``: ours, joined with what others changed."""
        contents = decode(payload)
        assert contents is not None
        dict.clear(self)
        dict.update(self, contents.data)
        self._system = contents.system
        self.stored_as(sid, payload, contents.cookie, ttl)
        self.refresh()

    def stored_as(self, sid: str, payload: bytes, cookie: dict[str, JSON] | None, ttl: float) -> None:
        """Note that the store has ``payload`` under ``sid`` now, for ``ttl`` seconds, and nothing is left to commit."""
        self._id = self._loaded = sid
        self._payload = payload
        self._ends = self._backing.now() + ttl
        self._cookie_stored = cookie
        self._cookie = None
        self._intent, self._proof = Intent.KEEP, None
        self._kept = self._touched = self._written = self._restated = self._renews = False
        self._renewed = True

    def apply(self, change: Callable[[dict[str, JSON]], JSON]) -> JSON:
        """Apply ``change`` to the data, which counts as writing, not as looking."""
        self.settle()
        data = dict(dict.items(self))
        result = change(data)
        dict.clear(self)
        dict.update(self, data)
        self.refresh()
        return result

    def rebase(self, stored: Session, join: Callable[..., Merged] = merge) -> None:
        """Take over what is stored now, and keep what was changed here since the load as changes."""
        self.settle()
        base = decode(self._payload or b"{}") or Contents({}, None, {})
        theirs = dict(dict.items(stored))
        merged = join(base.data, dict(dict.items(self)), theirs).data
        dict.clear(self)
        dict.update(self, merged)
        if self._id == self._loaded:
            self._id = stored._id
        self._loaded = stored._loaded
        self._payload = stored._payload
        self._system = merge(base.system, self._system, stored._system, depth=2).data
        self.sent_on = self.sent_on or stored.sent_on
        if self._intent is Intent.KEEP:
            self._ends = stored._ends
            if not self.cookie_changed:
                self._cookie_stored, self._cookie = stored._cookie_stored, None
        self.refresh()

    def rewritten(self, payload: bytes, before: dict[str, JSON], after: dict[str, JSON], ends: float) -> None:
        """Note that the store has ``payload``, and what was changed here is still to come.

        ``before`` and ``after`` are the system fields in the store before it was written, and now.
        """
        self._system = merge(before, self._system, after, depth=2).data
        self._payload = payload
        if self._intent is Intent.KEEP:
            self._ends = ends

    def end(self, reason: str) -> None:
        """Refuse changes from here on, because nothing would store them, and let go of the request."""
        if self._ended is None:
            self._ended = reason
        self._facts = None


class Block:
    """A block of work on the session as it is stored now: ``with``, or ``async with`` under asyncio.

    If the block raises, or its commit is refused, nothing is kept of what it changed.
    """

    __slots__ = ("_before", "_begin", "_end", "_session")

    def __init__(self, session: Session, begin: Callable[[], Any], end: Callable[[bool], Any]) -> None:
        self._session = session
        self._begin = begin
        self._end = end
        self._before: dict[str, JSON] = {}

    def _begun(self) -> None:
        self._session.settle()
        self._before = deepcopy(self._session.copy())

    def _undo(self) -> None:
        dict.clear(self._session)
        dict.update(self._session, self._before)
        self._session.refresh()

    def __enter__(self) -> Any:
        answer = self._begin()
        if hasattr(answer, "__await__"):
            answer.close()
            raise SessionError("under asyncio this has to wait for the store: write `async with`, not `with`")
        self._begun()
        return answer

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if kind is not None:
            self._undo()
        try:
            self._end(kind is None)
        except BaseException:
            self._undo()
            raise

    async def __aenter__(self) -> Any:
        answer = await self._begin()
        self._begun()
        return answer

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        if kind is not None:
            self._undo()
        try:
            await self._end(kind is None)
        except BaseException:
            self._undo()
            raise


def of_slot(slot: object) -> Session | None:
    """Return what a framework's slot holds, if it is a session or None."""
    if slot is None or isinstance(slot, Session):
        return slot
    raise SessionError(
        f"the session was replaced by a {type(slot).__name__}. Change the session itself, or set the slot to None"
    )
