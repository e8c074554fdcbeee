# Programs call this class, inside of requests and outside. What a request needs is in the engine (engine.py).
"""The manager: what a program creates once, and everything else uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, Unpack

from sessile._engine.arguments import SessionsArguments, with_remedies
from sessile._engine.coded import StoredId
from sessile._engine.engine import Engine
from sessile._engine.listing import Listing
from sessile._engine.mistakes import check_values
from sessile._engine.setup import Setup
from sessile._engine.users import SessionHandle, Users
from sessile._engine.waiting import warn_on_a_loop
from sessile._records.record import USER
from sessile._session.session import Session
from sessile.dual import AnyStore, Steps
from sessile.errors import SessionError
from sessile.events import EventKind
from sessile.options import OptionArguments, Options, Secret
from sessile.stores.base import Closable, Evicting, Indexed, Iterable, Store, Sweepable, can

__all__ = ["Sessions", "SessionsArguments"]

P = ParamSpec("P")
T = TypeVar("T")


class Sessions:
    """The sessions of a site: options and a store. Create one, and give it to the middleware.

    >>> from sessile import Sessions, CookieOptions
    >>> sessions = Sessions(
    ...     secret="a long random text that nobody else knows",
    ...     store="memory://",
    ...     cookie=CookieOptions(max_age=86_400),
    ... )

    ``store`` is a store or the URL of one. All other arguments are those of ``sessile.options.Options``. Raises
    InvalidOption for a wrong value, and MissingExtra if the store's driver is not installed.

    A method that asks the store has two names: ``revoke_user`` waits for the store, ``arevoke_user`` is a coroutine
    function. A synchronous one does its work on a thread whose event loop runs, too; it warns once that it held the
    loop up.
    """

    @with_remedies
    def __init__(self, *, secret: Secret, store: Store | str = "memory://", **options: Unpack[OptionArguments]) -> None:
        check_values(options)
        given: Any = {name: value for name, value in options.items() if (name, value) != ("ttl", None)}
        setup = Setup(Options(secret=secret, **given), store, of_the_store="ttl" not in given)
        #: The options, checked.
        self.options = setup.options
        #: What integrations use. Programs have no need of it.
        self.engine = Engine(setup)
        self._setup = setup
        self._users: Users | None = None
        if self.options.index_users and can(self.store, Indexed):
            restore = StoredId if self.options.hash_ids else str
            self._users = Users(setup, self.engine.opening, self.engine.commits, restore, self)
            self.engine.commits.members = self._users
            self.engine.opening.arrive = self._users.arrive
            setup.fields.enters = True
            if can(self.store, Evicting):
                self.engine.opening.look_is_due = self._users.look_is_due

    @property
    def store(self) -> Store:
        """The store, with the codec and hashed ids of the options in front of it."""
        store: Store = self._setup.store
        return store

    def __repr__(self) -> str:
        return f"<Sessions name={self.options.name!r} store={type(self.store).__name__}>"

    # One session ----------------------------------------------------------------------------------------------------

    def open(self, sid: str, /) -> Session | None:
        """Return the Session that is stored under ``sid``, or None. Change it, then ``save()`` it."""
        return self._run("open", self.engine.opening.open, sid)

    async def aopen(self, sid: str, /) -> Session | None:
        """The async version of ``open``."""
        return await self.engine.arun(self.engine.opening.open, sid)

    def revoke(self, sid: str, /) -> bool:
        """End the session ``sid``, wherever it is in use: its next request finds none. Return True if there was one."""
        return self._run("revoke", self.engine.end, sid, EventKind.REVOKED)

    async def arevoke(self, sid: str, /) -> bool:
        """The async version of ``revoke``."""
        return await self.engine.arun(self.engine.end, sid, EventKind.REVOKED)

    def token_of(self, sid: str) -> str:
        """Return what travels for ``sid``: signed or sealed, as the options say."""
        return self._setup.transport.tokens.token(sid)

    def sid_of(self, token: str) -> str | None:
        """Return the id that ``token`` carries, or None if we did not make it. The store is not asked."""
        return self._setup.transport.tokens.read_token(token.encode("utf-8", "replace"))

    # The sessions of a user -----------------------------------------------------------------------------------------

    def of_user(self, user_id: str | int, current: Session | None = None) -> list[SessionHandle]:
        """Return the live sessions of a user, the one used last first.

        ``current`` is the session of the request that asks, which is marked in the list. For the page "your devices"
        (OWASP ASVS 7.5.2). Raises SessionError if the store keeps no index.
        """
        return self._run("of_user", self._indexed().of, USER, user_id, current)

    async def aof_user(self, user_id: str | int, current: Session | None = None) -> list[SessionHandle]:
        """The async version of ``of_user``."""
        return await self.engine.arun(self._indexed().of, USER, user_id, current)

    def revoke_user(self, user_id: str | int, keep: Session | None = None) -> int:
        """End all sessions of a user, except ``keep``, and return how many there were.

        After a change of password, and when an account is closed (OWASP ASVS 7.4.2, 7.4.3).
        """
        return self._run("revoke_user", self._indexed().revoke_all, USER, user_id, keep)

    async def arevoke_user(self, user_id: str | int, keep: Session | None = None) -> int:
        """The async version of ``revoke_user``."""
        return await self.engine.arun(self._indexed().revoke_all, USER, user_id, keep)

    def revoke_where(self, index: str, value: str | int) -> int:
        """End all sessions that ``session.index(index, value)`` has marked, and return how many there were."""
        return self._run("revoke_where", self._indexed().revoke_all, index, value)

    async def arevoke_where(self, index: str, value: str | int) -> int:
        """The async version of ``revoke_where``."""
        return await self.engine.arun(self._indexed().revoke_all, index, value)

    def _indexed(self) -> Users:
        if self._users is None:
            lacks = (
                f"{type(self.store).__name__} has no ability Indexed"
                if self.options.index_users
                else "index_users=False"
            )
            raise SessionError(f"{lacks}: nobody can tell a user's sessions")
        return self._users

    # All sessions ---------------------------------------------------------------------------------------------------

    def all(self) -> Listing:
        """Return all live sessions: iterate with ``for``, or with ``async for`` in a coroutine."""
        return Listing(self.engine)

    def count(self) -> int:
        """Return how many live sessions there are."""
        return self._run("count", self._count)

    async def acount(self) -> int:
        """The async version of ``count``."""
        return await self.engine.arun(self._count)

    def clear(self) -> None:
        """End all sessions of this store."""
        self._run("clear", self._clear)

    async def aclear(self) -> None:
        """The async version of ``clear``."""
        await self.engine.arun(self._clear)

    def prune(self) -> int | None:
        """Remove the records of expired sessions, and return how many, or None if the store does this by itself."""
        return self._run("prune", self._prune)

    async def aprune(self) -> int | None:
        """The async version of ``prune``."""
        return await self.engine.arun(self._prune)

    def close(self) -> None:
        """Let go of the store's connections, at the end of the program. The store opens them again if it must."""
        self.engine.run(self._close)

    async def aclose(self) -> None:
        """The async version of ``close``."""
        await self.engine.arun(self._close)

    def counts(self) -> dict[str, int]:
        """Return how often each event has happened in this process, for a page of metrics.

        By the names of the events (``sessile.events.EventKind``): ``merged`` says how many changes were joined with
        those of others, ``changes_dropped`` how many sessions were not brought back to life by a request in flight. And
        two more: ``conflicts``, how many writes met another one, and ``retries``, how many were tried again.
        """
        return self._setup.events.counts()

    def _run(
        self, verb: str, body: Callable[Concatenate[AnyStore, P], Steps[T]], *args: P.args, **named: P.kwargs
    ) -> T:
        if self._setup.waits:
            warn_on_a_loop(f"sessions.{verb}", self._setup)
        return self.engine.run(body, *args, **named)

    def _count(self, store: AnyStore) -> Steps[int]:
        self._check_iterable("count")
        number: int = yield from self._setup.calls.ask(store.count)
        return number

    def _clear(self, store: AnyStore) -> Steps[None]:
        self._check_iterable("clear")
        yield from self._setup.calls.ask(store.clear)
        if can(store, Indexed):
            yield from self._setup.calls.ask(self._setup.index_of(store).clear)
        self._setup.events.report(EventKind.REVOKED, None, "all sessions of the store were ended")

    def _prune(self, store: AnyStore) -> Steps[int | None]:
        if not can(self.store, Sweepable):
            return None
        number: int = yield from self._setup.calls.ask(store.prune)
        if can(store, Indexed):
            yield from self._setup.calls.ask(self._setup.index_of(store).prune)
        return number

    def _close(self, store: AnyStore) -> Steps[None]:
        if can(self.store, Closable):
            yield from self._setup.calls.ask(store.close)

    def _check_iterable(self, verb: str) -> None:
        if not can(self.store, Iterable):
            raise SessionError(f"{type(self.store).__name__} has no ability Iterable: it cannot {verb}")
