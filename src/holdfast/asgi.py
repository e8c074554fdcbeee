# One request: begin, hand the scope on, commit just before the head of the response, and once more at its end if the
# session was changed in between. What goes into a response is said in http.py, for all integrations alike.
"""Sessions for any ASGI application: HTTP and WebSocket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from math import inf
from typing import Any, Unpack

from holdfast.cookies import header_of
from holdfast.errors import InvalidOption, StoreUnavailable
from holdfast.facts import Facts, RequestFacts
from holdfast.http import SENT, UNAVAILABLE, UNAVAILABLE_HEADERS, announce, close_async, found, given
from holdfast.manager import Sessions, SessionsArguments
from holdfast.session import Session, of_slot

__all__ = ["LOAD", "SessionMiddleware", "load", "session"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Where the scope has what loads a lazy session: an async function.
LOAD = "holdfast.load"

#: The messages that carry the head of a response, and so are the last moment for a cookie.
_HEADS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})

_REMEDY = "this request has no session. Wrap the application: holdfast.asgi.SessionMiddleware(app, sessions=sessions)"

_REFUSED = [(name.lower().encode(), value.encode()) for name, value in UNAVAILABLE_HEADERS]


class SessionMiddleware:
    """Gives each request of ``app`` its session, as ``scope["session"]``.

    ``sessions`` is the manager; or give its options here, as keyword arguments. ``lazy=True`` loads nothing ahead:
    a handler that wants the session awaits ``holdfast.asgi.load(scope)`` first, or the ``load`` of its framework's
    module, and a route that does not never asks the store.

    ``revocation_check``: after how many seconds a WebSocket may ask again whether its session is still there. It asks
    when a message comes or goes, and if the session was ended meanwhile, by a logout, by ``revoke`` or by its age, no
    message passes and the socket is closed with code 1008. 0: at each message; None: never.

    A request that has a session already, from a middleware outside this one, keeps it (express-session).
    """

    #: The class of the sessions, where a framework wants more of them than ours have.
    kind: type[Session] = Session

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
        self.sessions = given(sessions, options)
        self._lazy = lazy
        if revocation_check is not None and not revocation_check >= 0:
            remedy = "Give seconds from 0, or None for never."
            raise InvalidOption("revocation_check", f"{revocation_check!r} is no time", remedy)
        self._patience = revocation_check
        self._everywhere = self.sessions.covers("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            await self.app(scope, receive, self._closing(send) if kind == "lifespan" else send)
            return
        if scope.get("session") is not None or not (self._everywhere or self.sessions.covers(path_of(scope))):
            await self.app(scope, receive, send)
            return
        request = _Request(self.sessions, scope, receive, send)
        try:
            session = self._begin(header_of(scope, self.sessions.reads), request.facts)
            if not isinstance(session, Session):
                session = await session
        except StoreUnavailable as error:
            await request.without_store(error)
            if request.refused:
                return
            session = self.sessions.blank(request.facts, self.kind)
        request.session = scope["session"] = session
        if self._lazy:
            scope[LOAD] = request.load
        if kind == "websocket":
            request.watch(self._patience)
        try:
            await self.app(scope, request.receive if kind == "websocket" else receive, request.send)
            if request.head_sent and session.may_have_changed():
                await request.commit_again()
        except StoreUnavailable as error:
            if request.head_sent:
                raise
            await request.refuse(error)
        finally:
            session.end(SENT)

    def _begin(self, header: bytes, facts: Facts) -> Session | Awaitable[Session]:
        if self._lazy:
            return self.sessions.begin_lazy(header, facts, self.kind)
        return self.sessions.begin_async(header, facts) if self.kind is Session else self._begin_as_kind(header, facts)

    async def _begin_as_kind(self, header: bytes, facts: Facts) -> Session:
        session = self.sessions.begin_lazy(header, facts, self.kind)
        await self.sessions.load_async(session)
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
        "check_at",
        "head_sent",
        "patience",
        "receive_on",
        "refused",
        "scope",
        "send_on",
        "session",
        "sessions",
        "stored",
    )

    session: Session

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
        #: When a WebSocket asks again whether its session is still there.
        self.check_at = inf

    def facts(self) -> RequestFacts:
        """Return the facts of this request."""
        return facts_of(self.scope)

    async def load(self) -> None:
        """Load a lazy session, if nobody has."""
        try:
            await self.sessions.load_async(self.session)
        except StoreUnavailable:
            self.stored = False
            if self.sessions.options.on_store_error != "anonymous":
                raise
            self.session.load_nothing()

    def watch(self, patience: float | None) -> None:
        """Ask every ``patience`` seconds whether the session is still there; None: never."""
        if patience is not None:
            self.patience = patience
            self.check_at = self.sessions.now() + patience

    async def is_over(self) -> bool:
        """Tell whether the session of this WebSocket was ended, as far as it is time to ask. Then it is closed."""
        now = self.sessions.now()
        if now >= self.check_at:
            self.check_at = now + self.patience
            try:
                live = await self.sessions.is_live_async(self.session)
            except StoreUnavailable:
                live = True  # An outage ends no session. It is asked again.
            if not live:
                self.refused = True
                self.check_at = inf
                # 1008, "policy violation" (RFC 6455 7.4.1).
                await self.send_on({"type": "websocket.close", "code": 1008, "reason": "the session was ended"})
        return self.refused

    async def send(self, message: Message) -> None:
        """Send ``message`` on, after what has to be done before it."""
        if self.head_sent:
            if message["type"] == "websocket.send" and await self.is_over():
                # What a server raises for a message to somebody who has gone (ASGI: "WebSocket", send).
                raise ConnectionAbortedError("the session was ended, and the WebSocket closed")
            if self.session.may_have_changed() and _ends(message):
                await self.commit_again()
        elif message["type"] in _HEADS and not self.refused:
            try:
                answer = self._commit()
                self._announce(message, answer if isinstance(answer, tuple) else await answer)
            except StoreUnavailable as error:
                await self.without_store(error)
        if not self.refused:
            await self.send_on(message)

    async def receive(self) -> Message:
        """Receive a message of a WebSocket; when the visitor leaves, what changed since is stored first."""
        message = await self.receive_on()
        if message["type"] == "websocket.disconnect":
            if self.head_sent and self.session.may_have_changed():
                await self.commit_again()
        elif self.head_sent and await self.is_over():
            return {"type": "websocket.disconnect", "code": 1008}
        return message

    def _commit(self) -> tuple[str, ...] | Awaitable[tuple[str, ...]]:
        session = self.session
        if not self.stored or session._loader is not None:
            return ()
        slot = self.scope.get("session")
        released = slot is not session and of_slot(slot) is None
        return self.sessions.commit_async(session, released)

    def _announce(self, message: Message, values: tuple[str, ...]) -> None:
        """Let the head of the response say what follows from the session."""
        session = self.session
        if values or session._accessed:
            lines = message["headers"] = list(message.get("headers", ()))
            announce(self.sessions, session, values, _Lines(lines))
        self.head_sent = session._headless = session._renewed = True
        session._written = False

    async def commit_again(self) -> None:
        """Store what changed after the head was sent: while a body was streamed, or a WebSocket was open."""
        if of_slot(self.scope.get("session")) is not None:
            answer = self._commit()
            if not isinstance(answer, tuple):
                await answer

    async def without_store(self, error: StoreUnavailable) -> None:
        """Do what the options say about a store that is down: refuse the request, or let it go on unstored."""
        self.stored = False
        if self.sessions.options.on_store_error != "anonymous":
            await self.refuse(error)

    async def refuse(self, error: StoreUnavailable) -> None:
        """Tell the visitor that the store is down, or let the exception through if the options say so."""
        if self.sessions.options.on_store_error == "raise":
            raise error
        self.refused = True
        if self.scope["type"] == "websocket":
            # 1013, "try again later" (IANA WebSocket close codes); before the handshake servers answer 403.
            await self.send_on({"type": "websocket.close", "code": 1013})
            return
        await self.send_on({"type": "http.response.start", "status": 503, "headers": list(_REFUSED)})
        await self.send_on({"type": "http.response.body", "body": UNAVAILABLE})


def session(scope: Scope) -> Session:
    """Return the session of a request or a WebSocket, typed. The same object as ``scope["session"]``.

    Raises MissingMiddleware if there is none: the middleware is missing, or the cookie's path does not cover the URL.
    """
    return found(scope.get("session"), _REMEDY)


async def load(scope: Scope) -> Session:
    """Return the session of a request, loading it first if the middleware is lazy. Asks the store at most once."""
    return await loaded(scope, scope.get("session"), _REMEDY)


async def loaded(scope: Any, slot: object, remedy: str) -> Session:
    """Do as ``found``, and load the session first if the middleware is lazy."""
    if LOAD in scope:
        await scope[LOAD]()
    return found(slot, remedy)


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
        headers=tuple((bytes(name), bytes(value)) for name, value in scope["headers"]),
        client=client[0] if client else None,
        raw=scope,
    )


class _Lines:
    """The headers of a response as ASGI has them (``holdfast.http.Headers``)."""

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
