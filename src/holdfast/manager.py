# The manager joins the pure rules (lifecycle.py) to a store and a transport. It holds no state of a request: that is
# in the Session. Methods that return Steps are bodies of code in both colours (dual.py); the store they get has the
# colour of whoever runs them.
"""The manager: what a program creates once, and everything else uses."""

from __future__ import annotations

import copy
import difflib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar, Unpack

from holdfast import dual, lifecycle, stores
from holdfast.at_once import AtOnce
from holdfast.border import Border
from holdfast.coded import CodedStore, StoredId
from holdfast.commits import Commits
from holdfast.content import Content, Pocket, make_content
from holdfast.dual import Steps
from holdfast.errors import (
    CookieTooLarge,
    InvalidOption,
    NotLoaded,
    SessionConflict,
    SessionError,
    SessionGone,
    StoreUnavailable,
    UnserialisableValue,
)
from holdfast.events import Events, Happening
from holdfast.facts import Facts, RequestFacts
from holdfast.index import Index
from holdfast.lifecycle import Browser, Moved, Operation, Plan, State, Verdict
from holdfast.lifetime import MOMENTS, moment
from holdfast.locks import without_lock
from holdfast.options import CookieOptions, OptionArguments, Options, Secret
from holdfast.proxy import is_secure, trust_in
from holdfast.record import JSON, USER
from holdfast.session import Session
from holdfast.stores.base import Carried, Closable, Connectable, Indexed, Iterable, Record, Store, Sweepable, can
from holdfast.transport import Transport, make_transport
from holdfast.users import Users

__all__ = ["Sessions", "SessionsArguments"]

T = TypeVar("T")

_VERDICTS = {
    Verdict.UNKNOWN: Happening.UNKNOWN_ID,
    Verdict.EXPIRED: Happening.EXPIRED,
    Verdict.CORRUPT: Happening.CORRUPT,
    Verdict.REPLAYED: Happening.REPLAYED,
}


class SessionsArguments(OptionArguments, total=False):
    """The keyword arguments of ``Sessions``, for those who pass them on."""

    secret: Secret
    store: Store | str


