# A session is a dict, because applications rely on that: json.dumps(session), isinstance, |=, copy.
#
#   1. Every way of looking and of writing is noted (watched.py); changes are found at commit, by comparing bytes.
#   2. Intents (regenerate, destroy, touch, login, logout) change this object only. Their I/O is the commit's.
#   3. Only save, reload, pop_once, incr, transaction and lock do I/O at once, each under two names: the plain one waits
#      for the store, the one with an `a` before it is a coroutine function.
#   4. What the library notes stands in one State (state.py), which no handler sees.
#   5. The repr shows no data, for it ends in logs.
"""The session: what a handler reads and writes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from sessile._records.attributes import moment_in, original_max_age, refresh
from sessile._records.naming import LETTERS, fresh
from sessile._records.record import AUTHENTICATED, CLAIMS, CREATED, INDEXED, INDEXES, JSON, NAME, REMEMBERED, USER
from sessile._session import data, flash
from sessile._session.arguments import check_number, check_seconds, check_user
from sessile._session.block import Block
from sessile._session.cookie import SessionCookie
from sessile._session.state import READ_ONLY, Intent
from sessile._session.watched import Watched
from sessile.device import Device
from sessile.errors import NotFresh, SessionError
from sessile.events import EventKind
from sessile.lifetime import CLOCKS_APART, LONGEST_GRACE

__all__ = ["Session"]


class Session(Watched):
    """What a handler reads and writes: a dict that is remembered, plus ``id``, ``cookie`` and its intents.

    Values are what JSON can hold. A change at any depth is noticed: ``session["cart"]["items"].append(x)``. Changes
    reach the store when the response begins, in one step with what other requests changed meanwhile.

    Sessions are made by ``Sessions`` and its middleware, not by hand.
    """

    __slots__ = ()

    # What it is -------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        state = self._state
        if state.loader is not None:
            return "<Session lazy>"
        return f"<Session {'new' if state.loaded is None else 'loaded'}, {dict.__len__(self)} keys>"

    @property
    def id(self) -> str:
        """The session's id (sid). A handle, worthless without the signature; still, do not log it."""
        self.mark_accessed()
        return data.sid_of(self._state)

    @property
    def is_new(self) -> bool:
        """Whether the store has no record of this session: the visitor is new, or its id was changed just now."""
        self.mark_accessed()
        return self._state.loaded is None or self._state.intent is Intent.REGENERATE

    @property
    def is_modified(self) -> bool:
        """Whether something in it differs from what was loaded, at any depth. Costs one encoding."""
        self.mark_accessed()
        data.settle(self)
        state = self._state
        if state.intent is not Intent.KEEP or state.restated or state.cookie_changed():
            return True
        return data.has_changed(self, state)

    @property
    def modified(self) -> bool:
        """``is_modified``, as other sessions of Python call it. Setting it is not needed, and does nothing."""
        return self.is_modified

    @modified.setter
    def modified(self, value: bool) -> None:
        pass

    @property
    def created_at(self) -> float | None:
        """When the session began, in epoch seconds. None for a stored one that nobody has logged in to.

        The record of an anonymous session is exactly what express-session writes, which has no place for it; but with a
        ``Lifetime`` that counts from there.
        """
        self.mark_accessed()
        state = self._state
        if state.loaded is None and CREATED not in state.system:
            return state.backing.now()
        return moment_in(state.system.get(CREATED))

    @property
    def last_seen(self) -> float | None:
        """When it was used before this, in epoch seconds, to ``touch_after``. None for one that is not stored."""
        self.mark_accessed()
        state = self._state
        return None if state.loaded is None else state.backing.last_seen(state)

    @property
    def expires_at(self) -> float | None:
        """When it ends if it is not used any more, in epoch seconds. None for one that is not stored."""
        self.mark_accessed()
        state = self._state
        return None if state.loaded is None else state.backing.expires_at(state)

    @property
    def user_id(self) -> str | int | None:
        """The user given to ``login``, or None while nobody is logged in."""
        self.mark_accessed()
        value = self._state.system.get(USER)
        return value if isinstance(value, (str, int)) else None

    @property
    def logged_in_at(self) -> float | None:
        """When the user last proved who they are, in epoch seconds; None while nobody is logged in."""
        self.mark_accessed()
        return None if self.user_id is None else moment_in(self._state.system.get(AUTHENTICATED))

    @property
    def claims(self) -> dict[str, JSON]:
        """What was given to ``login()`` beside the user. A copy."""
        self.mark_accessed()
        value = self._state.system.get(CLAIMS)
        return dict(value) if isinstance(value, dict) else {}

    def is_fresh(self, max_age: float) -> bool:
        """Return True if the user has proved who they are within the last ``max_age`` seconds.

        Ask before something delicate: a change of password, a payment (OWASP ASVS 7.5.1).
        """
        at = self.logged_in_at
        return at is not None and -CLOCKS_APART <= self._state.backing.now() - at <= max_age

    def require_fresh(self, max_age: float) -> None:
        """Raise NotFresh unless ``is_fresh(max_age)``: then ask for the password, and call ``reauthenticated()``."""
        if not self.is_fresh(max_age):
            raise NotFresh(max_age)

    @property
    def device(self) -> Device:
        """Whether it is bound to a device, and whether this request comes from there."""
        self.mark_accessed()
        return self._state.backing.device(self._state)

    @property
    def cookie(self) -> SessionCookie:
        """The attributes of this session's cookie. Changing one counts as a change of the session."""
        self.mark_accessed()
        state = self._state
        if state.cookie is None:
            state.cookie = SessionCookie(data.cookie_now(state), state.backing.now, self._about_to_write)
        return state.cookie

    @property
    def autosave(self) -> bool:
        """Whether changes are stored when the response begins. Set it to False, and only ``save()`` stores them.

        What ``regenerate``, ``login``, ``destroy`` and ``logout`` ask for is carried out all the same.
        """
        state = self._state
        return state.backing.autosaves() if state.autosave is None else state.autosave

    @autosave.setter
    def autosave(self, value: bool) -> None:
        self._state.autosave = bool(value)

    @property
    def keep_alive(self) -> bool:
        """Whether this request counts as a visit, with which the session's life begins anew.

        Set it to False where a page asks by itself, so that an open window does not keep a session alive for ever
        (OWASP Session Management: idle timeout). What the request changes is stored; ``touch()`` renews all the same.
        """
        state = self._state
        return state.backing.keeps_alive(state) if state.keep_alive is None else state.keep_alive

    @keep_alive.setter
    def keep_alive(self, value: bool) -> None:
        self._state.keep_alive = bool(value)

    @property
    def read_only(self) -> bool:
        """Whether this request only looks: nothing is written and no life renewed. Set it to True, for this request.

        A change raises SessionEnded then. For what must not disturb: health checks, previews, pages that ask by
        themselves.
        """
        return self._state.ended is READ_ONLY

    @read_only.setter
    def read_only(self, value: bool) -> None:
        state = self._state
        if state.ended not in (None, READ_ONLY):
            return
        if value and (state.intent is not Intent.KEEP or state.written):
            raise SessionError("this request has changed the session already: set read_only before")
        state.ended = READ_ONLY if value else None
        state.autosave = state.keep_alive = False if value else None

    # Intents ----------------------------------------------------------------------------------------------------

    def regenerate(self, keep: Iterable[str] | bool = (), *, grace: float = 0) -> None:
        """Give the session a new id; the old one is dead from the commit on.

        ``keep`` names the keys whose values live on; True keeps all, the default none. Do this whenever what the
        visitor may do changes: an id that somebody planted before is worthless after (OWASP: session fixation). With
        True the session keeps its own length of life too; else it gets a cookie as the options say.

        ``grace``: for how many seconds, up to 300, a request that still comes by the old id gets the session, under its
        new id, of which it is not told. For renewing an id now and then, while a page has several requests in flight;
        not where privileges change, for anybody who knows the old id has them too as long as that lasts. What comes by
        the old id later gets no session, and the event ``replayed`` tells of it: the token may be a stolen one.
        """
        if isinstance(keep, str):
            raise TypeError(f"keep={keep!r}: give a list of keys, or True for all")
        if isinstance(grace, bool) or not isinstance(grace, (int, float)) or not 0 <= grace <= LONGEST_GRACE:
            raise ValueError(f"grace={grace!r}: give seconds, from 0 to {LONGEST_GRACE}")
        state = self._state
        if state.intent is Intent.DESTROY:
            state.ended = None
        self._about_to_write()
        if state.intent is Intent.LOST:
            keep = ()  # A session that has ended is not brought back to life under another id.
        kept = keep if isinstance(keep, bool) else frozenset(keep)
        data.settle(self)
        state.before = None
        if kept is not True:
            state.system = {}
            for key in [key for key in dict.keys(self) if not kept or key not in kept]:
                dict.__delitem__(self, key)
        if state.intent is Intent.REGENERATE and kept and not state.kept:
            kept = False  # Of what is stored nothing lives on: it was given up before.
        life = original_max_age(data.cookie_of(state)) if keep is True and state.loaded is not None else None
        state.intent, state.kept, state.grace = Intent.REGENERATE, kept, float(grace)
        state.id = None
        state.ends = 0.0
        state.cookie = state.stored_cookie = None
        if life is not None:
            state.stored_cookie = {**data.cookie_of(state), "originalMaxAge": life}
            refresh(state.stored_cookie, state.backing.now())
        data.refresh(state)

    def destroy(self) -> None:
        """End the session: its record is removed, the browser's cookie expired. Later changes raise SessionEnded."""
        state = self._state
        if state.intent is not Intent.DESTROY:
            self._about_to_write()
        state.written = True
        state.system = {}
        state.intent = Intent.DESTROY
        data.put(self, {})
        state.ended = "the session was destroyed. Call regenerate() first to begin a new one"

    def clear(self) -> None:
        """Remove all data, and end the log-in: a session whose user is logged in goes on without them, under a new id.

        That is the log-out of many tutorials. The old id is dead from the commit on, and in no list of the user's
        sessions. Where nobody is logged in, the id stays. To end the session itself, call ``logout()``.
        """
        self._about_to_write()
        state = self._state
        if state.intent is not Intent.LOST and (USER in state.system or INDEXES in state.system):
            self.regenerate()
            state.emptied = True
        else:
            super().clear()

    def touch(self) -> None:
        """Renew the session: its record lives on for its whole life from now, and the cookie is sent again."""
        self._about_to_write()
        self._state.touched = True

    def login(
        self, user_id: str | int, keep: Iterable[str] | bool = True, *, remember: bool = False, **claims: JSON
    ) -> None:
        """Record that the visitor has proved to be ``user_id``, under a new id.

        ``keep`` is what lives on of the anonymous session, as in ``regenerate``; the data of another user never
        does. ``claims`` is what a list of the user's sessions should show (``Sessions.of_user``): the device, the
        address. OWASP Session Management: a new id at every change of privilege.

        ``remember``: the session outlives the browser, and is limited by ``Lifetime.remember`` in place of its other
        limits. For the box "remember me", where the user has ticked it: anybody who finds the device finds them logged
        in (NIST SP 800-63B-4 section 5.1). Raises SessionError where the options remember nobody.

        The response raises LoginRefused, which is answered with status 503, if all sessions of the user were ended
        after this request had begun: the password may have been checked before it was changed. It raises
        TooManySessions if the user may have no more of them (``max_sessions_per_user``). To answer either with a page
        of your own, ``save()`` here.
        """
        check_user(user_id)
        state = self._state
        life = state.backing.remembered() if remember else None
        # As text: a framework may know as "5" whom the program knows as 5.
        someone_else = self.user_id is not None and str(self.user_id) != str(user_id)
        name = None if someone_else else state.system.get(NAME)
        self.regenerate(keep=() if someone_else else keep)
        state.stored_cookie = None
        now = state.backing.now()
        state.system = {NAME: name or fresh(LETTERS // 2), CREATED: now, USER: user_id, AUTHENTICATED: now}
        if claims:
            state.system[CLAIMS] = claims
        if life is not None:
            state.system[REMEMBERED] = True
            self.cookie.max_age = life
        state.proof = EventKind.LOGGED_IN

    def reauthenticated(self) -> None:
        """Record that the user, who is logged in, has just proved again who they are. The session gets a new id.

        Do this before something delicate, when ``is_fresh`` says no (OWASP ASVS 7.5.1; NIST 800-63B 5.2). Raises
        SessionError if nobody is logged in.
        """
        if self.user_id is None:
            raise SessionError("nobody is logged in here: call login()")
        self.regenerate(keep=True)
        state = self._state
        state.system = {**state.system, AUTHENTICATED: state.backing.now()}
        state.proof = state.proof or EventKind.REAUTHENTICATED

    def index(self, name: str, value: str | int | None) -> None:
        """Let ``Sessions.revoke_where(name, value)`` find this session; None takes it out.

        For what ends several sessions at once: a tenant, or the ``sid`` of an OpenID provider that logs out over the
        back channel (OpenID Connect Back-Channel Logout 1.0). For a session that is stored, or will be.
        """
        if not isinstance(name, str) or not name or name == USER:
            raise ValueError(f"{name!r} cannot name an index" + (": login() keeps that one" if name == USER else ""))
        if isinstance(value, bool) or not isinstance(value, (str, int, type(None))):
            raise TypeError(f"index() takes text or an int, not a {type(value).__name__}")
        self._about_to_write()
        state = self._state
        before = state.system.get(INDEXES)
        values = {**(before if isinstance(before, dict) else {}), name: value}
        known = state.system.get(INDEXED)
        moments = {**(known if isinstance(known, dict) else {}), name: state.begun or state.backing.now()}
        kept = {each: of for each, of in values.items() if of is not None}
        since = {each: at for each, at in moments.items() if each in kept}
        state.system = {NAME: fresh(LETTERS // 2), **state.system, INDEXES: kept, INDEXED: since}
        state.restated = True
        state.stated = (*state.stated, name)

    def logout(self) -> None:
        """End the session of the user who is logged in: the same as ``destroy``."""
        self.destroy()

    # Messages for the next page -----------------------------------------------------------------------------------

    def flash(self, message: str | flash.HasHtml, category: str = "info") -> None:
        """Keep ``message`` for the next page that asks with ``flashes``. It survives redirects and is read once.

        Whatever has ``__html__`` is taken as markup, and comes back as such: a ``Markup``, a lazy translation.
        """
        self._about_to_write()
        flash.add(self, message, category)

    def flashes(self, category: str | None = None) -> dict[str, list[str]]:
        """Take the flashed messages out of the session, by category; with ``category``, those of that one only."""
        return flash.take(self, category)

    # What asks the store at once ------------------------------------------------------------------------------------

    def save(self) -> bool:
        """Commit now instead of when the response begins.

        Returns True if the store has the session as it is here, False if somebody else ended the session meanwhile
        and nothing was written. Raises StoreUnavailable if the store is down.
        """
        backing = self._state.backing
        return backing.run("session.save", self, backing.save)

    async def asave(self) -> bool:
        """The async version of ``save``."""
        backing = self._state.backing
        return await backing.arun(self, backing.save)

    def reload(self) -> None:
        """Load the session again; changes made here and not saved are lost.

        Raises SessionGone if the store no longer has it.
        """
        backing = self._state.backing
        backing.run("session.reload", self, backing.reload)

    async def areload(self) -> None:
        """The async version of ``reload``."""
        backing = self._state.backing
        await backing.arun(self, backing.reload)

    def pop_once(self, key: str, default: JSON = None) -> JSON:
        """Take ``key`` out of the stored session and return its value; of all requests, one gets it.

        For one-time tokens. Writes at once, this key only. Returns ``default`` if the key is not there, or no more.
        """
        backing = self._state.backing
        return backing.run("session.pop_once", self, backing.pop_once, key, default)

    async def apop_once(self, key: str, default: JSON = None) -> JSON:
        """The async version of ``pop_once``."""
        backing = self._state.backing
        return await backing.arun(self, backing.pop_once, key, default)

    def incr(self, key: str, by: float = 1) -> float:
        """Add ``by`` to the number under ``key``, which counts as 0 if there is none, and return the sum.

        When several requests add at once, each addition counts. Writes at once, this key only; a new session is written
        with its request. Raises SessionGone if the session was ended meanwhile, and TypeError if something else than a
        number is there.
        """
        backing = self._state.backing
        return backing.run("session.incr", self, backing.incr, key, check_number(by))

    async def aincr(self, key: str, by: float = 1) -> float:
        """The async version of ``incr``."""
        backing = self._state.backing
        return await backing.arun(self, backing.incr, key, check_number(by))

    def transaction(self) -> Block[Session]:
        """Return a block that sees the session as it is stored now, and commits at its end.

        ``with session.transaction() as s:``, or ``async with`` in a coroutine; ``s`` is this session, with what others
        have stored and what was changed here. If the block raises, nothing of it is kept. Raises SessionGone if the
        session has been ended, and SessionConflict, with nothing written, if somebody else changed the same key while
        the block ran: then run it again.
        """
        backing = self._state.backing
        return Block("session.transaction", self, backing, backing.begin, backing.finish)

    def lock(self, *, ttl: float = 10, wait: float = 10) -> Block[int]:
        """Return a block that one request at a time may be in, of all that take the lock of this session.

        ``with session.lock() as fence:``, or ``async with`` in a coroutine. Inside, the session is as it is stored now,
        with what was changed here; at the end it is committed, and the lock given back. For strict order; without it
        changes are merged. A request that does not ask for the lock is not kept out.

        ``ttl``: for how many seconds the lock is held at most, up to a day, so that a process that dies with it blocks
        the others no longer than that. ``wait``: for how many seconds others are waited for; then SessionLocked is
        raised. The first to come when it is free gets it. ``fence`` is a number larger than that of any holder before:
        give it to other systems that you write to, so that they can refuse a request that is late (a fencing token).
        Raises LockLost, with nothing written, if somebody else got it because the time was over; SessionGone if the
        session was ended.
        """
        check_seconds("ttl", ttl, 0.001)
        check_seconds("wait", wait, 0)
        backing = self._state.backing
        return Block("session.lock", self, backing, partial(backing.lock, ttl=ttl, wait=wait), backing.unlock)
