# The head of a response may be taken back until the first chunk of the body (PEP 3333), so it is kept here until then,
# and that is when the session is committed: an application may call start_response first and write to its session
# after. A body that is a list, or a file for the server to send, is complete, and is handed on as it is.
"""Sessions for any WSGI application."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Unpack

from sessile._engine.arguments import SessionsArguments
from sessile._engine.manager import Sessions
from sessile._session.session import Session
from sessile.errors import StoreUnavailable
from sessile.facts import RequestFacts
from sessile.http import (
    FORBIDDEN,
    FORBIDDEN_HEADERS,
    OUTSIDE,
    UNAVAILABLE,
    UNAVAILABLE_HEADERS,
    Body,
    Exchange,
    given,
    missing,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["KEY", "SessionMiddleware", "session"]

#: Where the session is in the environ.
KEY = "sessile.session"

_REMEDY = "this request has no session. Wrap the application: sessile.wsgi.SessionMiddleware(app, sessions)"

_REFUSED = "503 Service Unavailable"


class SessionMiddleware:
    """Gives each request of ``app`` its session, as ``environ["sessile.session"]``.

    ``sessions`` is the manager; or give its options here, as keyword arguments. The first look loads the session, and
    a request that never looks makes no call to the store: so it does not extend the session's life either. With
    ``lazy=False`` each request loads, and counts as a visit, as under ASGI.

    A request that has a session already, from a middleware outside this one, keeps it (express-session).

    >>> def site(environ, start_response): ...
    >>> app = SessionMiddleware(site, secret="a long random text that nobody else knows", store="memory://")
    """

    def __init__(
        self,
        app: WSGIApplication,
        /,
        sessions: Sessions | None = None,
        *,
        lazy: bool = True,
        **options: Unpack[SessionsArguments],
    ) -> None:
        self.app = app
        self.sessions = given(sessions, options, binds=True)
        self._lazy = lazy
        self._engine = self.sessions.engine
        self._everywhere = self._engine.path_matches("/")
        self._header = key_of(self._engine.reads)
        self._endpoints = self._engine.endpoints

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        covered = self._everywhere or self._engine.path_matches(path_of(environ))
        if not covered or environ.get(KEY) is not None:
            if not covered:
                environ[OUTSIDE] = self._engine.setup.path
            return self.app(environ, start_response)
        if self._endpoints is not None and path_of(environ) in self._endpoints.paths:
            header = environ.get(self._header, "").encode("latin-1")
            answer = self._engine.run(self._endpoints.answer, header, facts_of(environ))
            start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", answer.lines)
            return [answer.body]
        if self._engine.refuses(environ.get("REQUEST_METHOD", "GET"), lambda: facts_of(environ)):
            start_response("403 Forbidden", list(FORBIDDEN_HEADERS))
            return [FORBIDDEN]
        request = _Request(self.sessions, environ.get(self._header, "").encode("latin-1"), environ, start_response)
        try:
            environ[KEY] = request.load_lazily() if self._lazy else request.load()
            body = self.app(environ, request.start_response)
            return request.complete(body) if is_complete(body, environ) else _Body(request, body)
        except StoreUnavailable as error:
            return request.refuse(error)
        except BaseException:
            request.abandon()
            raise


class _Request(Exchange[Session]):
    """One request on its way through the application."""

    __slots__ = ("environ", "head", "send_head_on", "write_on")

    def __init__(
        self, sessions: Sessions, header: bytes, environ: WSGIEnvironment, start_response: StartResponse
    ) -> None:
        super().__init__(sessions, header, self.facts)
        self.environ = environ
        self.send_head_on = start_response
        self.head: tuple[str, list[tuple[str, str]], Any] | None = None
        self.write_on: Callable[[bytes], object] | None = None

    def facts(self) -> RequestFacts:
        """Return the facts of this request."""
        return facts_of(self.environ)

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        """Keep the head of the response until the body begins."""
        if exc_info is None and self.head is not None:
            raise AssertionError("start_response was called twice, and the second time without exc_info (PEP 3333)")
        if self.head_sent:
            return self.send_head_on(status, headers, exc_info)  # Which raises exc_info: it is too late.
        self.head = (status, list(headers), exc_info)
        return self.write

    def write(self, chunk: bytes) -> None:
        """Send a chunk at once, as applications from before WSGI do."""
        self.send_head()
        assert self.write_on is not None
        self.write_on(chunk)

    def send_head(self) -> None:
        """Commit, and send the head on, if that has not been done."""
        if self.head_sent or self.head is None:
            return
        status, headers, exc_info = self.head
        if exc_info is None:
            self.commit(Lines(headers), self.environ.get(KEY))
        else:
            self.stored = False  # The page of an error: what led to it has changed nothing.
            if self.outage is not None and self.refuses:
                raise self.outage
        self.head_sent = True
        self.write_on = self.send_head_on(status, headers, *([exc_info] if exc_info else []))

    def complete(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Send the head of a response whose body is there already, and return the body."""
        self.send_head()
        self.abandon()
        return body

    def finish(self, slot: object = ...) -> None:
        super().finish(self.environ.get(KEY))

    def refuse(self, error: StoreUnavailable) -> Iterable[bytes]:
        """Tell the visitor that the store is down, or let the exception through if it is too late or not wanted."""
        self.abandon()
        if self.head_sent or not self.refuses:
            raise error
        self.head_sent = True
        self.send_head_on(_REFUSED, list(UNAVAILABLE_HEADERS))
        return [UNAVAILABLE]