class Sessions:
    """The sessions of a site: options and a store. Create one, and give it to the middleware.

    >>> from holdfast import Sessions, CookieOptions
    >>> sessions = Sessions(
    ...     secret="a long random text that nobody else knows",
    ...     store="memory://",
    ...     cookie=CookieOptions(max_age=86_400),
    ... )

    ``store`` is a store or the URL of one. All other arguments are those of ``holdfast.options.Options``. Raises
    InvalidOption for a wrong value, and MissingExtra if the store's driver is not installed.

    The methods are for programs outside a request too. Those that ask the store return their result; under asyncio
    they return an awaitable of it.
    """

    def __init__(self, *, secret: Secret, store: Store | str = "memory://", **options: Unpack[OptionArguments]) -> None:
        check_names(options)
        self.options = Options(secret=secret, **options)  # type: ignore[arg-type]  # A timedelta becomes seconds there.
        self._clock = self.options.clock
        self._asynchronous: bool | None = None
        self.store: Any = stores.from_url(store, self._clock) if isinstance(store, str) else store
        _check_store(self.store)
        if self.options.codec is not None or self.options.hash_ids:
            self.store = CodedStore(self.store, self.options.codecs(), hash_ids=self.options.hash_ids)
        under_asyncio = self.store.asynchronous() if can(self.store, dual.TwoColoured) else self.store
        self._async_store: Any = under_asyncio
        self._link: Connectable | None = self.store if can(self.store, Connectable) else None
        self._transport: Transport = make_transport(self.options)
        self._transport.check("x" * 32)
        #: What carries whole sessions, where no store on the server keeps them.
        self._content: Content | None = None
        if can(self.store, Carried):
            self._content = make_content(self.options, self.store.form)
        self._carrier = self._content or self._transport
        #: The header of a request that says whose session it is, and the one of a response, as ASGI spells them.
        self.reads, self.writes = self._carrier.reads, self._carrier.writes
        self._genid = self.options.genid
        self._extends = self.options.extends
        self._lifetime = self.options.lifetime
        self._trust = trust_in(self.options.proxy)
        in_store = StoredId.of if self.options.hash_ids else str
        self._events = Events(self.options.secrets()[-1], self.options.on_event, in_store)
        self._border = Border(self._events)
        self._commits = Commits(self.options, self._border, self._events, self._make_id, self._examine)
        self._at_once = AtOnce(self.options, self._border, self._events, self._commits)
        self._users: Users | None = None
        if self.options.index_users and can(self.store, Indexed):
            index = Index(self._border, self._clock, in_store)
            restore = StoredId if self.options.hash_ids else str
            self._users = Users(self.options, self._events, self._commits, index, restore, self.open, self.revoke)
            self._commits.members = self._users
        self._rules = lifecycle.rules_for(self.options, carried=self._content is not None)
        #: Whether a session that was left alone is touched, and that is all.
        self._only_touches = (
            self._rules[State.SAME] == (Operation.TOUCH, Browser.NOTHING)
            and self._extends is None
            and self._content is None
        )
        self._patient = self.options.touch_after > 0
        cookie = self.options.cookie
        self._prefix = cookie.path if isinstance(cookie, CookieOptions) else "/"

    def __repr__(self) -> str:
        return f"<Sessions name={self.options.name!r} store={type(self.store).__name__}>"

    # For programs -------------------------------------------------------------------------------------------------

    def open(self, sid: str, facts: Facts | None = None) -> Any:
        """Return the Session that is stored under ``sid``, or None. Change it, then ``save()`` it.

        ``facts`` is for integrations: a request has brought ``sid``. That it was loaded, or why it was not, is an event
        then.
        """
        return self._run(self._open, sid, facts)

    def revoke(self, sid: str, *, own: bool = False) -> Any:
        """End the session ``sid``, wherever it is in use: its next request finds none. Return whether there was one.

        ``own`` is for integrations: it is ended by its own request, and the event is ``destroyed``.
        """
        return self._run(self._revoke, sid, Happening.DESTROYED if own else Happening.REVOKED)

    def of_user(self, user_id: str | int, current: Session | None = None) -> Any:
        """Return the live sessions of a user, as a list of ``SessionHandle``, the one used last first.

        ``current`` is the session of the request that asks, which is marked in the list. For the page "your devices"
        (OWASP ASVS 7.5.2). Raises SessionError if the store has no room for an index.
        """
        return self._run(self._members().of, USER, user_id, current)

    def revoke_user(self, user_id: str | int, keep: Session | None = None) -> Any:
        """End all sessions of a user, but for ``keep``, and return how many there were.

        After a change of password, and when an account is closed (OWASP ASVS 7.4.2, 7.4.3).
        """
        return self._run(self._members().revoke_all, USER, user_id, keep)

    def revoke_where(self, index: str, value: str | int) -> Any:
        """End all sessions that ``session.index(index, value)`` has marked, and return how many there were."""
        return self._run(self._members().revoke_all, index, value)

    def _members(self) -> Users:
        if self._users is None:
            lacks = (
                f"{type(self.store).__name__} has no ability Indexed"
                if self.options.index_users
                else "index_users=False"
            )
            raise SessionError(f"{lacks}: nobody can tell a user's sessions")
        return self._users

    def all(self) -> Listing:
        """Return all live sessions: iterate with ``for``, or with ``async for`` under asyncio."""
        return Listing(self)

    def count(self) -> Any:
        """Return how many live sessions there are."""
        return self._run(self._verb, "count", Iterable)

    def clear(self) -> Any:
        """End all sessions of this store."""
        return self._run(self._with_index, "clear", Iterable)

    def prune(self) -> Any:
        """Remove the records of expired sessions, and return how many, or None if the store does this by itself."""
        return self._run(self._with_index, "prune", Sweepable if can(self.store, Sweepable) else None)

    def close(self) -> Any:
        """Let go of the store's connections, at the end of the program. The store opens them again if it must."""
        return self._run(self._verb, "close", Closable if can(self.store, Closable) else None)

    def counts(self) -> dict[str, int]:
        """Return how often what has happened in this process, for a page of metrics.

        By the names of the events (``holdfast.events.Happening``): ``merged`` says how many changes were joined with
        those of others, ``changes_dropped`` how many sessions were not brought back to life by a request in flight. And
        two more: ``conflicts``, how many writes met another one, and ``retries``, how many were tried again.
        """
        return self._events.counts()

    def _with_index(self, store: Any, verb: str, ability: type | None) -> Steps[Any]:
        answer = yield from self._verb(store, verb, ability)
        if can(store, Indexed) and ability is not None:
            yield from self._verb(store.index(), verb, ability)
        if verb == "clear":
            self._events.tell(Happening.REVOKED, None, "all sessions of the store were ended")
        return answer

    def _verb(self, store: Any, verb: str, ability: type | None) -> Steps[Any]:
        if ability is None:
            return None
        if not can(self.store, ability):
            raise SessionError(f"{type(self.store).__name__} has no ability {ability.__name__}: it cannot {verb}")
        return (yield from self._border.ask(getattr(store, verb)))

    def _run(self, body: Callable[..., Steps[T]], *arguments: Any) -> T | Awaitable[T]:
        return self._run_with(None, body, *arguments)

    def _run_with(self, pocket: Pocket | None, body: Callable[..., Steps[T]], *arguments: Any) -> T | Awaitable[T]:
        """Run ``body`` with ``pocket``, or with the store, in the colour of the caller."""
        asynchronous = dual.under_asyncio() if self._asynchronous is None else self._asynchronous
        store = self._async_store if asynchronous else self.store
        steps = body(store if pocket is None else pocket, *arguments)
        return dual.run_async(steps) if asynchronous else dual.run_sync(steps)

    def _run_for(self, session: Session, body: Callable[..., Steps[T]], *arguments: Any) -> T | Awaitable[T]:
        """Run ``body`` with the store that keeps ``session``, which is loaded first if that can be done here."""
        if session._loader is not None:
            session._loader()
        return self._run_with(session._pocket, body, session, *arguments)

    def _open(self, store: Any, sid: str, facts: Facts | None) -> Steps[Session | None]:
        session = yield from self._commits.fetch(store, sid, facts=facts)
        if session is not None and facts is not None:
            self._events.tell_loaded(session._loaded, facts)
        return session

    def _revoke(self, store: Any, sid: str, happening: Happening) -> Steps[bool]:
        there = yield from self._commits.end(store, sid)
        if there:
            self._events.tell(happening, sid)
        return there

    # For integrations ---------------------------------------------------------------------------------------------

    def covers(self, path: str) -> bool:
        """Tell whether requests for ``path`` have a session at all: whether the cookie's path matches it.

        RFC 6265bis section 5.1.4; express-session compares the beginning of the text only, so its ``/app`` covers
        ``/application``, for which no browser would send the cookie back.
        """
        prefix = self._prefix
        if prefix == "/" or path == prefix:
            return True
        return path.startswith(prefix if prefix.endswith("/") else prefix + "/")

    def token_of(self, sid: str) -> str:
        """Return what travels for ``sid``: signed or sealed, as the options say."""
        return self._transport.tokens.token(sid)

    def sid_of(self, token: str) -> str | None:
        """Return the id that ``token`` carries, or None if we did not make it. The store is not asked."""
        return self._transport.tokens.read_token(token.encode("utf-8", "replace"))

    def in_colour(self, *, asynchronous: bool) -> Sessions:
        """Return these sessions for a framework that has two methods where others have one: ``save`` and ``asave``.

        What asks the store returns an awaitable if ``asynchronous``, and its result if not, whether or not an event
        loop runs: Django's synchronous methods may be called on one.
        """
        coloured = copy.copy(self)
        coloured._asynchronous = asynchronous
        return coloured

    # `header` is the value of the header that `reads` names, b"" if there is none. What a commit returns are the values
    # of the header that `writes` names, for the response: mostly none, for a cookie one.

    def begin_sync(self, header: bytes, facts: Facts) -> Session:
        """Return the session of a request, for synchronous servers."""
        return dual.run_sync(self._begin_any(self.store, header, facts))

    def begin_async(self, header: bytes, facts: Facts) -> Session | Awaitable[Session]:
        """Return the session of a request under asyncio, or an awaitable of it if something has to be waited for."""
        if self._content is not None:
            return dual.start(self._begin_carried(self._content, header, facts))
        claims = self._claims(header, facts) if header else ()
        if not claims and self._genid is None:
            return self.blank(facts)
        if self._link is not None and claims:
            self._check_link()
        if len(claims) == 1:
            # The hot path, without the machinery: one cookie, and a store that answers at once.
            try:
                answer = self._async_store.load(claims[0])
            except Exception as error:
                self._border.fail(error)
            if not isinstance(answer, Record):
                return dual.start(self._begin(self._async_store, claims, facts, [answer]))
            session = self._examine(claims[0], answer, facts)
            if isinstance(session, Session):
                session._facts = facts
                self._events.tell_loaded(session._loaded, facts)
                return session
            if session is not None:
                return dual.start(self._begin(self._async_store, claims, facts, [answer]))
            claims = ()
        return dual.start(self._begin(self._async_store, claims, facts))

    def begin_lazy(self, header: bytes, facts: Facts, kind: type[Session] = Session) -> Session:
        """Return a session, one of ``kind``, that must be loaded before it is looked at: with ``load_async``.

        An integration for synchronous servers sets its ``_loader`` to what calls ``load_sync`` at the first look.
        """
        session = self.blank(facts, kind)
        session.load_by(_not_loaded)
        session._header = header
        return session

    def load_sync(self, session: Session) -> None:
        """Load a lazy session, if nobody has, for synchronous servers."""
        if session._loader is not None:
            loaded = self.begin_sync(session._header, session._facts or RequestFacts)
            session._loader = None
            session.become(loaded)

    async def load_async(self, session: Session) -> None:
        """Load a lazy session, if nobody has."""
        if session._loader is None or session._facts is None:
            return
        loaded = await dual.run_async(self._begin_any(self._async_store, session._header, session._facts))
        session._loader = None
        session.become(loaded)

    async def is_live_async(self, session: Session) -> bool:
        """Tell whether ``session``, which was loaded, is still there, be it under a new id (``regenerate(grace=...)``).

        For conversations that outlive a request: a WebSocket. Raises StoreUnavailable.
        """
        if session._loaded is None or session._pocket is not None:
            return True
        return await dual.run_async(self._commits.is_live(self._async_store, session._loaded))

    def commit_sync(self, session: Session, released: bool = False) -> tuple[str, ...]:
        """Carry out what became of the session, and return what the response has to say to the browser.

        ``released`` tells that the framework's slot was set to None.
        """
        if self._only_touches and not released and lifecycle.is_idle(session):
            answer = self._touch(self.store, session)
            if answer is not NotImplemented:
                return () if answer is True else dual.run_sync(self._touched(session, answer))
        plan = self._plan(session, released)
        return () if plan is None else dual.run_sync(self._commit(self.store, session, plan))

    def commit_async(self, session: Session, released: bool = False) -> tuple[str, ...] | Awaitable[tuple[str, ...]]:
        """Do as ``commit_sync`` under asyncio; returns an awaitable if the store has to be waited for."""
        if self._only_touches and not released and lifecycle.is_idle(session):
            answer = self._touch(self._async_store, session)
            if answer is not NotImplemented:
                return () if answer is True else dual.start(self._touched(session, answer))
        plan = self._plan(session, released)
        return () if plan is None else dual.start(self._commit(self._async_store, session, plan))

    def blank(self, facts: Facts | None = None, kind: type[Session] = Session) -> Session:
        """Return a new session with nothing in it, for a request that has none; without ``facts``, for no request."""
        session = kind({}, self)
        session._facts = facts
        if self._content is not None:
            session._pocket = Pocket(self._clock, [])
        return session

    # Opening ------------------------------------------------------------------------------------------------------

    def _claims(self, header: bytes, facts: Facts) -> tuple[str, ...]:
        sids, forged = self._transport.read(header)
        for _ in range(forged):
            self._events.tell(Happening.BAD_SIGNATURE, facts=facts)
        return sids

    def _examine(self, sid: str, record: Record | None, facts: Facts | None = None) -> Session | Moved | None:
        """Return the session that ``record`` holds, or where it went, or None if it holds no live one.

        ``facts``: a request has brought ``sid``, and why it gets no session is an event.
        """
        contents = lifecycle.examine(sid, record, self._clock(), self._lifetime)
        if isinstance(contents, Moved):
            return contents
        if isinstance(contents, Verdict):
            if facts is not None or contents is Verdict.CORRUPT:
                self._events.tell(_VERDICTS[contents], sid, facts=facts)
            return None
        assert record is not None
        session = Session(contents.data, self, sid, record.payload, contents.cookie, contents.system)
        session._ends = record.expires_at
        return session

    def _check_link(self) -> None:
        """Raise StoreUnavailable if the store says that it is not connected."""
        if self._link is not None and not self._link.ready:
            raise self._border.outage(StoreUnavailable("the store is disconnected"))

    def _begin_any(self, store: Any, header: bytes, facts: Facts) -> Steps[Session]:
        if self._content is not None:
            return (yield from self._begin_carried(self._content, header, facts))
        claims = self._claims(header, facts)
        if claims:
            self._check_link()
        return (yield from self._begin(store, claims, facts))

    def _begin_carried(self, content: Content, header: bytes, facts: Facts) -> Steps[Session]:
        """Return the session that a request carries in its cookie."""
        held, forged = content.open(header)
        for _ in range(forged):
            self._events.tell(Happening.BAD_SIGNATURE, facts=facts)
        pocket = Pocket(self._clock, held)
        session = yield from self._begin(pocket, tuple(each.sid for each in held), facts)
        session._pocket = pocket
        return session

    def _begin(self, store: Any, claims: tuple[str, ...], facts: Facts, answers: Sequence[Any] = ()) -> Steps[Session]:
        """Return the session of a request. ``answers`` are those that the store has given for ``claims`` already."""
        live: list[Session] = []
        for position, sid in enumerate(claims):
            session = yield from self._commits.fetch(store, sid, *answers[position : position + 1], facts=facts)
            if session is not None:
                live.append(session)
        # Several cookies of one name come from a hostile or careless neighbour (RFC 6265bis 8.6), and their order
        # says nothing: if more than one is live, none is believed.
        if len(live) > 1:
            detail = "several cookies of one name are live; none is believed"
            self._events.tell(Happening.AMBIGUOUS, None, detail, facts)
        session = live[0] if len(live) == 1 else self.blank(facts)
        session._facts = facts
        if session._loaded is not None:
            self._events.tell_loaded(session._loaded, facts)
        if session._id is None and self._genid is not None:
            session._id = yield from self._make_id(session)
        return session

    # Committing ---------------------------------------------------------------------------------------------------

    def _plan(self, session: Session, released: bool = False, *, asked: bool = False) -> Plan | None:
        """Return what is to be done for ``session``, or None if that is nothing. ``asked``: the handler says save()."""
        if session._loader is not None:
            return None  # Nobody has looked at it.
        if self._extends is not None and session._extends is None:
            session._extends = bool(self._extends(self._facts_of(session)))
        try:
            session.settle()
            if self._lifetime is not None and not released:
                lifecycle.renew(self.options, session, self._clock(), asked=asked)
            plan = lifecycle.commit(self.options, self._rules, session, released, self._clock(), asked=asked)
        except UnserialisableValue:
            if session._told:
                return None
            session._told = True
            raise
        if plan.state is State.SAME and session._renewed:
            plan = lifecycle.without_operation(plan)  # Once a request is enough.
        promised = session._promised is not None and not session._headless and not released
        if promised and plan.browser is Browser.NOTHING:
            return lifecycle.with_cookie(plan, session._promised or {})
        return None if plan.operation is Operation.NOTHING and plan.browser is Browser.NOTHING else plan

    def _touch(self, store: Any, session: Session) -> Any:
        """Touch a session that was left alone: the hot path, without the machinery. Return the store's answer.

        NotImplemented: there is more to do.
        """
        now = self._clock()
        lifetime, system = self._lifetime, session._system
        if lifetime is not None and (lifetime.lacks_beginning(system) or lifetime.renewal_is_due(system, now)):
            return NotImplemented
        ttl = lifecycle.life_of(system, session.cookie_attributes(), self.options, now)
        if self._patient and not lifecycle.is_due(session, ttl, self.options, now):
            return True
        if system and self._users is not None and self._users.is_due(session, ttl):
            return NotImplemented
        try:
            return store.touch(session._loaded, ttl)
        except Exception as error:
            self._border.fail(error)

    def _touched(self, session: Session, answer: Any) -> Steps[tuple[str, ...]]:
        if not (yield from self._border.wait(answer)):
            session.lose()
        return ()

    def _commit(self, store: Any, session: Session, plan: Plan, strict: bool = False) -> Steps[tuple[str, ...]]:
        """Carry out ``plan``. Return what follows from it for the browser, once the store has confirmed it."""
        carried = session._pocket
        if carried is not None:
            store = carried
            if plan.operation is Operation.TOUCH and carried.due(plan.sid, plan.ttl):
                plan = lifecycle.with_renewed_cookie(plan, self._clock())
        deliverable = (plan.browser is not Browser.SEND and carried is None) or self._deliverable(session, plan)
        if not deliverable and (carried is not None or plan.operation in (Operation.CREATE, Operation.ROTATE)):
            # A record that no browser can name is not made. What regenerate() was to leave behind ends all the same.
            ends = carried is None and plan.old_sid is not None and plan.kept is not True
            if ends and (yield from self._commits.end(store, plan.old_sid or "", plan.expected)):
                self._events.tell(Happening.DESTROYED, plan.old_sid, facts=session._facts)
            session.lose()
            return ()
        try:
            done = yield from self._commits.carry_out(store, session, plan, strict)
            if done is None or plan.browser is Browser.NOTHING or not deliverable:
                return ()
            if session.sent_on and plan.operation in (Operation.TOUCH, Operation.REPLACE):
                return ()  # Who comes by an id of before may be anybody: he is not given the new one.
            return self._for_browser(session, plan.browser, done.cookie)
        except (SessionConflict, CookieTooLarge):
            if session._told:
                return ()
            session._told = True
            raise

    def _for_browser(self, session: Session, browser: Browser, cookie: dict[str, JSON]) -> tuple[str, ...]:
        """Return the values of the header that gives the browser its session, or takes it away."""
        if browser is Browser.SEND:
            session._promised = cookie
        try:
            if browser is Browser.EXPIRE:
                return self._carrier.expire(cookie)
            if self._content is not None and session._pocket is not None:
                return self._content.write(session.sid(), session._pocket, cookie, self._clock())
            return self._transport.write(session.sid(), cookie, self._clock())
        except ValueError:
            self.tell(session, Happening.CORRUPT, "the attributes of its cookie cannot be sent")
            return ()

    def _deliverable(self, session: Session, plan: Plan) -> bool:
        """Tell whether the browser can get the cookie that ``plan`` wants it to have."""
        if session._headless:
            if plan.state is not State.CHANGED or session._pocket is not None:
                self.tell(
                    session,
                    Happening.COOKIE_TOO_LATE,
                    "the session needs a cookie, and the head of the response is gone. Change it before you respond",
                )
            return False
        facts = session._facts
        secure = plan.browser is Browser.SEND and plan.cookie.get("secure")
        if secure and facts is not None and not is_secure(facts(), self._trust):
            self.tell(
                session,
                Happening.INSECURE,
                "the cookie is secure and the request came by http. Use https; behind a proxy, set proxy=[its address]",
            )
            return False
        return True

    def _make_id(self, session: Session) -> Steps[str]:
        if self._genid is None:
            return secrets.token_urlsafe(24)
        return self._transport.check(_checked_id((yield self._genid(self._facts_of(session)))))

    def _facts_of(self, session: Session) -> RequestFacts:
        return RequestFacts() if session._facts is None else session._facts()

    # For sessions (session.Backing) -------------------------------------------------------------------------------

    def now(self) -> float:
        """Return the time by the clock of the options."""
        return self._clock()

    def new_id(self, session: Session) -> str:
        """Return a new id at once. Raises SessionError if ``genid`` is async: then the commit makes it."""
        if self._genid is None:
            return secrets.token_urlsafe(24)
        sid: Any = self._genid(self._facts_of(session))
        if hasattr(sid, "__await__"):
            if hasattr(sid, "close"):
                sid.close()
            raise SessionError("genid is async, so the new id is known only after the commit. Await session.save()")
        return self._transport.check(_checked_id(sid))

    def tell(self, session: Session, happening: Happening, detail: str) -> None:
        """Report that ``happening`` befell ``session``."""
        self._events.tell(happening, session._loaded, detail, session._facts)

    def autosave(self, session: Session) -> bool:
        """Return what the options say of ``session.autosave``."""
        return self.options.autosave

    def extends(self, session: Session) -> bool:
        """Return what the options say of ``session.extends``."""
        return self._extends is None or bool(self._extends(self._facts_of(session)))

    def remembered(self) -> float:
        """Return for how many seconds a remembered session lives, by the options. Raises SessionError."""
        life: Any = None if self._lifetime is None else self._lifetime.remember
        if life is None:
            raise SessionError("nobody is remembered here: set Sessions(lifetime=Lifetime(remember=30 * 86_400, ...))")
        return float(life)

    def last_seen(self, session: Session) -> float:
        """Return when ``session`` was last used: its whole life before its end."""
        attributes, now, system = session.cookie_attributes(), self._clock(), session._system
        seen = session._ends - lifecycle.life_of(system, attributes, self.options, now)
        # Another program, with other options, may have given it another life; but not before these.
        return max(seen, *(moment(system[name], now) if name in system else seen for name in MOMENTS))

    def expires_at(self, session: Session) -> float:
        """Return when ``session`` ends if it is not used any more, and at the latest."""
        if self._lifetime is None:
            return session._ends
        return min(session._ends, self._lifetime.end(session._system, self._clock()))

    def cookie_attributes(self, session: Session) -> dict[str, JSON]:
        """Return the attributes of a new session's cookie, as they are stored."""
        facts = self._facts_of(session)
        options = self.options.cookie
        if not isinstance(options, CookieOptions):
            options = options(facts)
            if not isinstance(options, CookieOptions):
                raise InvalidOption("cookie", f"the function returned {options!r}", "Return a CookieOptions.")
            self.options.check_prefix(options)
        return lifecycle.new_cookie(options, is_secure(facts, self._trust), self._clock())

    def save(self, session: Session) -> Any:
        """Commit now. See ``Session.save``."""
        return self._run_for(session, self._save, False)

    def _save(self, store: Any, session: Session, strict: bool) -> Steps[bool]:
        session.writable()
        plan = self._plan(session, asked=True)
        if plan is not None:
            yield from self._commit(store, session, plan, strict)
        return not session.lost

    def reload(self, session: Session) -> Any:
        """Load the session again. See ``Session.reload``."""
        return self._run_for(session, self._at_once.reload)

    def begin(self, session: Session) -> Any:
        """Begin a transaction. See ``Session.transaction``."""
        return self._run_for(session, self._at_once.begin)

    def finish(self, session: Session, kept: bool) -> Any:
        """Commit a transaction: like ``save``, but a key that somebody else changed too is not overwritten."""
        return self._run_for(session, self._finish, kept)

    def _finish(self, store: Any, session: Session, kept: bool) -> Steps[None]:
        if kept and not (yield from self._save(store, session, True)):
            raise SessionGone("the session was ended while the transaction ran; nothing was written")

    def lock(self, session: Session, ttl: float, wait: float) -> Any:
        """Take the lock of a session. See ``Session.lock``."""
        return self._run_for(session, self._at_once.lock, ttl, wait)

    def unlock(self, session: Session, kept: bool) -> Any:
        """Commit what was done under the lock, and give it back, in one step if that can be."""
        return self._run_for(session, self._unlock, kept)

    def _unlock(self, store: Any, session: Session, kept: bool) -> Steps[None]:
        try:
            if kept and not session.over:
                session._system = without_lock(session._system)
                if not (yield from self._save(store, session, False)):
                    raise SessionGone("the session was ended while the lock was held; nothing was written")
        finally:
            yield from self._at_once.unlock(store, session)

    def pop_once(self, session: Session, key: str, default: JSON) -> Any:
        """Take a key out of the stored record. See ``Session.pop_once``."""
        return self._run_for(session, self._at_once.pop_once, key, default)

    def incr(self, session: Session, key: str, by: float) -> Any:
        """Add to a number in the stored record. See ``Session.incr``."""
        return self._run_for(session, self._at_once.incr, key, by)


