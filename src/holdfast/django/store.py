# Django and what is built on it expect a SessionBase, and this is one: its own methods do all that they did. What they
# work on, though, its "session cache", is a session of ours. So a change at any depth is noticed, and what is written
# is joined with what others wrote. Django's methods that go to the store (save, create, cycle_key, flush, delete) go
# there at once, as those of Django's engines do; they are written once, for both colours (dual.py).
"""Django's session engine: ``SESSION_ENGINE = "holdfast.django"``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError

from holdfast import dual
from holdfast import session as core
from holdfast.attributes import original_max_age
from holdfast.django import configuration
from holdfast.django.user import OfUser
from holdfast.dual import Steps
from holdfast.errors import SessionError, StoreUnavailable
from holdfast.facts import RequestFacts
from holdfast.manager import Sessions
from holdfast.session import Intent

__all__ = ["SessionStore"]

#: Where Django's ``set_expiry`` keeps what it was told.
EXPIRY = "_session_expiry"

#: Django's own lower bound for the length of a key.
SHORTEST_KEY = 8


class Data(OfUser):
    """What a SessionStore works on."""

    __slots__ = ()

    def destroy(self) -> None:
        raise SessionError("Django's own middleware writes the cookie, and is told by request.session.flush()")


def in_both_colours(body: Callable[..., Steps[Any]]) -> tuple[Any, Any]:
    """Return ``body``, a method in both colours, as one for synchronous code and one for asyncio."""

    def at_once(self: SessionStore, *arguments: Any, **named: Any) -> Any:
        return dual.run_sync(body(self, self._sessions.in_colour(asynchronous=False), *arguments, **named))

    async def awaited(self: SessionStore, *arguments: Any, **named: Any) -> Any:
        return await dual.run_async(body(self, self._sessions.in_colour(asynchronous=True), *arguments, **named))

    at_once.__doc__ = awaited.__doc__ = body.__doc__
    return at_once, awaited


class SessionStore(SessionBase):  # type: ignore[misc]
    """A session as Django wants it: ``request.session``, and ``SessionStore(session_key)`` outside of requests.

    All that Django documents of sessions, with its ``a...`` methods for asyncio. ``holdfast.django.session(request)``
    is what else a session of ours can do.

    ``session_key`` is what the cookie carries: the id, or the signed token if the middleware is ours. A signed one
    that is not ours is as good as none, and so is one that the store does not know.
    """

    def __init__(self, session_key: str | None = None) -> None:
        self._sessions = configuration.sessions()
        #: Whether the session stands in for one that could not be loaded, and is not to be stored.
        self._stands_in = False
        super().__init__(session_key)
        self._modified: bool | None = None

    # What Django keeps of a session: its key, and two flags ---------------------------------------------------------

    def _get_key(self) -> str | None:
        sid = self._sid()
        return None if sid is None else self._key_of(sid)

    def _set_key(self, key: str | None) -> None:
        self.__dict__.pop("_session_cache", None)
        self._claim = self._sid_of(key)

    session_key = property(_get_key)
    _session_key = property(_get_key, _set_key)

    def _sid(self) -> str | None:
        """Return the id of the record, if there is one or is about to be."""
        data: core.Session | None = self.__dict__.get("_session_cache")
        if data is None or self._stands_in:
            return self._claim
        if data.lost:
            return data._id
        if data._intent is Intent.DESTROY:
            return None
        return data.sid() if data._loaded is not None or data._intent is Intent.REGENERATE else None

    def _sid_of(self, key: str | None) -> str | None:
        """Return the id that ``key`` carries, or None if it carries none."""
        if not key or len(key) < SHORTEST_KEY:
            return None
        if configuration.signs():
            return self._sessions.sid_of(key)
        return key

    def _key_of(self, sid: str) -> str:
        return self._sessions.token_of(sid) if configuration.signs() else sid

    @property
    def modified(self) -> bool:
        """Whether something in it was changed, at any depth. What it is set to counts until the next change."""
        if self._stands_in:
            return False
        if self._modified is not None:
            return self._modified
        data = self.__dict__.get("_session_cache")
        return data is not None and data._loader is None and data.is_modified

    @modified.setter
    def modified(self, value: bool) -> None:
        self._modified = bool(value)

    def _get_session(self, no_load: bool = False) -> core.Session:
        self.accessed = True
        if "_session_cache" not in self.__dict__:
            self._session_cache = self._blank() if no_load else self.load()
        return self._session_cache

    async def _aget_session(self, no_load: bool = False) -> core.Session:
        self.accessed = True
        if "_session_cache" not in self.__dict__:
            self._session_cache = self._blank() if no_load else await self.aload()
        return self._session_cache

    _session = property(_get_session)

    def clear(self) -> None:
        """Remove all data; the session goes on."""
        self._session.clear()
        self._modified = True

    def _blank(self) -> core.Session:
        return self._sessions.blank(kind=Data)  # What a request says, Django's middleware looks at.

    # What asks the store --------------------------------------------------------------------------------------------

    def _load(self, sessions: Sessions) -> Steps[core.Session]:
        """Return the session as it is stored, or a new one if the store does not know its key."""
        sid, data, found = self._sid(), self._blank(), None
        if sid is not None:
            try:
                found = yield sessions.open(sid, RequestFacts)
            except StoreUnavailable:
                if self._sessions.options.on_store_error != "anonymous":
                    raise
                self._stands_in = True
                return data
        if found is None:
            self._claim = None
        else:
            data.become(found)
        return data

    load, aload = in_both_colours(_load)

    def _exists(self, sessions: Sessions, session_key: str | None) -> Steps[bool]:
        """Tell whether the store has a session of this key."""
        sid = self._sid_of(session_key)
        return sid is not None and (yield sessions.open(sid)) is not None

    exists, aexists = in_both_colours(_exists)

    def _save(self, sessions: Sessions, must_create: bool = False) -> Steps[None]:
        """Store the session now. Raises UpdateError if it was ended meanwhile: nothing brings it back."""
        data = yield from self._taken(sessions)
        if self._stands_in:
            return
        if must_create and data._loaded is not None:
            raise CreateError
        if data._payload is None and not data.lost:
            self._modified = True  # The browser needs the key.
            if not dict.__len__(data):
                data.regenerate(keep=True)  # Asked for in so many words, an empty one is stored too.
        data._renewed = False  # Saved before, or not: whether it is still there is asked each time.
        yield from self._commit(sessions, data)
        if data.lost:
            raise UpdateError

    save, asave = in_both_colours(_save)

    def _create(self, sessions: Sessions) -> Steps[None]:
        """Store the data as a new session, with a key of its own. That of the old one is left alone."""
        old = self.__dict__.get("_session_cache")
        data = self._session_cache = self._blank()
        if old is not None:
            data.update(old)
            old.settle()
            data._system = dict(old._system)  # To copy a session is no log-in.
        data.regenerate(keep=True)
        self._modified = True
        yield from self._commit(sessions, data)

    create, acreate = in_both_colours(_create)

    def _cycle_key(self, sessions: Sessions) -> Steps[None]:
        """Give the session a new key. The old one is dead, in one step with what others wrote until then."""
        data = yield from self._taken(sessions)
        data.regenerate(keep=True)
        self._modified = True
        yield from self._commit(sessions, data)

    cycle_key, acycle_key = in_both_colours(_cycle_key)

    def _delete(self, sessions: Sessions, session_key: str | None = None) -> Steps[None]:
        """Remove the session of this key, or this session."""
        sid = self._sid() if session_key is None else self._sid_of(session_key)
        if sid is not None:
            yield sessions.revoke(sid, own=session_key is None)

    delete, adelete = in_both_colours(_delete)

    def _flush(self, sessions: Sessions) -> Steps[None]:
        """End the session, and begin a new one that has neither data nor key."""
        yield from self._delete(sessions)
        self._set_key(None)
        self._session_cache = self._blank()
        self.accessed = self._modified = True

    flush, aflush = in_both_colours(_flush)

    def _taken(self, sessions: Sessions) -> Steps[core.Session]:
        self.accessed = True
        if "_session_cache" not in self.__dict__:
            self._session_cache = yield from self._load(sessions)
        data: core.Session = self._session_cache
        return data

    def _commit(self, sessions: Sessions, data: core.Session) -> Steps[None]:
        self._align(data)
        yield sessions.save(data)

    def _align(self, data: core.Session) -> None:
        """Let the record live as long as Django says."""
        life = None if self.get_expire_at_browser_close() else self.get_expiry_age()
        fixed = isinstance(dict.get(data, EXPIRY), str)  # A moment; a number of seconds begins anew at each change.
        if fixed and life is not None and abs(data._ends - self._sessions.now() - life) < 2:
            data.extends = False
        elif original_max_age(data.cookie_attributes()) != (None if life is None else life * 1000):
            data.cookie.max_age = life

    @classmethod
    def clear_expired(cls) -> None:
        """Remove the records of expired sessions: ``manage.py clearsessions``."""
        configuration.sessions().in_colour(asynchronous=False).prune()

    @classmethod
    async def aclear_expired(cls) -> None:
        """Do as ``clear_expired``, under asyncio."""
        await configuration.sessions().in_colour(asynchronous=True).prune()