class _Body(Body):
    """A body that is still being made: the head is sent when its first chunk is there."""

    __slots__ = ()

    _exchange: _Request

    def __next__(self) -> bytes:
        request = self._exchange
        if request.head_sent:
            return super().__next__()
        try:
            if self._chunks is None:
                self._chunks = iter(self._body)
            chunk = next(self._chunks, None)
            request.streams = chunk is not None
            request.send_head()
        except StoreUnavailable as error:
            self._over = True
            self._chunks = iter(request.refuse(error))
            return next(self._chunks)
        except BaseException:
            self._over = True
            request.abandon()
            raise
        return super().__next__() if chunk is None else chunk


class Lines:
    """The headers of a response as WSGI has them (``sessile.http.Headers``)."""

    __slots__ = ("lines",)

    def __init__(self, lines: list[tuple[str, str]]) -> None:
        self.lines = lines

    def get(self, name: str, /) -> str | None:
        """Return the value of the header ``name``; several lines of it make one list (RFC 9110 5.3)."""
        values = [value for key, value in self.lines if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    def __setitem__(self, name: str, value: str, /) -> None:
        self.lines[:] = [line for line in self.lines if line[0].lower() != name.lower()]
        self.lines.append((name, value))

    def add(self, name: str, value: str, /) -> None:
        """Add a line."""
        self.lines.append((name, value))


def is_complete(body: object, environ: WSGIEnvironment) -> bool:
    """Tell whether nothing of the application runs any more while ``body`` is sent."""
    if isinstance(body, (list, tuple)):
        return True
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)


def key_of(header: bytes) -> str:
    """Return where the environ has a header of the request."""
    return "HTTP_" + header.decode("ascii").upper().replace("-", "_")


def path_of(environ: WSGIEnvironment) -> str:
    """Return the path of a request. WSGI says its bytes in Latin-1 (PEP 3333)."""
    path: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return path.encode("latin-1").decode("utf-8", "replace") or "/"


def facts_of(environ: WSGIEnvironment) -> RequestFacts:
    """Return the facts of a WSGI request."""
    lines = [(name[5:], value) for name, value in environ.items() if name.startswith("HTTP_")]
    lines += [(name, environ[name]) for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)]
    return RequestFacts(
        method=environ.get("REQUEST_METHOD", "GET"),
        path=path_of(environ),
        scheme=environ.get("wsgi.url_scheme", "http"),
        headers=tuple((name.replace("_", "-").lower().encode(), value.encode("latin-1")) for name, value in lines),
        client=environ.get("REMOTE_ADDR") or None,
        raw=environ,
    )


def session(environ: WSGIEnvironment) -> Session:
    """Return the session of a request, typed. The same object as ``environ["sessile.session"]``.

    Raises MissingMiddleware if there is none: the middleware is missing, or the cookie's path does not cover the URL.
    """
    found = environ.get(KEY)
    if not isinstance(found, Session):
        raise missing(found, _REMEDY, environ)
    return found
