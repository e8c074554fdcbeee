# A handler of aiohttp returns a response, or prepares one itself and writes to it. The first is committed when the
# handler returns; the second in the signal that aiohttp sends just before the head leaves.
"""Sessions for aiohttp: ``sessile.aiohttp.session(request)``, kept on the server."""

from __future__ import annotations

from asyncio import CancelledError
from typing import Any, Unpack

from aiohttp import hdrs, web

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

__all__ = ["KEY", "aload", "init_app", "session"]

# aiohttp wants typed keys from 3.14 on, and has none before.
_key: Any = getattr(web, "RequestKey", lambda name, kind: name)

#: Where the session is in the request.
KEY: Any = _key("sessile.session", Session)
_EXCHANGE: Any = _key("sessile.exchange", Exchange)

_REMEDY = "this request has no session. Call sessile.aiohttp.init_app(app, sessions) first"


def init_app(
    app: web.Application,
    sessions: Sessions | None = None,
    *,
    lazy: bool = False,
    revocation_check: float | None = 60,
    **options: Unpack[SessionsArguments],
) -> None:
    """Give each request of ``app``, and of its sub-applications, a session: ``sessile.aiohttp.session(request)``.

    ``sessions`` is the manager; or give its options here, as keyword arguments.

    Each request loads its session, and counts as a visit. With ``lazy=True`` a handler that wants the session awaits
    ``sessile.aiohttp.aload(request)``, and one that does not makes no call to the store.

    ``revocation_check``: after how many seconds an open WebSocket asks again whether its session is still there
    (``sessile.asgi.SessionMiddleware``).

    A handler that raises changes nothing, unless it raises one of aiohttp's HTTP exceptions, which are responses. The
    store is closed with the application.
    """
    manager = given(sessions, options)
    engine = manager.engine
    patience = given_patience(revocation_check)

    @web.middleware
    async def with_session(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.get(KEY) is not None or not engine.path_matches(request.path):
            return await handler(request)  # type: ignore[no-any-return]
        facts = facts_of(request)
        is_socket = request.headers.get(hdrs.UPGRADE, "").lower() == "websocket"
        if engine.refuses(request.method, lambda: facts, websocket=is_socket):
            return web.Response(body=FORBIDDEN, status=403, headers=dict(FORBIDDEN_HEADERS))
        exchange = _Exchange(manager, header_of({"headers": facts.headers}, engine.reads), lambda: facts)
        exchange.patience = patience
        request[KEY], request[_EXCHANGE] = exchange.session, exchange
        try:
            if not lazy:
                await exchange.load_async()
            return await _respond(request, handler, exchange)
        except StoreUnavailable:
            if exchange.head_sent or not exchange.refuses:
                raise
            return exchange.refusal()
        finally:
            exchange.abandon()

    async def close(app: web.Application) -> None:
        await close_async(manager)

    app.middlewares.insert(0, with_session)
    app.on_response_prepare.append(_prepare)
    app.on_cleanup.append(close)


def session(request: web.Request) -> Session:
    """Return the session of a request, typed. Raises MissingMiddleware if there is none.

    Then ``init_app`` was not called, or the cookie's path does not cover the URL.
    """
    return found(request.get(KEY), _REMEDY)


async def aload(request: web.Request) -> Session:
    """Return the session of a request, loading it first if the application is lazy. Asks the store at most once."""
    exchange: Exchange[Session] | None = request.get(_EXCHANGE)
    if exchange is None:
        raise MissingMiddleware(_REMEDY)
    return found(await exchange.load_async(), _REMEDY)


def facts_of(request: web.BaseRequest) -> RequestFacts:
    """Return the facts of a request of aiohttp."""
    return RequestFacts(
        method=request.method,
        path=request.path,
        scheme="https" if request.secure else "http",
        headers=tuple((name.lower(), value) for name, value in request.raw_headers),
        client=request.remote,
        raw={"aiohttp.request": request},
    )


class _Exchange(Exchange[Session]):
    """One request, what its refusal must look like, and how often its WebSocket asks for the session."""

    __slots__ = ("chunked", "patience")

    chunked: bool
    patience: float

    def refusal(self) -> web.Response:
        """Return what a visitor is told while the store is down."""
        self.stored, self.head_sent = False, True
        response = web.Response(body=UNAVAILABLE, status=503, headers=dict(UNAVAILABLE_HEADERS))
        if getattr(self, "chunked", False):  # The stream that the handler could not begin has told the connection so.
            del response.headers[hdrs.CONTENT_LENGTH]
            response.enable_chunked_encoding()
        return response


async def _respond(request: web.Request, handler: Any, exchange: _Exchange) -> web.StreamResponse:
    """Return the response of ``handler``, with what became of the session."""
    try:
        response: web.StreamResponse = await handler(request)
    except web.HTTPException as error:
        if not exchange.head_sent:
            await exchange.commit_async(error.headers, request.get(KEY))
        raise
    except (ConnectionError, CancelledError):  # The client has left.
        await exchange.finish_async(request.get(KEY))
        raise
    except Exception:
        exchange.stored = False
        raise
    if exchange.head_sent:
        await exchange.finish_async(request.get(KEY))
    else:
        await exchange.commit_async(response.headers, request.get(KEY))
    return response


async def _prepare(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Commit just before the head of a response leaves that its handler prepares itself."""
    exchange: _Exchange | None = request.get(_EXCHANGE)
    if exchange is not None and isinstance(response, web.WebSocketResponse):
        _watch(exchange, response)
    if exchange is not None and not exchange.head_sent:
        exchange.streams = not isinstance(response, (web.Response, web.FileResponse))
        exchange.chunked = response.headers.get(hdrs.TRANSFER_ENCODING) == "chunked"
        await exchange.commit_async(response.headers, request.get(KEY))


def _watch(exchange: _Exchange, socket: Any) -> None:
    """Close a WebSocket whose session was ended, when the next message comes or goes."""
    code, reason = ENDED
    watch = Watch(
        exchange.sessions,
        exchange.session,
        exchange.patience,
        lambda: socket.close(code=code, message=reason.encode()),
    )
    socket.receive = watch.receiving(socket.receive, socket.receive)
    socket.send_str = watch.sending(socket.send_str)
    socket.send_bytes = watch.sending(socket.send_bytes)
    if hasattr(socket, "send_frame"):  # From 3.11 on.
        socket.send_frame = watch.sending(socket.send_frame)
