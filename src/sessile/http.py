# What an integration needs, whatever its framework: begin the session, commit it just before the head of the response
# leaves, once more at the end of a body that changed it, and say in the headers what follows. An integration says where
# its framework keeps headers, and when the head leaves; it decides nothing.
#
# asgi.py has a body of its own for the first two, because there the head is a message and the loading has a fast path;
# all that goes into a response is here.
"""One request and its response: what every integration does, synchronous or not."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, Generic, Protocol, TypeVar, overload

from sessile import dual
from sessile._engine.arguments import check_names
from sessile._engine.manager import Sessions
from sessile._engine.watch import ENDED, Watch, given_patience
from sessile._session.lazy import load_nothing
from sessile._session.session import Session
from sessile._session.watched import state_of
from sessile.cookies import candidates
from sessile.dual import Steps
from sessile.errors import InvalidOption, MissingMiddleware, SessionError, StoreUnavailable
from sessile.facts import Facts

__all__ = [
    "ENDED",
    "FORBIDDEN",
    "FORBIDDEN_HEADERS",
    "SENT",
    "UNAVAILABLE",
    "UNAVAILABLE_HEADERS",
    "Body",
    "Exchange",
    "Headers",
    "Watch",
    "announce",
    "async_body",
    "close_async",
    "found",
    "given",
    "given_patience",
    "of_slot",
]

S = TypeVar("S", bound=Session)

#: What a visitor is told while the store is down, with status 503.
UNAVAILABLE: Final = b"The session store cannot be reached. Please try again in a moment.\n"
UNAVAILABLE_HEADERS: Final = [
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Content-Length", str(len(UNAVAILABLE))),
    ("Retry-After", "10"),
    ("Cache-Control", "no-store"),
]

#: What a page of another origin is told, with status 403 (``sessions.engine.refuses``).
FORBIDDEN: Final = b"This request was sent by a page of another origin, so it was not carried out.\n"
FORBIDDEN_HEADERS: Final = [
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Content-Length", str(len(FORBIDDEN))),
    ("Cache-Control", "no-store"),
]

#: Why a session cannot be changed after its request.
SENT: Final = "the response has been sent, so nothing would store this change. Change the session before you respond"


class Headers(Protocol):
    """The headers of a response, as most frameworks have them. Names are compared without regard to case.

    If ``get`` gives the first of several lines only, there is a method ``items()`` too, which gives them all.
    """

    def get(self, name: str, /) -> str | None:
        """Return the value of the header ``name``, or None."""

    def __setitem__(self, name: str, value: str, /) -> None:
        """Put one header in the place of all that have this name."""

    def add(self, name: str, value: str, /) -> object:
        """Add a header, beside those that have this name already."""


def announce(
    sessions: Sessions, session: Session, values: tuple[str, ...], headers: Headers, *, streams: bool = False
) -> None:
    """Let the head of a response say what follows from the session. ``values`` are what the commit returned.

    ``streams``: the body is still to be made and may look at the session then. Where the request has brought a session,
    its page may depend on that, and the head is gone by then.

    What looked at the session depends on the cookie (RFC 9110 12.5.5). What sets it stays out of every cache:
    Set-Cookie alone does not see to that (RFC 9111 7.3).
    """
    if values:
        name = _spelled(sessions.engine.writes)
        for value in values:
            headers.add(name, value)
        guard = sessions.engine.setup.device
        if guard is not None:
            for line in guard.head(state_of(session)):
                headers.add(*line)
        if "no-store" not in (headers.get("Cache-Control") or "").lower():
            headers["Cache-Control"] = "no-store"
    if values or state_of(session).accessed or (streams and brings_session(sessions, session)):
        field = _spelled(sessions.engine.reads)
        vary = headers.get("Vary")
        if vary is None:
            headers.add("Vary", field)
            return
        if hasattr(headers, "items"):  # Of several lines, the `get` of most frameworks gives the first.
            vary = ", ".join(value for name, value in headers.items() if name.lower() == "vary")
        fields = [each.strip().lower() for each in vary.split(",")]
        if "*" not in fields and field.lower() not in fields:
            headers["Vary"] = f"{vary}, {field}" if vary else field


def brings_session(sessions: Sessions, session: Session) -> bool:
    """Tell whether the request of ``session`` has brought one, as far as can be told without the store."""
    state, engine = state_of(session), sessions.engine
    if state.loader is None or engine.reads != b"cookie":
        return state.loaded is not None or (state.loader is not None and bool(state.header))
    return bool(candidates(state.header, sessions.options.name.encode("ascii")))


@lru_cache
def _spelled(header: bytes) -> str:
    return header.decode("ascii").title()


def given(sessions: Sessions | None, options: Mapping[str, Any], *, binds: bool = False) -> Sessions:
    """Return the manager that a middleware was given, or make it of the options given in its place.

    ``binds``: the integration answers what browsers send for sessions that are bound to a device.
    """
    if sessions is not None and options:
        raise InvalidOption(min(options), "given beside sessions=", "Give it to Sessions(...).")
    if sessions is not None and not isinstance(sessions, Sessions):
        problem = f"a {type(sessions).__name__} is not a Sessions"
        raise InvalidOption("sessions", problem, "Create one: Sessions(secret=...).")
    if sessions is None and "secret" not in options:
        check_names({name: value for name, value in options.items() if name != "store"})
        raise InvalidOption("sessions", "there is none", "Give sessions=Sessions(secret=..., store=...).")
    made = Sessions(**options) if sessions is None else sessions
    if made.options.device is not None and not binds:
        remedy = "Wrap the application in sessile.asgi.SessionMiddleware or sessile.wsgi.SessionMiddleware."
        raise InvalidOption("device", "this integration does not answer what browsers send for it", remedy)
    return made


def of_slot(slot: object) -> Session | None:
    """Return what a framework's slot holds, if it is a session or None."""
    if slot is None or isinstance(slot, Session):
        return slot
    raise SessionError(
        f"the session was replaced by a {type(slot).__name__}. Change the session itself, or set the slot to None"
    )


