# One request: begin, hand the scope on, commit just before the head of the response, and once more at its end if the
# session was changed in between. What goes into a response is said in http.py, for all integrations alike.
"""Sessions for any ASGI application: HTTP and WebSocket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any, Unpack

from sessile._engine.arguments import SessionsArguments
from sessile._engine.manager import Sessions
from sessile._engine.revocations import REQUEST
from sessile._session.lazy import load_nothing
from sessile._session.session import Session
from sessile._session.state import State
from sessile._session.watched import state_of
from sessile.cookies import header_of
from sessile.errors import StoreUnavailable
from sessile.facts import Facts, RequestFacts
from sessile.http import (
    ENDED,
    FORBIDDEN,
    FORBIDDEN_HEADERS,
    OUTSIDE,
    SENT,
    UNAVAILABLE,
    UNAVAILABLE_HEADERS,
    Watch,
    announce,
    brings_session,
    close_async,
    found,
    given,
    given_patience,
)

__all__ = ["LOAD", "SessionMiddleware", "aload", "session"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Where the scope has what loads a lazy session: an async function.
LOAD = "sessile.load"

#: The messages that carry the head of a response, and so are the last moment for a cookie.
_HEADS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})

_REMEDY = "this request has no session. Wrap the application: sessile.asgi.SessionMiddleware(app, sessions=sessions)"

_CACHING = frozenset({b"vary", b"cache-control"})
_NO_STORE = (b"cache-control", b"no-store")
_FORBIDDEN = [(name.lower().encode(), value.encode()) for name, value in FORBIDDEN_HEADERS]
_REFUSED = [(name.lower().encode(), value.encode()) for name, value in UNAVAILABLE_HEADERS]


class SessionMiddleware:
    """Gives each request of ``app`` its session, as ``scope["session"]``.

    ``sessions`` is the manager; or give its options here, as keyword arguments. ``lazy=True`` loads nothing ahead:
    a handler that wants the session awaits ``sessile.asgi.aload(scope)`` first, or the ``aload`` of its framework's
    module, and a route that does not never asks the store.

    ``revocation_check``: after how many seconds a WebSocket may ask again whether its session is still there. It asks
    when a message comes or goes, and if the session was ended meanwhile, by a logout, by ``revoke`` or by its age, no
    message passes and the socket is closed with code 1008. 0: at each message; None: never.

    A request that has a session already, from a middleware outside this one, keeps it (express-session).

    >>> async def site(scope, receive, send): ...
    >>> app = SessionMiddleware(site, secret="a long random text that nobody else knows", store="memory://")
    """

    #: The class of the sessions, where a framework wants more of them than ours have.
    session_class: type[Session] = Session
    #: Whether a session ends that a request has left with neither data nor a log-in, where a framework's own ones do.
    ends_empty = False

    def __init__(
        self,
        app: ASGIApp,
        /,
        sessions: Sessions | None = None,
        *,
        lazy: bool = False,
        revocation_check: float | None = 60,
        **options: Unpack[SessionsArguments],
    ) -> None:
        self.app = app
        self.sessions = given(sessions, options, binds=True)
        self._lazy = lazy
        self._patience = given_patience(revocation_check)
        self._engine = self.sessions.engine
        self._everywhere = self._engine.path_matches("/")
        self._endpoints = self._engine.endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            await self.app(scope, receive, self._closing(send) if kind == "lifespan" else send)
            return
        if scope.get("session") is not None or not (self._everywhere or self._covers(scope)):
            await self.app(scope, receive, send)
            return
        if self._endpoints is not None and kind == "http" and path_of(scope) in self._endpoints.paths:
            await self._answer(scope, send)
            return
        request = _Request(self.sessions, scope, receive, send)
        if self._engine.may_refuse and self._engine.refuses(
            scope.get("method", "GET"), request.facts, websocket=kind == "websocket"
        ):
            await _forbid(kind, send)
            return
        try:
            session = self._begin(header_of(scope, self._engine.reads), request.facts)
            if not isinstance(session, Session):
                session = await session
        except StoreUnavailable as error:
            await request.without_store(error)
            if request.refused:
                return
            session = self._engine.blank(request.facts, self.session_class)
        request.session = scope["session"] = session
        state = request.state = state_of(session)
        REQUEST.set(state)
        # Starlette and FastAPI put themselves into the scope, and their own sessions end when they are empty.
        app = scope.get("app")
        state.ends_empty = self.ends_empty or (app is not None and hasattr(app, "middleware_stack"))
        if self._lazy:
            scope[LOAD] = request.load
        if kind == "websocket":
            request.watch = Watch(self.sessions, session, self._patience, request.close)
        try:
            await self.app(scope, request.receive if kind == "websocket" else receive, request.send)
            if request.head_sent and (state.written or state.exposed):
                await request.commit_again()
        except StoreUnavailable as error:
            await request.refuse(error)
        finally:
            state.end(SENT)

    async def _answer(self, scope: Scope, send: Send) -> None:
        """Answer what a browser sends by itself, for a session that is bound to a device."""
        assert self._endpoints is not None
        answer = await self._engine.arun(self._endpoints.answer, header_of(scope, self._engine.reads), facts_of(scope))
        lines = [(name.lower().encode(), value.encode()) for name, value in answer.lines]
        await send({"type": "http.response.start", "status": answer.status, "headers": lines})
        await send({"type": "http.response.body", "body": answer.body})

    def _covers(self, scope: Scope) -> bool:
        """Tell whether the cookie's path covers the URL, and note in ``scope`` if it does not."""
        covered = self._engine.path_matches(path_of(scope))
        if not covered:
            scope[OUTSIDE] = self._engine.setup.path
        return covered

    def _begin(self, header: bytes, facts: Facts) -> Session | Awaitable[Session]:
        if self._lazy:
            return self._engine.begin_lazy(header, facts, self.session_class)
        return (
            self._engine.begin_async(header, facts) if self.session_class is Session else self._convert(header, facts)
        )

    async def _convert(self, header: bytes, facts: Facts) -> Session:
        """Return the session of a request as one of ``session_class``."""
        session = self._engine.begin_lazy(header, facts, self.session_class)
        await self._engine.load_async(session)
        return session

    def _closing(self, send: Send) -> Send:
        """Return ``send`` for a lifespan: the store is closed before the server hears that the application is done."""

        async def send_on(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                await close_async(self.sessions)
            await send(message)

        return send_on


class _Request:
    """One request on its way through the application."""

    __slots__ = (
        "head_sent",
        "receive_on",
        "refused",
        "scope",
        "send_on",
        "session",
        "sessions",
        "state",
        "stored",
        "watch",
    )

    session: Session
    state: State
    #: For a WebSocket.
    watch: Watch

    def __init__(self, sessions: Sessions, scope: Scope, receive: Receive, send: Send) -> None:
        self.sessions = sessions
        self.scope = scope
        self.receive_on = receive
        self.send_on = send
        self.head_sent = False
        #: Whether the visitor was told that the store is down; what the application still sends is not sent.
        self.refused = False
        #: Whether the session may be stored at all: not if it stands in for one that could not be loaded.
        self.stored = True

    def facts(self) -> RequestFacts:
        """Return the facts of this request."""
        return facts_of(self.scope)

    async def load(self) -> None:
        """Load a lazy session, if nobody has."""
        try:
            await self.sessions.engine.load_async(self.session)
        except StoreUnavailable:
            self.stored = False
            if self.sessions.options.on_store_error != "anonymous":
                raise
            load_nothing(self.session)

    async def close(self) -> None:
        """Close a WebSocket whose session was ended."""
        self.refused = True
        code, reason = ENDED
        await self.send_on({"type": "websocket.close", "code": code, "reason": reason})

    def send(self, message: Message) -> Awaitable[None]:
        """Send ``message`` on, after what has to be done before it.

        Where nothing has to be waited for first, this is the server's own awaitable, and costs no coroutine.
        """
        if self.head_sent:
            state = self.state
            if not (state.written or state.exposed or self.refused) and message["type"] != "websocket.send":
                return self.send_on(message)
        elif message["type"] in _HEADS and not self.refused:
            try:
                answer = self._commit()
            except StoreUnavailable as error:
                return self._send_without_store(message, error)
            if not isinstance(answer, tuple):
                return self._send_after(answer, message)
            self._announce(message, answer)
            return self.send_on(message)
        return self._send(message)

    async def _send_after(self, answer: Awaitable[tuple[str, ...]], message: Message) -> None:
        """Send the head of a response on, once the store has answered."""
        try:
            self._announce(message, await answer)
        except StoreUnavailable as error:
            await self.without_store(error)
        if not self.refused:
            await self.send_on(message)

    async def _send_without_store(self, message: Message, error: StoreUnavailable) -> None:
        await self.without_store(error)
        if not self.refused:
            await self.send_on(message)

    async def _send(self, message: Message) -> None:
        """Send on a message that is not the head of a response."""
        if self.head_sent:
            if message["type"] == "websocket.send" and await self.watch.is_over():
                # What a server raises for a message to somebody who has gone (ASGI: "WebSocket", send).
                raise ConnectionAbortedError("the session was ended, and the WebSocket closed")
            if self.state.may_have_changed() and _ends(message):
                await self.commit_again()
        if not self.refused:
            await self.send_on(message)

    async def receive(self) -> Message:
        """Receive a message of a WebSocket; when the visitor leaves, what changed since is stored first."""
        message = await self.receive_on()
        if message["type"] == "websocket.disconnect":
            if self.head_sent and self.state.may_have_changed():
                await self.commit_again()
        elif self.head_sent and await self.watch.is_over():
            return {"type": "websocket.disconnect", "code": ENDED[0]}
        return message

    def _commit(self) -> tuple[str, ...] | Awaitable[tuple[str, ...]]:
        session = self.session
        if not self.stored or self.state.loader is not None:
            return ()
        slot = self.scope.get("session")
        released = slot is None
        return self.sessions.engine.commit_async(session, released)

    def _announce(self, message: Message, values: tuple[str, ...]) -> None:
        """Let the head of the response say what follows from the session."""
        state = self.state
        if values or state.accessed:
            lines = message["headers"] = list(message.get("headers", ()))
            engine = self.sessions.engine
            if _says_how_to_cache(lines) or (values and engine.setup.device is not None):
                announce(self.sessions, self.session, values, _Lines(lines))
            else:  # What ``announce`` comes to then.
                if values:
                    lines += [(engine.writes, value.encode("latin-1")) for value in values]
                    lines.append(_NO_STORE)
                lines.append(_vary_on(engine.reads))
        elif state.loaded is not None or state.loader is not None:
            streams = message["type"] == "http.response.start" and _streams(message)
            if streams and brings_session(self.sessions, self.session):
                lines = message["headers"] = list(message.get("headers", ()))
                announce(self.sessions, self.session, values, _Lines(lines), streams=True)
        self.head_sent = state.headless = state.committed = True
        state.written = False

    async def commit_again(self) -> None:
        """Store what changed after the head was sent: while a body was streamed, or a WebSocket was open."""
        if self.scope.get("session") is not None:
            answer = self._commit()
            if not isinstance(answer, tuple):
                await answer

    async def without_store(self, error: StoreUnavailable) -> None:
        """Do what the options say about a store that is down: refuse the request, or let it go on unstored."""
        self.stored = False
        if self.sessions.options.on_store_error != "anonymous":
            await self.refuse(error)

    async def refuse(self, error: StoreUnavailable) -> None:
        """Tell the visitor that the store is down, or let the exception through if it is too late or not wanted."""
        if self.head_sent or self.sessions.options.on_store_error == "raise":
            raise error
        self.refused = True
        if self.scope["type"] == "websocket":
            # 1013, "try again later" (IANA WebSocket close codes); before the handshake servers answer 403.
            await self.send_on({"type": "websocket.close", "code": 1013})
            return
        await self.send_on({"type": "http.response.start", "status": 503, "headers": list(_REFUSED)})
        await self.send_on({"type": "http.response.body", "body": UNAVAILABLE})


async def _forbid(kind: str, send: Send) -> None:
    """Tell a page of another origin that its request is not carried out. Servers make a 403 of the close."""
    if kind == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": "another origin"})
        return
    await send({"type": "http.response.start", "status": 403, "headers": list(_FORBIDDEN)})
    await send({"type": "http.response.body", "body": FORBIDDEN})


def session(scope: Scope) -> Session:
    """Return the session of a request or a WebSocket, typed. The same object as ``scope["session"]``.

    Raises MissingMiddleware if there is none: the middleware is missing, or the cookie's path does not cover the URL.
    """
    return found(scope.get("session"), _REMEDY, scope)


async def aload(scope: Scope) -> Session:
    """Return the session of a request, loading it first if the middleware is lazy. Asks the store at most once."""
    return await loaded(scope, scope.get("session"), _REMEDY)


async def loaded(scope: Any, slot: object, remedy: str) -> Session:
    """Return what ``found`` does; load the session first if the middleware is lazy."""
    if LOAD in scope:
        await scope[LOAD]()
    return found(slot, remedy, scope)


def _streams(message: Message) -> bool:
    """Tell whether a response has a body whose length nobody knows yet, so that it is still being made."""
    if message["status"] in (204, 304):
        return False
    for line in message.get("headers", ()):  # noqa: SIM110  A generator costs more than all of its lines.
        if len(line[0]) == 14 and line[0].lower() == b"content-length":
            return False
    return True


def _says_how_to_cache(lines: list[tuple[bytes, bytes]]) -> bool:
    for line in lines:
        size = len(line[0])
        if (size == 4 or size == 13) and line[0].lower() in _CACHING:
            return True
    return False


@lru_cache
def _vary_on(header: bytes) -> tuple[bytes, bytes]:
    return b"vary", header.title()


def _ends(message: Message) -> bool:
    """Tell whether ``message`` is the last one that the application sends."""
    kind = message["type"]
    return kind == "websocket.close" or (kind == "http.response.body" and not message.get("more_body"))


def path_of(scope: Scope) -> str:
    """Return the path of a request, as the browser knows it. Some frameworks take ``root_path`` off."""
    root: str = scope.get("root_path", "")
    path: str = scope["path"]
    return path if path == root or path.startswith(root.rstrip("/") + "/") else root + path


def facts_of(scope: Scope) -> RequestFacts:
    """Return the facts of an ASGI request."""
    client = scope.get("client")
    return RequestFacts(
        method=scope.get("method", "GET"),
        path=path_of(scope),
        scheme=scope.get("scheme", "http"),
        headers=tuple([(bytes(name), bytes(value)) for name, value in scope["headers"]]),
        client=client[0] if client else None,
        raw=scope,
    )


class _Lines:
    """The headers of a response as ASGI has them (``sessile.http.Headers``)."""

    __slots__ = ("lines",)

    def __init__(self, lines: list[tuple[bytes, bytes]]) -> None:
        self.lines = lines

    def get(self, name: str, /) -> str | None:
        """Return the value of the header ``name``; several lines of it make one list (RFC 9110 5.3)."""
        wanted, size = _raw(name), len(name)
        values = [value for key, value in self.lines if len(key) == size and key.lower() == wanted]
        return b", ".join(values).decode("latin-1") if values else None

    def __setitem__(self, name: str, value: str, /) -> None:
        wanted = _raw(name)
        self.lines[:] = [line for line in self.lines if line[0].lower() != wanted]
        self.add(name, value)

    def add(self, name: str, value: str, /) -> None:
        """Add a line."""
        self.lines.append((_raw(name), value.encode("latin-1")))


@lru_cache
def _raw(name: str) -> bytes:
    return name.lower().encode("ascii")
