# Sanic runs its middleware just before the head of a response leaves, for pages, streams and error pages alike. What an
# exception in there says is only logged, so ours answers with the error page itself. Signals tell the rest: that a
# request has failed, that a response is complete, that a WebSocket begins and ends.
"""Sessions for Sanic: ``request.ctx.session``, kept on the server."""

from __future__ import annotations

from typing import Any

from sanic import HTTPResponse, Request, Sanic
from sanic.exceptions import SanicException

from holdfast.cookies import header_of
from holdfast.errors import MissingMiddleware, StoreUnavailable
from holdfast.facts import RequestFacts
from holdfast.http import UNAVAILABLE, UNAVAILABLE_HEADERS, Exchange, close_async, found, given
from holdfast.manager import Sessions
from holdfast.session import Session

__all__ = ["init_app", "load", "session"]

_REMEDY = "this request has no session. Call holdfast.sanic.init_app(app, sessions) first"

#: Ours comes first of what runs before a handler, and last of what runs after it.
_OUTERMOST = 1_000_000


def init_app(app: Sanic[Any, Any], sessions: Sessions, *, lazy: bool = False) -> None:
    """Give each request of ``app`` a session: ``request.ctx.session``. For Sanic's own server, and under ASGI.

    Each request loads its session, and counts as a visit. With ``lazy=True`` a handler that wants the session awaits
    ``holdfast.sanic.load(request)``, and one that does not makes no call to the store.

    A request that ends in an exception changes nothing, unless it is one of Sanic's, or a handler of yours takes it. A
    WebSocket has the session of its handshake, which cannot set a cookie: what begins there is not stored. The store is
    closed with the server.
    """

    given(sessions, {})

    async def begin(request: Request) -> None:
        if not sessions.covers(request.path):
            return
        facts = facts_of(request)
        exchange = Exchange(sessions, header_of({"headers": facts.headers}, sessions.reads), lambda: facts)
        request.ctx.session, request.ctx.holdfast = exchange.session, exchange
        if not lazy:
            await exchange.load_async()

    async def close(app: Any) -> None:
        await close_async(sessions)

    app.register_middleware(begin, "request", priority=_OUTERMOST)
    app.register_middleware(_commit, "response", priority=_OUTERMOST)
    app.signal("http.lifecycle.response")(_responded)
    app.signal("http.lifecycle.exception")(_failed)
    app.signal("http.lifecycle.complete")(_disconnected)
    app.signal("websocket.handler.before")(_opened)
    app.signal("websocket.handler.exception")(_broken)
    app.signal("http.handler.after")(_handled)
    app.after_server_stop(close)
    if sessions.options.on_store_error == "unavailable":
        app.exception(StoreUnavailable)(_unavailable)


def session(request: Request) -> Session:
    """Return the session of a request, typed. The same object as ``request.ctx.session``.

    Raises MissingMiddleware if there is none: ``init_app`` was not called, or the cookie's path does not cover the URL.
    """
    return found(getattr(request.ctx, "session", None), _REMEDY)


async def load(request: Request) -> Session:
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


def _of(request: Request) -> Exchange | None:
    return getattr(request.ctx, "holdfast", None)


def _remember(request: Request, exchange: Exchange) -> None:
    """Let the connection know what is to be stored if it ends too early. Under ASGI, Sanic does not tell of that."""
    if request.conn_info is not None:
        request.conn_info.ctx.holdfast = exchange


async def _commit(request: Request, response: Any) -> Any:
    """Commit just before the head leaves; answer with an error page if that fails."""
    exchange = _of(request)
    if exchange is None or exchange.head_sent:
        return None
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
    exchange: Exchange | None = getattr(conn_info.ctx, "holdfast", None)
    if exchange is not None:
        await exchange.finish_async()


async def _opened(request: Request, websocket: object) -> None:
    """Count a handshake as a visit. It has no place for a cookie of ours."""
    exchange = _of(request)
    if exchange is not None:
        await exchange.commit_async(None, request.ctx.session)
        _remember(request, exchange)


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