#: Where a scope or an environ has the path of the cookie, if a middleware of ours served a URL that is outside it.
OUTSIDE = "sessile.outside"


def found(slot: object, remedy: str, request: Mapping[str, Any] | None = None) -> Session:
    """Return what a framework has in its place for the session. Raises MissingMiddleware if that is none.

    ``request`` is the scope or the environ: from there, the message knows why there is none.
    """
    if not isinstance(slot, Session):
        raise missing(slot, remedy, request or {})
    slot.mark_accessed()
    return slot


def outside(path: str) -> MissingMiddleware:
    """Return the exception that says that ``path``, the cookie's, does not cover the URL."""
    return MissingMiddleware(
        f"this request has no session: the cookie's path is {path!r}, and this URL is outside it. "
        'Give CookieOptions a path that all URLs with a session begin with, such as path="/"'
    )


def missing(slot: object, remedy: str, request: Mapping[str, Any]) -> MissingMiddleware:
    """Return the exception that says why ``slot`` is not a session; ``remedy`` is for want of a middleware."""
    path = request.get(OUTSIDE)
    if path is not None:
        return outside(path)
    if slot is not None:
        return MissingMiddleware(
            f"this request has a session of another library: a {type(slot).__module__}.{type(slot).__qualname__}. "
            "Remove the other session middleware, and keep sessile's"
        )
    return MissingMiddleware(remedy)


async def close_async(sessions: Sessions) -> None:
    """Close the store, when an asynchronous application ends."""
    await sessions.aclose()