class Listing:
    """All live sessions of a store, for ``for`` and ``async for``. The store is read while you go."""

    def __init__(self, sessions: Sessions) -> None:
        if not can(sessions.store, Iterable):
            raise SessionError(f"{type(sessions.store).__name__} has no ability Iterable: it cannot list its sessions")
        self._sessions = sessions

    def __iter__(self) -> Iterator[Session]:
        for sid, record in self._sessions.store.all():
            yield from self._read(sid, record)

    async def __aiter__(self) -> AsyncIterator[Session]:
        records = self._sessions._async_store.all()
        if hasattr(records, "__aiter__"):
            async for sid, record in records:
                for session in self._read(sid, record):
                    yield session
        else:
            for sid, record in records:
                for session in self._read(sid, record):
                    yield session

    def _read(self, sid: str, record: Record) -> Iterator[Session]:
        session = self._sessions._examine(sid, record)
        if isinstance(session, Session):
            yield session


def _not_loaded() -> None:
    raise NotLoaded(
        "this session is lazy and was not loaded. Write `session = await holdfast.starlette.load(request)` in the "
        "handler (each framework's module has its own load), or leave lazy=True out"
    )


def _checked_id(sid: object) -> str:
    if not isinstance(sid, str) or not sid:
        raise InvalidOption("genid", f"it returned a {type(sid).__name__}", "Return a non-empty str, new each time.")
    try:
        sid.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidOption("genid", "it returned text that has no UTF-8", "Return letters and digits.") from None
    return sid


