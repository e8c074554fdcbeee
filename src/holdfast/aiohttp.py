# A handler of aiohttp returns a response, or prepares one itself and writes to it. The first is committed when the
# handler returns; the second in the signal that aiohttp sends just before the head leaves.
"""Sessions for aiohttp: ``holdfast.aiohttp.session(request)``, kept on the server."""

from __future__ import annotations

from asyncio import CancelledError
from typing import Any

from aiohttp import hdrs, web

from holdfast.cookies import header_of
from holdfast.errors import MissingMiddleware, StoreUnavailable
from holdfast.facts import RequestFacts
from holdfast.http import UNAVAILABLE, UNAVAILABLE_HEADERS, Exchange, close_async, found, given
from holdfast.manager import Sessions
from holdfast.session import Session

__all__ = ["KEY", "init_app", "load", "session"]

# aiohttp wants typed keys from 3.14 on, and has none before.
_key: Any = getattr(web, "RequestKey", lambda name, kind: name)

#: Where the session is in the request.
KEY: Any = _key("holdfast.session", Session)
_EXCHANGE: Any = _key("holdfast.exchange", Exchange)

_REMEDY = "this request has no session. Call holdfast.aiohttp.init_app(app, sessions) first"


def init_app(app: web.Application, sessions: Sessions, *, lazy: bool = False) -> None:
    """Give each request of ``app``, and of its sub-applications, a session: ``holdfast.aiohttp.session(request)``.

    Each request loads its session, and counts as a visit. With ``lazy=True`` a handler that wants the session awaits
    ``holdfast.aiohttp.load(request)``, and one that does not makes no call to the store.

    A handler that raises changes nothing, unless it raises one of aiohttp's HTTP exceptions, which are responses. The
    store is closed with the application.
    """
    reads = given(sessions, {}).reads

    @web.middleware
    async def with_session(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.get(KEY) is not None or not sessions.covers(request.path):
            return await handler(request)  # type: ignore[no-any-return]
        facts = facts_of(request)
        exchange = _Exchange(sessions, header_of({"headers": facts.headers}, reads), lambda: facts)
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
        await close_async(sessions)

    app.middlewares.insert(0, with_session)
    app.on_response_prepare.append(_prepare)
    app.on_cleanup.append(close)


def session(request: web.Request) -> Session:
    """Return the session of a request, typed. Raises MissingMiddleware if there is none.

    Then ``init_app`` was not called, or the cookie's path does not cover the URL.
    """
    return found(request.get(KEY), _REMEDY)


async def load(request: web.Request) -> Session:
    """Return the session of a request, loading it first if the application is lazy. Asks the store at most once."""
    exchange: Exchange | None = request.get(_EXCHANGE)
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


class _Exchange(Exchange):
    """One request, and what its refusal must look like."""

    __slots__ = ("chunked",)

    chunked: bool

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
    exchange = request.get(_EXCHANGE)
    if exchange is not None and not exchange.head_sent:
        exchange.chunked = response.headers.get(hdrs.TRANSFER_ENCODING) == "chunked"
        await exchange.commit_async(response.headers, request.get(KEY))
