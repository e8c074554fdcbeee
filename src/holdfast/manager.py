# The manager joins the pure rules (lifecycle.py) to a store. It holds no state of a request: that is in the Session.
# Methods whose name begins with an underscore and which return Steps are bodies of code in both colours (dual.py);
# the store they get as their first argument has the colour of whoever runs them.
"""The manager: what a program creates once, and everything else uses."""

from __future__ import annotations

import difflib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from dataclasses import fields
from functools import lru_cache
from typing import Any, TypeVar

from holdfast import cookies, dual, lifecycle, stores
from holdfast.dual import Steps
from holdfast.errors import InvalidOption, SessionConflict, SessionError, SessionGone, StoreUnavailable
from holdfast.events import Events, Happening
from holdfast.facts import RequestFacts, is_secure
from holdfast.lifecycle import Browser, Operation, Plan, Verdict
from holdfast.options import CookieOptions, Options
from holdfast.record import JSON, Contents, decode, encode
from holdfast.session import Session, not_loaded, parse_iso, text
from holdfast.signing import Signer
from holdfast.stores.base import Closable, Conflict, Iterable, Missing, Record, Replaced, Store, Sweepable

__all__ = ["Sessions"]

T = TypeVar("T")

#: Gives the facts of a request when they are asked for, which on the hot path they are not.
Facts = Callable[[], RequestFacts]

#: How many Cookie headers are remembered with the ids in them: five megabytes at most, since long ones are not.
RECENT_HEADERS = 4096
LONGEST_RECALLED = 1024

#: How often a commit is tried again because somebody else wrote first. Each time somebody did make progress.
MAX_TRIES = 100

#: What stands in the place of a record between the moment its id dies and its removal.
_TOMBSTONE = b'{"cookie":{"originalMaxAge":null,"expires":null},"holdfast":{"rotated":true}}'
_TOMBSTONE_TTL = 60.0

#: Stands for an answer of the store that has not been asked for yet.
_NOT_ASKED: Any = object()

