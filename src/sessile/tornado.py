# Tornado's handlers send the head of their response without waiting: flush() and finish() return a Future, and a
# redirect() is a finish(). The commit has to wait for the store, so here finish() does what it does when the commit is
# done, and until then the handler counts as finished. What follows a WebSocket's handshake has no head any more.
"""Sessions for Tornado: ``self.session`` in a handler."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Unpack
from urllib.parse import unquote

from tornado.gen import convert_yielded
from tornado.httputil import HTTPServerRequest
from tornado.iostream import StreamClosedError
from tornado.web import Application, HTTPError, RequestHandler
from tornado.websocket import WebSocketHandler

from sessile._engine.arguments import SessionsArguments
from sessile._engine.manager import Sessions
from sessile._session.session import Session
from sessile.errors import MissingMiddleware, StoreUnavailable
from sessile.facts import RequestFacts
from sessile.http import ENDED, UNAVAILABLE, UNAVAILABLE_HEADERS, Exchange, Watch, given, given_patience, of_slot

__all__ = ["SessionMixin", "aload", "init_app", "session"]

_MISSING = (
    "this request has no session: Application(..., sessions=sessions) gives the manager, and a prepare() of your own "
    "calls `await super().prepare()`; or the cookie's path does not cover this URL"
)


def init_app(
    app: Application,
    sessions: Sessions | None = None,
    *,
    lazy: bool = False,
    revocation_check: float | None = 60,
    **options: Unpack[SessionsArguments],
) -> None:
    """Give each handler of ``app`` that has the mixin its session.

    ``sessions`` is the manager; or give its options here, as keyword arguments. With ``lazy=True`` a handler that wants
    the session awaits ``sessile.tornado.aload(self)``, and one that does not makes no call to the store.

    ``revocation_check``: after how many seconds an open WebSocket asks again whether its session is still there
    (``sessile.asgi.SessionMiddleware``).
    """
    given_patience(revocation_check)
    app.settings["revocation_check"] = revocation_check
    app.settings["sessions"] = given(sessions, options)
    app.settings["lazy_sessions"] = lazy


class SessionMixin(RequestHandler):
    """Gives a handler its session, as ``self.session``: ``class Main(SessionMixin, RequestHandler)``.

    ``init_app(application, sessions)`` gives the manager; or it is a setting of the application,
    ``Application(handlers, sessions=sessions)``. ``prepare`` loads the session; a ``prepare`` of your own is ``async``
    and begins with ``await super().prepare()``. With ``lazy=True``, or the setting ``lazy_sessions=True``, it is loaded
    by ``await self.load_session()``. ``finish``, and the first ``flush``, commit.

    A request that ends in an exception which is no ``HTTPError`` changes nothing. In a ``WebSocketHandler`` the session
    is there to read; the setting ``revocation_check`` says how often the handler asks whether it is still there.
    """

    #: The request, from prepare() on.
    _exchange: Exchange[Session] | None = None
    #: Whether nothing is left to do for the session.
    _settled = True
    _committing: asyncio.Future[None] | None = None
    _slot: object = ...
    #: For a WebSocket, and the last message that had to wait for it.
    _watch: Watch | None = None
    _waiting: asyncio.Future[None] | None = None

    async def prepare(self) -> None:
        """Load the session."""
        answer: Awaitable[None] | None = super().prepare()
        if answer is not None:
            await answer
        sessions = self.settings.get("sessions")
        if not isinstance(sessions, Sessions):
            raise MissingMiddleware(_MISSING)
        if not sessions.engine.path_matches(unquote(self.request.path)):
            return
        is_socket = isinstance(self, WebSocketHandler)
        if sessions.engine.refuses(self.request.method or "GET", lambda: facts_of(self.request), websocket=is_socket):
            raise HTTPError(403)
        header = "; ".join(self.request.headers.get_list(sessions.engine.reads.decode("ascii")))
        exchange = Exchange(sessions, header.encode("latin-1"), lambda: facts_of(self.request))
        self._exchange, self._settled = exchange, False
        if isinstance(self, WebSocketHandler) or not self.settings.get("lazy_sessions"):
            try:
                await exchange.load_async()
            except StoreUnavailable:
                if not exchange.refuses:
                    raise
                self._refuse()
                return
        if isinstance(self, WebSocketHandler):
            exchange.observe()
            self._settled = True
            self._begin_watch(self, exchange)

    def _begin_watch(self, socket: WebSocketHandler, exchange: Exchange[Session]) -> None:
        """Close a WebSocket whose session was ended, when the next message comes or goes."""

        async def close() -> None:
            socket.close(*ENDED)

        async def receive(message: str | bytes) -> None:
            if not await watch.is_over():
                answer = receive_on(message)
                if answer is not None:
                    await convert_yielded(answer)

        patience = given_patience(self.settings.get("revocation_check", 60))
        watch = self._watch = Watch(exchange.sessions, exchange.session, patience, close)
        receive_on: Any = socket.on_message
        socket.on_message = receive  # type: ignore[method-assign]

    def write_message(self, message: bytes | str | dict[str, Any], binary: bool = False) -> asyncio.Future[None]:
        """Send a message over a WebSocket, in its turn, if the session is still there."""
        before, watch = self._waiting, self._watch
        send_on: Callable[..., asyncio.Future[None]] = super().write_message  # type: ignore[misc]

        async def send() -> None:
            if before is not None:
                await asyncio.wait([before])
            if watch is not None:
                await watch.is_over()
            await send_on(message, binary)

        waits = before is not None and not before.done()
        if watch is None or not (waits or watch.is_due()):
            return send_on(message, binary)
        self._waiting = _quiet(send())
        return self._waiting

    @property
    def session(self) -> Session:
        """The session. Raises MissingMiddleware if there is none. Set it to None to let go of it (``unset``)."""
        if self._exchange is None:
            raise MissingMiddleware(_MISSING)
        return self._exchange.session

    @session.setter
    def session(self, slot: None) -> None:
        self._slot = of_slot(slot)

    async def load_session(self) -> Session:
        """Return the session, loading it first if the application is lazy. Asks the store at most once."""
        session = self.session
        if self._exchange is not None:
            await self._exchange.load_async()
        session.mark_accessed()
        return session

    def flush(self, include_footers: bool = False) -> asyncio.Future[None]:
        """Commit before the head is sent."""
        if self._settled or self._exchange is None or self._exchange.head_sent:
            return super().flush(include_footers)
        return _quiet(self._flush(self._exchange))

    def finish(self, chunk: str | bytes | dict[Any, Any] | None = None) -> asyncio.Future[None]:
        """Commit before the response ends."""
        if self._settled or self._exchange is None or self._finished:
            return super().finish(chunk)
        if chunk is not None:
            self.write(chunk)
        self._finished = True
        return _quiet(self._end(self._exchange))

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Drop what a request changed that ends in an exception, and say 503 while the store is down."""
        error = kwargs.get("exc_info", (None, None))[1]
        exchange = self._exchange
        if exchange is not None and not self._settled:
            if isinstance(error, StoreUnavailable) and exchange.refuses and not self._headers_written:
                return self._refuse()
            if error is not None and not isinstance(error, (HTTPError, StreamClosedError)):
                self._settle(exchange)
        return super().send_error(status_code, **kwargs)

    def _commit(self, exchange: Exchange[Session]) -> asyncio.Future[None]:
        """Commit, once, whether finish() or flush() comes first."""
        if self._committing is None:
            self._committing = _quiet(exchange.commit_async(self._headers, self._slot))
        return self._committing

    async def _flush(self, exchange: Exchange[Session]) -> None:
        exchange.streams = not self._finished
        await self._commit(exchange)
        if not self._finished:  # Then finish(), which was not waited for, sends it all.
            await super().flush()

    async def _end(self, exchange: Exchange[Session]) -> None:
        try:
            await self._commit(exchange)
            await exchange.finish_async(self._slot)
            self._finished, self._settled = False, True
            sent = super().finish()
        except Exception as error:
            self._finished = False
            if not isinstance(error, StoreUnavailable):
                self.log_exception(*sys.exc_info())
            self.send_error(500, exc_info=sys.exc_info())
        else:
            await sent

    def _settle(self, exchange: Exchange[Session]) -> None:
        exchange.abandon()
        self._settled = True

    def _refuse(self) -> None:
        """Tell the visitor that the store is down."""
        if self._exchange is not None:
            self._settle(self._exchange)
        self.clear()
        self.set_status(503)
        for name, value in UNAVAILABLE_HEADERS:
            self.set_header(name, value)
        super().finish(UNAVAILABLE)


def session(handler: SessionMixin) -> Session:
    """Return the session of a request, typed. The same object as ``self.session``.

    Raises MissingMiddleware if there is none: the application has no sessions, or the cookie's path does not cover the
    URL.
    """
    found = handler.session
    found.mark_accessed()
    return found


async def aload(handler: SessionMixin) -> Session:
    """Return the session of a request, loading it first if the application is lazy. Asks the store at most once."""
    return await handler.load_session()


def _quiet(work: Any) -> asyncio.Future[None]:
    """Begin ``work``; as with Tornado's own Futures, nobody has to await it to learn that the client has left."""
    task: asyncio.Future[None] = asyncio.ensure_future(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


def facts_of(request: HTTPServerRequest) -> RequestFacts:
    """Return the facts of a request of Tornado."""
    return RequestFacts(
        method=request.method or "GET",
        path=unquote(request.path),
        scheme=request.protocol,
        headers=tuple((name.lower().encode(), value.encode("latin-1")) for name, value in request.headers.get_all()),
        client=None if request.remote_ip == "0.0.0.0" else request.remote_ip,  # noqa: S104  What it says of a socket file.
        raw={"request": request},
    )
