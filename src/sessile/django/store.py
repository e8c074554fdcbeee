# Django and what is built on it expect a SessionBase, and this is one: its own methods do all that they did. What they
# work on, though, its "session cache", is a session of ours. So a change at any depth is noticed, and what is written
# is joined with what others wrote. Django's methods that go to the store (save, create, cycle_key, flush, delete) go
# there at once, as those of Django's engines do; they are written once, for synchronous code and coroutines (dual.py).
"""Django's session engine: ``SESSION_ENGINE = "sessile.django"``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.utils.module_loading import import_string

from sessile import dual
from sessile._records.attributes import original_max_age
from sessile._session import session as core
from sessile._session.data import become, cookie_of, settle, sid_of
from sessile._session.state import Intent
from sessile._session.watched import state_of
from sessile.django import configuration
from sessile.django.user import OfUser, with_user
from sessile.dual import AnyStore, Steps
from sessile.errors import SessionError, StoreUnavailable
from sessile.events import EventKind
from sessile.facts import RequestFacts

__all__ = ["SessionStore", "other_engine"]

#: Where Django's ``set_expiry`` keeps what it was told.
EXPIRY = "_session_expiry"

#: What an id of ours looks like: 24 bytes, in base64url.
OWN_ID = re.compile(r"[A-Za-z0-9_-]{32}")

#: Django's own lower bound for the length of a key.
SHORTEST_KEY = 8


class Data(OfUser):
    """What a SessionStore works on."""

    __slots__ = ()

    def destroy(self) -> None:
        raise SessionError("Django's own middleware writes the cookie, and is told by request.session.flush()")


def in_both_forms(body: Callable[..., Steps[Any]]) -> tuple[Any, Any]:
    """Return ``body``, a method with steps, as one that waits for the store and one that is a coroutine function."""

    def at_once(self: SessionStore, *arguments: Any, **named: Any) -> Any:
        return dual.run_sync(body(self, self._sessions.store, *arguments, **named))

    async def awaited(self: SessionStore, *arguments: Any, **named: Any) -> Any:
        return await dual.run_async(body(self, self._setup.async_store, *arguments, **named))

    at_once.__doc__ = awaited.__doc__ = body.__doc__
    return at_once, awaited


class SessionStore(SessionBase):  # type: ignore[misc]
    """A session as Django wants it: ``request.session``, and ``SessionStore(session_key)`` outside of requests.

    All that Django documents of sessions, with its ``a...`` methods for asyncio. ``sessile.django.session(request)``
    is what else a session of ours can do.

    ``session_key`` is what the cookie carries: the id, or the signed token if the middleware is ours. A signed one
    that is not ours is as good as none, and so is one that the store does not know.
    """

    def __init__(self, session_key: str | None = None) -> None:
        self._sessions = configuration.sessions()
        self._engine, self._setup = self._sessions.engine, self._sessions.engine.setup
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
        state = state_of(data)
        if state.is_lost():
            return state.id
        if state.intent is Intent.DESTROY:
            return None
        return sid_of(state) if state.loaded is not None or state.intent is Intent.REGENERATE else None

    def _sid_of(self, key: object) -> str | None:
        """Return the id that ``key`` carries, or None if it carries none."""
        if not isinstance(key, str) or len(key) < SHORTEST_KEY:
            return None
        if configuration.signs():
            return self._sessions.sid_of(key)
        # Nobody has signed this one, so only what we could have made is looked up.
        return key if self._setup.options.genid is not None or OWN_ID.fullmatch(key) else None

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
        return data is not None and state_of(data).loader is None and data.is_modified

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

    def loaded(self) -> core.Session:
        """Return the session of ours behind this one, loaded if it was not."""
        return self._get_session()

    async def aloaded(self) -> core.Session:
        """The async version of ``loaded``."""
        return await self._aget_session()

    def clear(self) -> None:
        """Remove all data; the session goes on."""
        self._session.clear()
        self._modified = True

    def _blank(self) -> core.Session:
        return with_user(self._engine.blank(session_class=Data))  # What a request says, Django's middleware looks at.

    # What asks the store --------------------------------------------------------------------------------------------

    def _load(self, store: AnyStore) -> Steps[core.Session]:
        """Return the session as it is stored, or a new one if the store does not know its key."""
        sid, data, found = self._sid(), self._blank(), None
        if sid is not None:
            try:
                found = yield from self._engine.opening.open(store, sid, RequestFacts)
            except StoreUnavailable:
                if self._sessions.options.on_store_error != "anonymous":
                    raise
                self._stands_in = True
                return data
        if found is None:
            self._claim = None
        else:
            become(data, found)
        return data

    load, aload = in_both_forms(_load)

    def _exists(self, store: AnyStore, session_key: str | None) -> Steps[bool]:
        """Tell whether the store has a session of this key."""
        sid = self._sid_of(session_key)
        return sid is not None and (yield from self._engine.opening.open(store, sid)) is not None

    exists, aexists = in_both_forms(_exists)

    def _save(self, store: AnyStore, must_create: bool = False) -> Steps[None]:
        """Store the session now. Raises UpdateError if it was ended meanwhile: nothing brings it back."""
        data = yield from self._taken(store)
        if self._stands_in:
            return
        state = state_of(data)
        if must_create and state.loaded is not None:
            raise CreateError
        if state.payload is None and not state.is_lost():
            self._modified = True  # The browser needs the key.
            if not dict.__len__(data):
                data.regenerate(keep=True)  # Asked for in so many words, an empty one is stored too.
        state.committed = False  # Saved before, or not: whether it is still there is asked each time.
        yield from self._commit(store, data)
        if state.is_lost():
            raise UpdateError

    save, asave = in_both_forms(_save)

    def _create(self, store: AnyStore) -> Steps[None]:
        """Store the data as a new session, with a key of its own. That of the old one is left alone."""
        old = self.__dict__.get("_session_cache")
        data = self._session_cache = self._blank()
        if old is not None:
            data.update(old)
            settle(old)
            state_of(data).system = dict(state_of(old).system)  # To copy a session is no log-in.
        data.regenerate(keep=True)
        self._modified = True
        yield from self._commit(store, data)

    create, acreate = in_both_forms(_create)

    def _cycle_key(self, store: AnyStore) -> Steps[None]:
        """Give the session a new key. The old one is dead, in one step with what others wrote until then."""
        data = yield from self._taken(store)
        data.regenerate(keep=True)
        self._modified = True
        yield from self._commit(store, data)

    cycle_key, acycle_key = in_both_forms(_cycle_key)

    def _delete(self, store: AnyStore, session_key: str | None = None) -> Steps[None]:
        """Remove the session of this key, or this session."""
        sid = self._sid() if session_key is None else self._sid_of(session_key)
        if sid is not None:
            kind = EventKind.DESTROYED if session_key is None else EventKind.REVOKED
            yield from self._engine.end(store, sid, kind)

    delete, adelete = in_both_forms(_delete)

    def _flush(self, store: AnyStore) -> Steps[None]:
        """End the session, and begin a new one that has neither data nor key."""
        yield from self._delete(store)
        self._set_key(None)
        self._session_cache = self._blank()
        self.accessed = self._modified = True

    flush, aflush = in_both_forms(_flush)

    def _taken(self, store: AnyStore) -> Steps[core.Session]:
        self.accessed = True
        if "_session_cache" not in self.__dict__:
            self._session_cache = yield from self._load(store)
        data: core.Session = self._session_cache
        return data

    def _commit(self, store: AnyStore, data: core.Session) -> Steps[None]:
        self._align(data)
        yield from self._engine.save(store, data)

    def _align(self, data: core.Session) -> None:
        """Let the record live as long as Django says."""
        life = None if self.get_expire_at_browser_close() else self.get_expiry_age()
        fixed = isinstance(dict.get(data, EXPIRY), str)  # A moment; a number of seconds begins anew at each change.
        state = state_of(data)
        if fixed and life is not None and abs(state.ends - self._engine.now() - life) < 2:
            data.keep_alive = False
        elif original_max_age(cookie_of(state)) != (None if life is None else life * 1000):
            data.cookie.max_age = life

    @classmethod
    def clear_expired(cls) -> None:
        """Remove the records of expired sessions: ``manage.py clearsessions``."""
        configuration.sessions().prune()

    @classmethod
    async def aclear_expired(cls) -> None:
        """The async version of ``clear_expired``."""
        await configuration.sessions().aprune()


def other_engine() -> str | None:
    """Return what is wrong if SESSION_ENGINE is not ours, nor made of ours; else None."""
    name = settings.SESSION_ENGINE
    if name == "sessile.django" or issubclass(import_string(f"{name}.SessionStore"), SessionStore):
        return None
    return f'a middleware of sessile.django needs SESSION_ENGINE = "sessile.django", and the settings say {name!r}'