_VERDICTS: dict[Any, Happening] = {
    Verdict.UNKNOWN: Happening.UNKNOWN_ID,
    Verdict.EXPIRED: Happening.EXPIRED,
    Verdict.CORRUPT: Happening.CORRUPT,
}


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

    def __init__(self, *, secret: Any, store: Store | str = "memory://", **options: Any) -> None:
        _check_names(options)
        self.options = Options(secret=secret, **options)
        self._clock = self.options.clock
        self.store: Any = stores.from_url(store, self._clock) if isinstance(store, str) else store
        _check_store(self.store)
        under_asyncio = self.store.asynchronous() if isinstance(self.store, dual.TwoColoured) else self.store
        self._async_store: Any = under_asyncio
        keys = self.options.secrets()
        self._signer = Signer(keys)
        self._recall = lru_cache(RECENT_HEADERS)(self._read)
        self._genid = self.options.genid
        self._events = Events(keys[-1], self.options.on_event)
        self._rules = lifecycle.rules_for(self.options)
        self._name = self.options.name.encode("ascii")
        cookie = self.options.cookie
        self._prefix = cookie.path if isinstance(cookie, CookieOptions) else "/"

    def __repr__(self) -> str:
        return f"<Sessions name={self.options.name!r} store={type(self.store).__name__}>"

    # For programs -------------------------------------------------------------------------------------------------

    def open(self, sid: str) -> Any:
        """Return the Session that is stored under ``sid``, or None. Change it, then ``save()`` it."""
        return self._run(self._open, sid)

    def revoke(self, sid: str) -> Any:
        """End the session ``sid``, wherever it is in use: its next request finds none. Return whether there was one."""
        return self._run(self._revoke, sid)

    def all(self) -> Listing:
        """Return all live sessions: iterate with ``for``, or with ``async for`` under asyncio."""
        return Listing(self)

    def count(self) -> Any:
        """Return how many live sessions there are."""
        return self._run(lambda store: _once(store.count()), ability=Iterable)

    def clear(self) -> Any:
        """End all sessions of this store."""
        return self._run(lambda store: _once(store.clear()), ability=Iterable)

    def prune(self) -> Any:
        """Remove the records of expired sessions, and return how many. Stores whose server does this return 0."""
        if not isinstance(self.store, Sweepable):
            return self._run(lambda store: _once(0))
        return self._run(lambda store: _once(store.prune()))

    def close(self) -> Any:
        """Let go of the store's connections, at the end of the program. The store opens them again if it must."""
        if not isinstance(self.store, Closable):
            return self._run(lambda store: _once(None))
        return self._run(lambda store: _once(store.close()))

    def _run(self, body: Callable[..., Steps[T]], *args: Any, ability: type | None = None) -> T | Awaitable[T]:
        if ability is not None and not isinstance(self.store, ability):
            raise SessionError(f"{type(self.store).__name__} has no ability {ability.__name__}: it cannot do this")
        store = self._async_store if dual.under_asyncio() else self.store
        return dual.run(body(store, *args))

    def _open(self, store: Any, sid: str) -> Steps[Session | None]:
        return (yield from self._find(store, sid))

    def _revoke(self, store: Any, sid: str) -> Steps[bool]:
        there = yield from self._ask(store.delete, sid)
        if there:
            self._events.tell(Happening.REVOKED, sid)
        return bool(there)

    # For integrations ---------------------------------------------------------------------------------------------

    @property
    def covers_all(self) -> bool:
        """Whether every path has a session, as by default."""
        return self._prefix == "/"

    def covers(self, path: str) -> bool:
        """Tell whether requests for ``path`` have a session at all: whether the cookie's path matches it.

        RFC 6265bis section 5.1.4; express-session compares the beginning of the text only, so its ``/app`` covers
        ``/application``, for which no browser would send the cookie back.
        """
        prefix = self._prefix
        if prefix == "/" or path == prefix:
            return True
        return path.startswith(prefix if prefix.endswith("/") else prefix + "/")

    def begin_sync(self, header: bytes, facts: Facts) -> Session:
        """Return the session of a request whose Cookie header is ``header``, for synchronous servers."""
        return dual.run_sync(self._begin(self.store, self._claims(header), facts))

    def begin_async(self, header: bytes, facts: Facts) -> Session | Awaitable[Session]:
        """Return the session of a request under asyncio, or an awaitable of it if something has to be waited for."""
        claims = self._claims(header)
        if len(claims) == 1:
            # The hot path, without the machinery: one cookie, and a store that answers at once.
            answer = self._load(self._async_store, claims[0])
            if isinstance(answer, Record):
                session = self._examine(claims[0], answer)
                if session is not None:
                    session._facts = facts
                    return session
            return dual.start(self._begin(self._async_store, claims, facts, answer))
        if not claims and self._genid is None:
            return self._blank(facts)
        return dual.start(self._begin(self._async_store, claims, facts))

    def begin_lazy(self, header: bytes, facts: Facts) -> Session:
        """Return a session that must be loaded before it is looked at."""
        session = self._blank(facts)
        session._loader = not_loaded
        session._cookie_header = header
        return session

    async def load_async(self, session: Session) -> None:
        """Load a lazy session, if nobody has."""
        if session._loader is None or session._facts is None:
            return
        loaded = await dual.run_async(self._begin(self._async_store, session._cookie_header, session._facts))
        session._loader = None
        if loaded._payload is not None:
            session.become(loaded)

    def commit_sync(self, session: Session, released: bool = False) -> str | None:
        """Carry out what became of the session, and return the Set-Cookie value for the response, or None."""
        plan = self._plan(session, released)
        return None if plan is None else dual.run_sync(self._commit(self.store, session, plan))

    def commit_async(self, session: Session, released: bool = False) -> str | Awaitable[str | None] | None:
        """Do as ``commit_sync`` under asyncio; returns an awaitable if the store has to be waited for."""
        plan = self._plan(session, released)
        if plan is None:
            return None
        if plan.operation is Operation.TOUCH and plan.browser is Browser.NOTHING:
            # The hot path, without the machinery: a visitor who is known and changed nothing.
            answer = self._touch(self._async_store, plan)
            return None if answer is True else dual.start(self._commit(self._async_store, session, plan, answer=answer))
        return dual.start(self._commit(self._async_store, session, plan))

    def anonymous(self, facts: Facts) -> Session:
        """Return a session that nothing will ever store: for requests served while the store is down."""
        return self._blank(facts)

    # Opening ------------------------------------------------------------------------------------------------------

    def _blank(self, facts: Facts | None) -> Session:
        session = Session({}, self)
        session._facts = facts
        return session

    def _claims(self, header: bytes) -> tuple[str, ...]:
        """Return the ids that a request's cookies claim and that we signed, each once.

        A visitor's requests come in rows and with the same cookies, so the last few thousand answers are remembered.
        """
        claims, forged = self._recall(header) if len(header) <= LONGEST_RECALLED else self._read(header)
        for _ in range(forged):
            self._events.tell(Happening.BAD_SIGNATURE)
        return claims

    def _read(self, header: bytes) -> tuple[tuple[str, ...], int]:
        sids = [self._signer.read_token(raw) for raw in cookies.candidates(header, self._name)]
        return tuple(dict.fromkeys(sid for sid in sids if sid is not None)), sids.count(None)

    def _load(self, store: Any, sid: str) -> Any:
        try:
            return store.load(sid)
        except Exception as error:
            raise self._outage(error) from error

    def _examine(self, sid: str, record: Record | None) -> Session | None:
        contents = lifecycle.examine(record, self._clock())
        if isinstance(contents, Verdict) or record is None:
            self._events.tell(_VERDICTS.get(contents, Happening.UNKNOWN_ID), sid)
            return None
        return Session(contents.data, self, sid, record.payload, contents.cookie, contents.system)

    def _begin(self, store: Any, claims: tuple[str, ...], facts: Facts, first: Any = _NOT_ASKED) -> Steps[Session]:
        live: list[Session] = []
        for sid in claims:
            answer = self._load(store, sid) if first is _NOT_ASKED else first
            first = _NOT_ASKED
            try:
                record = yield answer
            except Exception as error:
                raise self._outage(error) from error
            session = self._examine(sid, record)
            if session is not None:
                live.append(session)
        # Several cookies of one name come from a hostile or careless neighbour (RFC 6265bis 8.6), and their order
        # says nothing: if more than one is live, none is believed.
        if len(live) > 1:
            self._events.tell(Happening.AMBIGUOUS, None, "several cookies of one name are live; none is believed")
        session = live[0] if len(live) == 1 else self._blank(facts)
        session._facts = facts
        if session._id is None and self._genid is not None:
            session._id = yield from self._make_id(session)
        return session

    def _find(self, store: Any, sid: str) -> Steps[Session | None]:
        return self._examine(sid, (yield from self._ask(store.load, sid)))

    def _ask(self, verb: Callable[..., Any], *args: Any) -> Steps[Any]:
        try:
            return (yield verb(*args))
        except Exception as error:
            raise self._outage(error) from error

    def _outage(self, error: Exception) -> SessionError:
        """Return what to raise for an exception that came out of a store. The one place where that is decided."""
        if isinstance(error, SessionError) and not isinstance(error, StoreUnavailable):
            return error
        self._events.tell(Happening.STORE_UNAVAILABLE, None, type(error).__name__)
        return error if isinstance(error, StoreUnavailable) else StoreUnavailable(f"the store failed: {type(error).__name__}")

    # Committing ---------------------------------------------------------------------------------------------------

    def _plan(self, session: Session, released: bool = False) -> Plan | None:
        """Return what is to be done for ``session``, or None if that is nothing."""
        plan = lifecycle.commit(self.options, self._rules, session, released, self._clock())
        if plan.operation is Operation.TOUCH and session._saved:
            plan = lifecycle.without_operation(plan)  # It was renewed when it was saved, in this request.
        if session._promised is not None and plan.browser is Browser.NOTHING and not released:
            return lifecycle.with_cookie(plan, session._promised)
        return None if plan.operation is Operation.NOTHING and plan.browser is Browser.NOTHING else plan

    def _touch(self, store: Any, plan: Plan) -> Any:
        try:
            return store.touch(plan.sid, plan.ttl)
        except Exception as error:
            raise self._outage(error) from error

    def _commit(
        self, store: Any, session: Session, plan: Plan, strict: bool = False, answer: Any = _NOT_ASKED
    ) -> Steps[str | None]:
        browser = plan.browser
        if plan.operation is Operation.TOUCH:
            try:
                there = yield self._touch(store, plan) if answer is _NOT_ASKED else answer
            except Exception as error:
                raise self._outage(error) from error
            if not there:
                self._gone(session, plan)
                return None
            plan = lifecycle.without_operation(plan)
        if browser is Browser.SEND and not self._deliverable(session, plan):
            if plan.operation in (Operation.CREATE, Operation.ROTATE):
                return None
            browser = Browser.NOTHING
        done = yield from self._carry_out(store, session, plan, strict)
        if done is None or browser is Browser.NOTHING:
            return None
        if browser is Browser.SEND:
            session._promised = done.cookie
        if session._headless:
            return None
        session._promised = None
        return self._set_cookie(session, done, expire=browser is Browser.EXPIRE)

    def _deliverable(self, session: Session, plan: Plan) -> bool:
        """Tell whether the browser would get a cookie: a record that nobody can name must not be made."""
        if session._headless:
            if plan.state is not lifecycle.State.CHANGED:
                self._events.tell(
                    Happening.COOKIE_TOO_LATE,
                    session._loaded,
                    "the session needs a cookie, and the head of the response is gone. Change it before you respond",
                )
            return plan.state in (lifecycle.State.CHANGED, lifecycle.State.ALTERED)
        if plan.cookie.get("secure") and session._facts is not None:
            if not is_secure(session._facts(), self.options.proxy):
                self._events.tell(
                    Happening.INSECURE,
                    session._loaded,
                    "the cookie is secure and the request came by http. Use https; behind a proxy, set proxy=True",
                )
                return False
        return True

    def _carry_out(self, store: Any, session: Session, plan: Plan, strict: bool) -> Steps[Plan | None]:
        """Do what ``plan`` says. Return it as it was carried out, or None if the session is no more."""
        operation = plan.operation
        if operation is Operation.NOTHING:
            return plan
        if operation is Operation.DELETE:
            if not plan.sid:
                return None
            there = yield from self._ask(store.delete, plan.sid)
            self._events.tell(Happening.DESTROYED, plan.sid)
            session._loaded = None
            return plan if there else None
        if operation is Operation.REPLACE:
            return (yield from self._replace(store, session, plan, strict))
        if operation is Operation.ROTATE and plan.old_sid is not None:
            return (yield from self._rotate(store, session, plan))
        return (yield from self._create(store, session, plan))

    def _gone(self, session: Session, plan: Plan) -> None:
        """Note that somebody else ended the session, and there is nothing to be done any more."""
        session._loaded = None
        session.end("the session was ended by another request")
        if plan.operation is not Operation.TOUCH:
            self._events.tell(Happening.DROPPED, plan.old_sid, "the session is no more; its changes were dropped")

    def _create(self, store: Any, session: Session, plan: Plan) -> Steps[Plan]:
        for _ in range(3):
            if session._id is None:
                session._id = yield from self._make_id(session)
            if (yield from self._ask(store.create, session._id, plan.payload, plan.ttl)):
                self._events.tell(Happening.CREATED, session._id)
                session.stored_as(session._id, plan.payload, plan.cookie)
                return plan
            session._id = None
        raise SessionError("genid returned ids that are in use already; it must return a new one each time")

    def _replace(self, store: Any, session: Session, plan: Plan, strict: bool) -> Steps[Plan | None]:
        written = yield from self._swap(store, session, plan, plan.sid, strict)
        if written is None:
            if self.options.conflict == "overwrite":
                return (yield from self._create(store, session, plan))
            self._gone(session, plan)
            return None
        if written is plan:
            session.stored_as(plan.sid, plan.payload, plan.cookie)
        else:
            contents = decode(written.payload)
            assert contents is not None
            session.adopt(plan.sid, written.payload, contents)
        self._events.tell(Happening.SAVED, plan.sid)
        return written

    def _rotate(self, store: Any, session: Session, plan: Plan) -> Steps[Plan | None]:
        # Data that lives on is taken over from the old record in one atomic step, which also kills the old id: what
        # others wrote before it is kept, what they write after it meets a tombstone and is dropped. If this process
        # dies between the steps, the visitor is logged out; never is one session alive under two ids.
        assert plan.old_sid is not None
        if plan.kept is False or plan.kept == frozenset():
            yield from self._ask(store.delete, plan.old_sid)
        else:
            taken = yield from self._swap(store, session, plan, plan.old_sid, False, _TOMBSTONE)
            if taken is None:
                self._gone(session, plan)
                return None
            plan = taken
        created = yield from self._create(store, session, plan)
        if plan.kept:
            yield from self._ask(store.delete, plan.old_sid)
            contents = decode(plan.payload)
            assert contents is not None and session._id is not None
            session.adopt(session._id, plan.payload, contents)
        self._events.tell(Happening.ROTATED, plan.old_sid)
        return created

    def _swap(
        self, store: Any, session: Session, plan: Plan, sid: str, strict: bool, tombstone: bytes | None = None
    ) -> Steps[Plan | None]:
        """Put the plan's payload, or a tombstone, in the place of the record ``sid``, with what others changed.

        Return the plan as it was written, or None if there is no such session any more.
        """
        base = plan.expected
        for _ in range(MAX_TRIES):
            payload, ttl = (plan.payload, plan.ttl) if tombstone is None else (tombstone, _TOMBSTONE_TTL)
            answer = yield from self._ask(store.replace, sid, payload, ttl, plan.expected)
            if isinstance(answer, Replaced):
                return plan
            if isinstance(answer, Missing):
                return None
            current = self._resolve(session, plan, base, answer, strict)
            if current is None:
                return None
            plan = current
        raise SessionConflict({}, {}, {})

    def _resolve(self, session: Session, plan: Plan, base: bytes, answer: Conflict, strict: bool) -> Plan | None:
        changed = session.cookie_changed or plan.operation is Operation.ROTATE
        resolved = lifecycle.resolve(plan, base, answer.current, cookie_changed=changed, now=self._clock())
        if resolved is None:
            return None
        mode = self.options.conflict
        if mode == "error" or (strict and resolved.collisions):
            raise SessionConflict(resolved.base, resolved.mine, resolved.theirs)
        if mode == "overwrite":
            return lifecycle.insist(plan, answer.current)
        self._events.tell(Happening.MERGED, plan.sid)
        if resolved.collisions:
            self._events.tell(Happening.COLLIDED, plan.sid, "one key was changed by two requests; the later one won")
        return resolved.plan

    def _set_cookie(self, session: Session, plan: Plan, *, expire: bool) -> str | None:
        stored = plan.cookie
        moment = parse_iso(stored.get("expires"))
        end = None if moment is None else moment.timestamp()
        value = "" if expire else self._signer.token(session.sid())
        if len(self._name) + len(value) > cookies.MAX_COOKIE_BYTES:
            raise SessionError(
                f"the session cookie would have {len(self._name) + len(value)} bytes, and browsers drop cookies over "
                f"{cookies.MAX_COOKIE_BYTES}. Use a shorter name, or a genid that returns shorter ids"
            )
        same_site = stored.get("sameSite")
        try:
            return cookies.serialize(
                self.options.name,
                value,
                max_age=0 if expire else None if end is None else max(0, round(end - self._clock())),
                domain=text(stored, "domain"),
                path=text(stored, "path"),
                expires=0 if expire else end,
                http_only=bool(stored.get("httpOnly")),
                secure=bool(stored.get("secure")),
                partitioned=bool(stored.get("partitioned")),
                priority=text(stored, "priority"),
                same_site="strict" if same_site is True else text(stored, "sameSite"),
            )
        except ValueError:
            self._events.tell(Happening.CORRUPT, session._loaded, "its cookie's attributes cannot be sent")
            return None

    def _make_id(self, session: Session) -> Steps[str]:
        genid = self._genid
        if genid is None:
            return secrets.token_urlsafe(24)
        sid = yield genid(self._facts_of(session))
        return _checked_id(sid)

    def _facts_of(self, session: Session) -> RequestFacts:
        return RequestFacts() if session._facts is None else session._facts()

    # For sessions (session.Backing) -------------------------------------------------------------------------------

    def now(self) -> float:
        """Return the time by the clock of the options."""
        return self._clock()

    def new_id(self, session: Session) -> str:
        """Return a new id at once. Raises SessionError if ``genid`` is async: then the commit makes it."""
        genid = self._genid
        if genid is None:
            return secrets.token_urlsafe(24)
        sid = genid(self._facts_of(session))
        if hasattr(sid, "__await__"):
            if hasattr(sid, "close"):
                sid.close()
            raise SessionError("genid is async, so the new id is known only after the commit. Await session.save()")
        return _checked_id(sid)

    def cookie_attributes(self, session: Session) -> dict[str, JSON]:
        """Return the attributes of a new session's cookie, as they are stored."""
        facts = self._facts_of(session)
        options = self.options.cookie
        if not isinstance(options, CookieOptions):
            options = options(facts)
            if not isinstance(options, CookieOptions):
                raise InvalidOption("cookie", f"the function returned {options!r}", "Return a CookieOptions.")
            self.options.check_prefix(options)
        return lifecycle.new_cookie(options, is_secure(facts, self.options.proxy), self._clock())

    def save(self, session: Session) -> Any:
        """Commit now. See ``Session.save``."""
        return self._run(self._save, session, False)

    def finish(self, session: Session) -> Any:
        """Commit a transaction: like ``save``, but a key that somebody else changed too is not overwritten."""
        return self._run(self._finish, session)

    def _save(self, store: Any, session: Session, strict: bool) -> Steps[bool]:
        session._write()
        headless, session._headless = session._headless, session._headless or session._facts is None
        try:
            plan = self._plan(session)
            if plan is not None:
                yield from self._commit(store, session, plan, strict)
        finally:
            session._headless = headless
        return session._loaded is not None

    def _finish(self, store: Any, session: Session) -> Steps[None]:
        if not (yield from self._save(store, session, True)):
            raise SessionGone("the session was ended while the transaction ran; nothing was written")

    def reload(self, session: Session) -> Any:
        """Load the session again. See ``Session.reload``."""
        return self._run(self._reload, session)

    def _reload(self, store: Any, session: Session) -> Steps[None]:
        session.become((yield from self._stored(store, session)))

    def begin(self, session: Session) -> Any:
        """Bring a session up to what is stored, keeping its changes. See ``Session.transaction``."""
        return self._run(self._begin_transaction, session)

    def _begin_transaction(self, store: Any, session: Session) -> Steps[None]:
        session._write()
        if session._payload is not None:
            session.rebase((yield from self._stored(store, session)))

    def _stored(self, store: Any, session: Session) -> Steps[Session]:
        """Return the session as the store has it now."""
        if session._loaded is not None:
            found = yield from self._find(store, session._loaded)
            if found is not None:
                return found
        raise SessionGone("the store has no such session: it was ended, or never saved")

    def pop_once(self, session: Session, key: str, default: JSON) -> Any:
        """Take a key out of the stored record. See ``Session.pop_once``."""
        return self._run(self._pop_once, session, key, default)

    def _pop_once(self, store: Any, session: Session, key: str, default: JSON) -> Steps[JSON]:
        session._write()
        if session._payload is None:
            return session.pop(key, default)
        for _ in range(MAX_TRIES):
            try:
                stored = yield from self._stored(store, session)
            except SessionGone:
                return default
            session.rebase(stored)
            contents = stored.contents()
            contents.data = stored.copy()
            if key not in contents.data:
                return default
            value = contents.data.pop(key)
            payload = encode(contents)
            ttl = lifecycle.lifetime(stored.cookie_attributes(), self.options, self._clock())
            answer = yield from self._ask(store.replace, stored.sid(), payload, ttl, stored._payload)
            if isinstance(answer, Replaced):
                session._payload = payload
                dict.pop(session, key, None)
                return value
        raise SessionConflict({}, {}, {})


class Listing:
    """All live sessions of a store, for ``for`` and ``async for``. The store is read while you go."""

    def __init__(self, sessions: Sessions) -> None:
        if not isinstance(sessions.store, Iterable):
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
        if session is not None:
            yield session


def _once(answer: Any) -> Generator[Any, Any, Any]:
    return (yield answer)


def _checked_id(sid: object) -> str:
    if not isinstance(sid, str) or not sid:
        raise InvalidOption("genid", f"it returned a {type(sid).__name__}", "Return a non-empty str, new each time.")
    return sid


def _check_store(store: object) -> None:
    missing = [verb for verb in ("load", "create", "replace", "touch", "delete") if not callable(getattr(store, verb, None))]
    if missing:
        raise InvalidOption(
            "store",
            f"a {type(store).__name__} lacks {', '.join(missing)}",
            'Give a URL such as "sqlite:///sessions.db", or a store with the five verbs of holdfast.stores.base.Store.',
        )


def _check_names(options: dict[str, Any]) -> None:
    known = {field.name for field in fields(Options)}
    for name in options:
        if name not in known:
            snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
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