def _check_store(store: object) -> None:
    verbs = ("load", "create", "replace", "touch", "delete")
    missing = [verb for verb in verbs if not callable(getattr(store, verb, None))]
    if missing:
        raise InvalidOption(
            "store",
            f"a {type(store).__name__} lacks {', '.join(missing)}",
            'Give a URL such as "sqlite:///sessions.db", or an object with the five verbs of holdfast.stores.base. '
            "One with get, set and destroy can be wrapped: see holdfast.stores.wrapped.",
        )


#: Options that have another name elsewhere: in express-session of old, and in Starlette.
_ELSEWHERE = {"key": "name", "session_cookie": "name", "secret_key": "secret", "https_only": "secure"}


def check_names(options: Mapping[str, object]) -> None:
    """Raise InvalidOption for a name that is no option, and say which one was meant."""
    known = {field.name for field in fields(Options)}
    for name in options:
        if name not in known:
            snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
            snake = _ELSEWHERE.get(snake, snake)
            in_cookie = snake in {field.name for field in fields(CookieOptions)}
            near = difflib.get_close_matches(snake, known, 1, 0.75)
            remedy = (
                f"It belongs to the cookie: cookie=CookieOptions({snake}=...)."
                if in_cookie
                else f"Did you mean {near[0]!r}?"
                if near
                else f"The options are: {', '.join(sorted(known))}."
            )
            raise InvalidOption(name, "there is no such option", remedy)
