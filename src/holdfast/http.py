# What an integration needs, whatever its framework: begin the session, commit it just before the head of the response
# leaves, once more at the end of a body that changed it, and say in the headers what follows. An integration says where
# its framework keeps headers, and when the head leaves; it decides nothing.
#
# asgi.py has a body of its own for the first two, because there the head is a message and the loading has a fast path;
# all that goes into a response is here.
"""One request and its response: what every integration does, in both colours."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, Protocol

from holdfast import dual
from holdfast.dual import Steps
from holdfast.errors import InvalidOption, MissingMiddleware, StoreUnavailable
from holdfast.facts import Facts
from holdfast.manager import Sessions, check_names
from holdfast.session import Session, of_slot

__all__ = [
    "SENT",
    "UNAVAILABLE",
    "UNAVAILABLE_HEADERS",
    "Body",
    "Exchange",
    "Headers",
    "announce",
    "async_body",
    "close_async",
    "found",
    "given",
]

#: What a visitor is told while the store is down, with status 503.
UNAVAILABLE: Final = b"The session store cannot be reached. Please try again in a moment.\n"
UNAVAILABLE_HEADERS: Final = [
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Content-Length", str(len(UNAVAILABLE))),
    ("Retry-After", "10"),
    ("Cache-Control", "no-store"),
]

#: Why a session cannot be changed after its request.
SENT: Final = "the response has been sent, so nothing would store this change. Change the session before you respond"


class Headers(Protocol):
    """The headers of a response, as most frameworks have them. Names are compared without regard to case.

    If ``get`` gives the first of several lines only, there is a method ``items()`` too, which gives them all.
    """

    def get(self, name: str, /) -> Any:
        """Return the value of the header ``name``, or None."""

    def __setitem__(self, name: str, value: str, /) -> None:
        """Put one header in the place of all that have this name."""

    def add(self, name: str, value: str, /) -> Any:
        """Add a header, beside those that have this name already."""


def announce(sessions: Sessions, session: Session, values: tuple[str, ...], headers: Headers) -> None:
    """Let the head of a response say what follows from the session. ``values`` are what the commit returned.

    What looked at the session depends on the cookie (RFC 9110 12.5.5). What sets it stays out of every cache:
    Set-Cookie alone does not see to that (RFC 9111 7.3).
    """
    if values:
        name = _spelled(sessions.writes)
        for value in values:
            headers.add(name, value)
        if "no-store" not in (headers.get("Cache-Control") or "").lower():
            headers["Cache-Control"] = "no-store"
    if values or session._accessed:
        field = _spelled(sessions.reads)
        vary = headers.get("Vary")
        if vary is None:
            headers.add("Vary", field)
            return
        if hasattr(headers, "items"):  # Of several lines, the `get` of most frameworks gives the first.
            vary = ", ".join(value for name, value in headers.items() if name.lower() == "vary")
        fields = [each.strip().lower() for each in vary.split(",")]
        if "*" not in fields and field.lower() not in fields:
            headers["Vary"] = f"{vary}, {field}" if vary else field


@lru_cache
def _spelled(header: bytes) -> str:
    return header.decode("ascii").title()


def given(sessions: Sessions | None, options: Mapping[str, Any]) -> Sessions:
    """Return the manager that a middleware was given, or make it of the options given in its place."""
    if sessions is not None and options:
        raise InvalidOption(min(options), "given beside sessions=", "Give it to Sessions(...).")
    if sessions is not None and not isinstance(sessions, Sessions):
        problem = f"a {type(sessions).__name__} is no Sessions"
        raise InvalidOption("sessions", problem, "Create one: Sessions(secret=...).")
    if sessions is None and "secret" not in options:
        check_names({name: value for name, value in options.items() if name != "store"})
        raise InvalidOption("sessions", "there is none", "Give sessions=Sessions(secret=..., store=...).")
    return Sessions(**options) if sessions is None else sessions


def found(slot: object, remedy: str) -> Session:
    """Return what a framework has in its place for the session. Raises MissingMiddleware if that is none."""
    if not isinstance(slot, Session):
        raise MissingMiddleware(remedy)
    slot.mark_accessed()
    return slot


async def close_async(sessions: Sessions) -> None:
    """Close the store, when an asynchronous application ends."""
    answer = sessions.close()
    if answer is not None:
        await answer


class Exchange:
    """One request, on its way through a framework: ``session``, and the moments at which something becomes of it.

    ``header`` is the value of the request's header that ``sessions.reads`` names, b"" if there is none; ``kind`` the
    class of the session. Nothing is loaded yet: call one of the three methods that load.

    Methods raise StoreUnavailable if the store is down and the options do not say ``on_store_error="anonymous"``. If
    ``refuses``, answer with status 503, ``UNAVAILABLE_HEADERS`` and ``UNAVAILABLE``; otherwise let it through.
    """

    __slots__ = ("head_sent", "outage", "session", "sessions", "stored")

    def __init__(self, sessions: Sessions, header: bytes, facts: Facts, kind: type[Session] = Session) -> None:
        self.sessions = sessions
        self.session = sessions.begin_lazy(header, facts, kind)
        #: Whether the head of the response is on its way.
        self.head_sent = False
        #: Whether the session may be stored at all: not if it stands in for one that could not be loaded.
        self.stored = True
        #: Why the session could not be loaded.
        self.outage: StoreUnavailable | None = None

    @property
    def refuses(self) -> bool:
        """Whether a request is answered with 503 while the store is down."""
        return self.sessions.options.on_store_error == "unavailable"

    def load(self) -> Session:
        """Load the session, if nobody has, and return it."""
        try:
            self.sessions.load_sync(self.session)
        except StoreUnavailable as error:
            self._without_store(error)
        return self.session

    def load_lazily(self) -> Session:
        """Return the session, to be loaded at the first look. For synchronous handlers."""
        self.session._loader = self.load
        return self.session

    async def load_async(self) -> Session:
        """Load the session, if nobody has, and return it."""
        try:
            await self.sessions.load_async(self.session)
        except StoreUnavailable as error:
            self._without_store(error)
        return self.session

    def _without_store(self, error: StoreUnavailable) -> None:
        """Do what the options say about a store that is down."""
        self.stored = False
        self.session.load_nothing()
        if self.sessions.options.on_store_error != "anonymous":
            self.outage = error
            raise error

    def commit(self, headers: Headers | None, slot: object = ...) -> None:
        """Carry out what became of the session, and write to ``headers`` what follows. Call it before the head leaves.

        ``headers`` is None where no cookie can be sent: in the handshake of a WebSocket, in most frameworks. Then a
        session that begins is not stored.

        ``slot`` is what the framework's slot for the session holds by now, if a handler can set it to None.
        """
        if slot is None and self.session._loader is not None and self.sessions.options.unset == "destroy":
            self.load()
        dual.run_sync(self._commit(self.sessions.commit_sync, headers, slot))

    async def commit_async(self, headers: Headers | None, slot: object = ...) -> None:
        """Do as ``commit``, under asyncio."""
        await dual.run_async(self._commit(self.sessions.commit_async, headers, slot))

    def _commit(self, commit: Callable[..., Any], headers: Headers | None, slot: object) -> Steps[None]:
        session = self.session
        if headers is None:
            session._headless = True
        if self.outage is not None and self.refuses:
            raise self.outage  # Whatever the handler has made of it: an outage must not look like a log-out.
        values: tuple[str, ...] = ()
        if self.stored and session._loader is None:
            released = slot is not ... and slot is not session and of_slot(slot) is None
            try:
                values = yield commit(session, released)
            except StoreUnavailable as error:
                self._without_store(error)
        if headers is not None:
            announce(self.sessions, session, values, headers)
        self.head_sent = session._headless = session._renewed = True
        session._written = False

    def finish(self, slot: object = ...) -> None:
        """End the request: store what changed since the head was sent, and refuse changes from here on."""
        try:
            if self._may_have_changed(slot):
                self.sessions.commit_sync(self.session)
        finally:
            self.session.end(SENT)

    async def finish_async(self, slot: object = ...) -> None:
        """Do as ``finish``, under asyncio."""
        try:
            if self._may_have_changed(slot):
                answer = self.sessions.commit_async(self.session)
                if not isinstance(answer, tuple):
                    await answer
        finally:
            self.session.end(SENT)

    def _may_have_changed(self, slot: object) -> bool:
        session = self.session
        due = self.head_sent and self.stored and session._loader is None and session.may_have_changed()
        return due and (slot is ... or of_slot(slot) is not None)

    def observe(self) -> None:
        """Let the session be read and no more, where no head will leave to carry a cookie: in an open WebSocket.

        A handler that sets ``session.read_only = False`` and awaits ``session.save()`` writes all the same.
        """
        self.head_sent = self.session._headless = self.session.read_only = True

    def abandon(self) -> None:
        """End a request that failed: what it changed is not stored."""
        self.session.end(SENT)


class Body:
    """The chunks of a body, handed on. What changed while it was made is stored at its end, or when the client leaves.

    Nothing is, if making it fails.
    """

    __slots__ = ("_body", "_chunks", "_exchange", "_over")

    def __init__(self, exchange: Exchange, body: Iterable[bytes]) -> None:
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


async def async_body(exchange: Exchange, chunks: AsyncIterable[Any]) -> AsyncIterator[Any]:
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
