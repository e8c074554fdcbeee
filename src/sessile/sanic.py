# Sanic runs its middleware just before the head of a response leaves, for pages, streams and error pages alike. What an
# exception in there says is only logged, so ours answers with the error page itself. Signals tell the rest: that a
# request has failed, that a response is complete, that a WebSocket begins and ends.
"""Sessions for Sanic: ``request.ctx.session``, kept on the server."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Unpack

from sanic import HTTPResponse, Request, Sanic
from sanic.exceptions import SanicException, WebsocketClosed
from sanic.server.websockets.connection import WebSocketConnection

from sessile._engine.arguments import SessionsArguments
from sessile._engine.manager import Sessions
from sessile._session.session import Session
from sessile.cookies import header_of
from sessile.errors import MissingMiddleware, StoreUnavailable
from sessile.facts import RequestFacts
from sessile.http import (
    ENDED,
    FORBIDDEN,
    FORBIDDEN_HEADERS,
    UNAVAILABLE,
    UNAVAILABLE_HEADERS,
    Exchange,
    Watch,
    close_async,
    found,
    given,
    given_patience,
)

__all__ = ["aload", "init_app", "session"]

_REMEDY = "this request has no session. Call sessile.sanic.init_app(app, sessions) first"

#: Ours comes first of what runs before a handler, and last of what runs after it.
_OUTERMOST = 1_000_000


def init_app(
    app: Sanic[Any, Any],
    sessions: Sessions | None = None,
    *,
    lazy: bool = False,
    revocation_check: float | None = 60,
    **options: Unpack[SessionsArguments],
) -> None:
    """Give each request of ``app`` a session: ``request.ctx.session``. For Sanic's own server, and under ASGI.

    ``sessions`` is the manager; or give its options here, as keyword arguments.

    Each request loads its session, and counts as a visit. With ``lazy=True`` a handler that wants the session awaits
    ``sessile.sanic.aload(request)``, and one that does not makes no call to the store.

    ``revocation_check``: after how many seconds an open WebSocket asks again whether its session is still there
    (``sessile.asgi.SessionMiddleware``).

    A request that ends in an exception changes nothing, unless it is one of Sanic's, or a handler of yours takes it. A
    WebSocket has the session of its handshake, which cannot set a cookie: what begins there is not stored. The store is
    closed with the server.
    """
    manager = given(sessions, options)
    engine = manager.engine
    patience = given_patience(revocation_check)

    async def begin(request: Request) -> HTTPResponse | None:
        if not engine.path_matches(request.path):
            return None
        facts = facts_of(request)
        is_socket = request.headers.get("upgrade", "").lower() == "websocket"
        if engine.refuses(request.method, lambda: facts, websocket=is_socket):
            return HTTPResponse(FORBIDDEN, 403, dict(FORBIDDEN_HEADERS))
        exchange = Exchange(manager, header_of({"headers": facts.headers}, engine.reads), lambda: facts)
        request.ctx.session, request.ctx.sessile = exchange.session, exchange
        if not lazy:
            await exchange.load_async()
        return None

    async def opened(request: Request, websocket: Any) -> None:
        exchange = _of(request)
        if exchange is not None:
            await _opened(request, exchange)
            _watch(exchange, websocket, patience)

    async def close(app: Any) -> None:
        await close_async(manager)

    app.register_middleware(begin, "request", priority=_OUTERMOST)
    app.register_middleware(_commit, "response", priority=_OUTERMOST)
    app.signal("http.lifecycle.response")(_responded)
    app.signal("http.lifecycle.exception")(_failed)
    app.signal("http.lifecycle.complete")(_disconnected)
    app.signal("websocket.handler.before")(opened)
    app.signal("websocket.handler.exception")(_broken)
    app.signal("http.handler.after")(_handled)
    app.after_server_stop(close)
    if manager.options.on_store_error == "unavailable":
        app.exception(StoreUnavailable)(_unavailable)


def session(request: Request) -> Session:
    """Return the session of a request, typed. The same object as ``request.ctx.session``.

    Raises MissingMiddleware if there is none: ``init_app`` was not called, or the cookie's path does not cover the URL.
    """
    return found(getattr(request.ctx, "session", None), _REMEDY)


async def aload(request: Request) -> Session:
    """Return the session of a request, loading it first if the application is lazy. Asks the store at most once."""
    exchange = _of(request)
    if exchange is None:
        raise MissingMiddleware(_REMEDY)
    return found(await exchange.load_async(), _REMEDY)


def facts_of(request: Request) -> RequestFacts:
    """Return the facts of a request of Sanic."""
    lines = (
        (name.lower().encode(), value.encode("utf-8", "surrogateescape")) for name, value in request.headers.items()
    )
    return RequestFacts(
        method=request.method,
        path=request.path,
        scheme=request.scheme,
        headers=tuple(lines),
        client=request.ip or None,
        raw={"sanic.request": request},
    )


def _of(request: Request) -> Exchange[Session] | None:
    return getattr(request.ctx, "sessile", None)


def _remember(request: Request, exchange: Exchange[Session]) -> None:
    """Let the connection know what is to be stored if it ends too early. Under ASGI, Sanic does not tell of that."""
    if request.conn_info is not None:
        request.conn_info.ctx.sessile = exchange


async def _commit(request: Request, response: Any) -> Any:
    """Commit just before the head leaves; answer with an error page if that fails."""
    exchange = _of(request)
    if exchange is None or exchange.head_sent:
        return None
    exchange.streams = not response.body  # As that of `request.respond()`, before its first chunk.
    try:
        await exchange.commit_async(response.headers, request.ctx.session)
    except Exception as error:
        exchange.stored = False
        page: Any = request.app.error_handler.response(request, error)  # type: ignore[no-untyped-call]
        return _ErrorPage(await page if hasattr(page, "__await__") else page, error)
    _remember(request, exchange)
    return None


async def _responded(request: Request, response: HTTPResponse) -> None:
    """Store what changed while the body was made."""
    exchange = _of(request)
    if exchange is not None and exchange.head_sent:
        await exchange.finish_async(request.ctx.session)


async def _failed(request: Request, exception: Exception) -> None:
    """Drop what a request changed that ends in an exception which is no answer."""
    exchange = _of(request)
    if exchange is None:
        return
    expected = isinstance(exception, SanicException) or request.app.error_handler.lookup(exception, request.name)
    if exchange.head_sent or not expected:
        exchange.stored = False


async def _disconnected(conn_info: Any) -> None:
    """Store what changed until the client left, in the middle of a response or a conversation."""
    exchange: Exchange[Session] | None = getattr(conn_info.ctx, "sessile", None)
    if exchange is not None:
        await exchange.finish_async()


async def _opened(request: Request, exchange: Exchange[Session]) -> None:
    """Count a handshake as a visit. It has no place for a cookie of ours."""
    await exchange.commit_async(None, request.ctx.session)
    _remember(request, exchange)


def _watch(exchange: Exchange[Session], socket: Any, patience: float) -> None:
    """Close a WebSocket whose session was ended, when the next message comes or goes."""

    async def send(*args: Any, **kwargs: Any) -> None:
        if watch.over:
            raise WebsocketClosed(ENDED[1])
        await send_on(*args, **kwargs)

    async def recv_streaming() -> AsyncIterator[Any]:
        async for piece in pieces():
            if await watch.is_over():
                await gone()
            yield piece

    watch = Watch(exchange.sessions, exchange.session, patience, partial(_close, socket))
    gone, send_on = partial(_gone, socket), socket.send
    socket.send = watch.sending(send)
    for name in ("recv", "receive", "recv_burst"):
        if hasattr(socket, name):
            setattr(socket, name, watch.receiving(getattr(socket, name), gone))
    if hasattr(socket, "recv_streaming"):
        pieces, socket.recv_streaming = socket.recv_streaming, recv_streaming


async def _close(socket: Any) -> None:
    code, reason = ENDED
    if isinstance(socket, WebSocketConnection):  # Under ASGI, where its close() does nothing.
        await socket._send({"type": "websocket.close", "code": code, "reason": reason})  # noqa: SLF001
    else:
        await socket.close(code, reason)


async def _gone(socket: Any) -> None:
    """Do what Sanic does when the visitor has gone: raise CancelledError, or under ASGI return None."""
    if not isinstance(socket, WebSocketConnection):
        raise CancelledError


async def _broken(request: Request, websocket: object, exception: Exception) -> None:
    """Drop what a conversation changed that ends in an exception."""
    exchange = _of(request)
    if exchange is not None:
        exchange.stored = False


async def _handled(request: Request) -> None:
    """Store what changed in a conversation that is over."""
    exchange = _of(request)
    if exchange is not None and exchange.head_sent:
        await exchange.finish_async(request.ctx.session)


async def _unavailable(request: Request, error: StoreUnavailable) -> HTTPResponse:
    return HTTPResponse(UNAVAILABLE, 503, dict(UNAVAILABLE_HEADERS))


class _ErrorPage(HTTPResponse):
    """Takes the place of a response. A handler that meant to stream that one gets the exception."""

    def __init__(self, page: HTTPResponse, error: Exception) -> None:
        super().__init__(page.body, page.status, page.headers, page.content_type)
        self._error = error

    async def send(self, data: Any = None, end_stream: bool | None = None) -> None:
        """Send the page, whatever a handler wants to be sent."""
        await super().send(end_stream=True)
        if data is not None:
            raise self._error