class Exchange(Generic[S]):
    """One request, on its way through a framework: ``session``, and the moments at which something becomes of it.

    ``header`` is the value of the request's header that ``sessions.engine.reads`` names, b"" if there is none;
    ``session_class`` the class of the session. Nothing is loaded yet: call one of the three methods that load.

    Methods raise StoreUnavailable if the store is down and the options do not say ``on_store_error="anonymous"``. If
    ``refuses``, answer with status 503, ``UNAVAILABLE_HEADERS`` and ``UNAVAILABLE``; otherwise let it through.
    """

    __slots__ = ("_state", "engine", "head_sent", "outage", "session", "sessions", "stored", "streams")

    @overload
    def __init__(self: Exchange[Session], sessions: Sessions, header: bytes, facts: Facts) -> None: ...

    @overload
    def __init__(self, sessions: Sessions, header: bytes, facts: Facts, session_class: type[S]) -> None: ...

    def __init__(self, sessions: Sessions, header: bytes, facts: Facts, session_class: Any = Session) -> None:
        self.sessions = sessions
        self.engine = sessions.engine
        self.session: S = self.engine.begin_lazy(header, facts, session_class)
        self._state = state_of(self.session)
        #: Whether the head of the response is on its way.
        self.head_sent = False
        #: Whether the session may be stored at all: not if it stands in for one that could not be loaded.
        self.stored = True
        #: Whether the body is still to be made when the head leaves. Set it before ``commit``.
        self.streams = False
        #: Why the session could not be loaded.
        self.outage: StoreUnavailable | None = None

    @property
    def refuses(self) -> bool:
        """Whether a request is answered with 503 while the store is down."""
        return self.sessions.options.on_store_error == "unavailable"

    def load(self) -> S:
        """Load the session, if nobody has, and return it."""
        self.engine.setup.serves_synchronously = True
        try:
            self.engine.load_sync(self.session)
        except StoreUnavailable as error:
            self._without_store(error)
        return self.session

    def load_lazily(self) -> S:
        """Return the session, to be loaded at the first look. For synchronous handlers."""
        self._state.loader = self.load
        self.engine.setup.serves_synchronously = True
        return self.session

    async def load_async(self) -> S:
        """Load the session, if nobody has, and return it."""
        try:
            await self.engine.load_async(self.session)
        except StoreUnavailable as error:
            self._without_store(error)
        return self.session

    def _without_store(self, error: StoreUnavailable) -> None:
        """Do what the options say about a store that is down."""
        self.stored = False
        load_nothing(self.session)
        if self.sessions.options.on_store_error != "anonymous":
            self.outage = error
            raise error

    def commit(self, headers: Headers | None, slot: object = ...) -> None:
        """Carry out what became of the session, and write to ``headers`` what follows. Call it before the head leaves.

        ``headers`` is None where no cookie can be sent: in the handshake of a WebSocket, in most frameworks. Then a
        session that begins is not stored.

        ``slot`` is what the framework's slot for the session holds by now, if a handler can set it to None.
        """
        if slot is None and self._state.loader is not None and self.sessions.options.unset == "destroy":
            self.load()
        dual.run_sync(self._commit(self.engine.commit_sync, headers, slot))

    async def commit_async(self, headers: Headers | None, slot: object = ...) -> None:
        """The async version of ``commit``."""
        await dual.run_async(self._commit(self.engine.commit_async, headers, slot))

    def _commit(self, commit: Callable[..., Any], headers: Headers | None, slot: object) -> Steps[None]:
        session, state = self.session, self._state
        if headers is None:
            state.headless = True
        if self.outage is not None and self.refuses:
            raise self.outage  # Whatever the handler has made of it: an outage must not look like a log-out.
        values: tuple[str, ...] = ()
        if self.stored and state.loader is None:
            released = slot is None
            try:
                values = yield commit(session, released)
            except StoreUnavailable as error:
                self._without_store(error)
        if headers is not None:
            announce(self.sessions, session, values, headers, streams=self.streams)
        self.head_sent = state.headless = state.committed = True
        state.written = False

    def finish(self, slot: object = ...) -> None:
        """End the request: store what changed since the head was sent, and refuse changes from here on."""
        try:
            if self._may_have_changed(slot):
                self.engine.commit_sync(self.session)
        finally:
            self._state.end(SENT)

    async def finish_async(self, slot: object = ...) -> None:
        """The async version of ``finish``."""
        try:
            if self._may_have_changed(slot):
                answer = self.engine.commit_async(self.session)
                if not isinstance(answer, tuple):
                    await answer
        finally:
            self._state.end(SENT)

    def _may_have_changed(self, slot: object) -> bool:
        state = self._state
        due = self.head_sent and self.stored and state.loader is None and state.may_have_changed()
        return due and slot is not None

    def observe(self) -> None:
        """Let the session be read and no more, where no head will leave to carry a cookie: in an open WebSocket.

        A handler that sets ``session.read_only = False`` and awaits ``session.asave()`` writes all the same.
        """
        self.head_sent = self._state.headless = self.session.read_only = True

    def abandon(self) -> None:
        """End a request that failed: what it changed is not stored."""
        self._state.end(SENT)


class Body:
    """The chunks of a body, handed on. What changed while it was made is stored at its end, or when the client leaves.

    Nothing is, if making it fails.
    """

    __slots__ = ("_body", "_chunks", "_exchange", "_over")

    def __init__(self, exchange: Exchange[Any], body: Iterable[bytes]) -> None:
        self._exchange = exchange
        self._body = body
        self._chunks: Iterator[bytes] | None = None
        self._over = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            if self._chunks is None:
                self._chunks = iter(self._body)
            return next(self._chunks)
        except StopIteration:
            if not self._over:
                self._over = True
                self._exchange.finish()
            raise
        except BaseException:
            self._over = True
            self._exchange.abandon()
            raise

    def close(self) -> None:
        """End the body, whether or not all of it was sent."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            if not self._over:
                self._over = True
                self._exchange.finish()


async def async_body(exchange: Exchange[Any], chunks: AsyncIterable[Any]) -> AsyncIterator[Any]:
    """Hand on the chunks of a body as ``Body`` does, under asyncio."""
    try:
        async for chunk in chunks:
            yield chunk
    except Exception:
        exchange.stored = False
        raise
    finally:
        close = getattr(chunks, "close", getattr(chunks, "aclose", None))
        try:
            if close is not None:
                await close()
        finally:
            await exchange.finish_async()
