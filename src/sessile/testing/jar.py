# A test client keeps cookies in one of three kinds of jars: that of http.cookiejar (httpx, Starlette's TestClient,
# requests), that of Werkzeug (Flask), and http.cookies.SimpleCookie (Django). None of these packages is imported here.
"""The session of a test client: set it before a request, look at it after one."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from email.message import Message
from http.cookiejar import CookieJar
from http.cookies import SimpleCookie
from typing import Any, Protocol
from urllib.parse import urlsplit

from sessile import dual
from sessile._engine.manager import Sessions
from sessile._session.session import Session
from sessile._session.watched import state_of
from sessile.dual import Steps
from sessile.errors import SessionError
from sessile.facts import RequestFacts

__all__ = ["Visit", "session_of"]


def session_of(client: Any, sessions: Sessions, *, url: str | None = None) -> Visit:
    """Return a block in which a test has the session that its client will have at the next request.

    ``client`` is Starlette's or FastAPI's TestClient, a client of httpx or requests, or the test client of Flask or
    Django; ``sessions`` are those of the application. What the block changes is stored, and the client gets the cookie,
    a new one for a new session. A look alone changes nothing, and extends no life. If the block raises, nothing is
    kept. ``url`` is where the client is going; if it is left out, the client's own base URL, or ``http://localhost/``.

    ``with``, or ``async with`` for a store that can be used under asyncio only. Raises SessionError if the client has
    no jar of cookies, or if what was changed could not be stored.

    >>> from sessile import Sessions
    >>> from starlette.testclient import TestClient
    >>> client, sessions = TestClient(lambda scope: None), Sessions(secret="any text that is long enough for a test")
    >>> with session_of(client, sessions) as session:
    ...     session.login("zoe")
    >>> with session_of(client, sessions) as session:
    ...     session.user_id
    'zoe'
    """
    if sessions.engine.reads != b"cookie":
        raise SessionError("these sessions travel in a header, and a jar holds cookies. Give the client the header")
    where = url or str(getattr(client, "base_url", "") or "http://localhost/")
    return Visit(_jar_of(client, where), sessions, where)


class Visit:
    """The block that ``session_of`` returns: ``with``, or ``async with`` under asyncio."""

    def __init__(self, jar: _Jar, sessions: Sessions, url: str) -> None:
        self._jar = jar
        self._sessions = sessions
        self._url = urlsplit(url)
        self._session: Session

    def _facts(self) -> RequestFacts:
        return RequestFacts(path=self._url.path or "/", scheme=self._url.scheme)

    def _begin(self, begin: Callable[..., Any]) -> Steps[Session]:
        self._session = yield begin(self._jar.header().encode("latin-1"), self._facts)
        self._session.keep_alive = False
        return self._session

    def _end(self, commit: Callable[..., Any], failed: bool) -> Steps[None]:
        lines = () if failed else (yield commit(self._session))
        if state_of(self._session).is_lost():
            problem = "the cookie is secure and the client goes by http, or the session was ended meanwhile"
            raise SessionError(f"nothing was stored: {problem}")
        for line in lines:
            self._jar.take(line)
        state_of(self._session).end("the block of session_of is over, so nothing would store this change")

    def __enter__(self) -> Session:
        return dual.run_sync(self._begin(self._sessions.engine.begin_sync))

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        dual.run_sync(self._end(self._sessions.engine.commit_sync, kind is not None))

    async def __aenter__(self) -> Session:
        return await dual.run_async(self._begin(self._sessions.engine.begin_async))

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        await dual.run_async(self._end(self._sessions.engine.commit_async, kind is not None))


class _Jar(Protocol):
    def header(self) -> str:
        """Return the Cookie header of the next request."""

    def take(self, line: str) -> None:
        """Do what a Set-Cookie line says."""


def _jar_of(client: Any, url: str) -> _Jar:
    cookies = getattr(client, "cookies", None)
    if isinstance(cookies, SimpleCookie):
        return _DjangoJar(cookies)
    if hasattr(client, "set_cookie") and hasattr(client, "delete_cookie"):
        return _WerkzeugJar(client, url)
    jar = getattr(cookies, "jar", cookies)
    if isinstance(jar, CookieJar):
        return _StandardJar(jar, url)
    raise SessionError(f"a {type(client).__name__} has no jar of cookies that is known here")


class _StandardJar:
    def __init__(self, jar: CookieJar, url: str) -> None:
        self._jar = jar
        self._request = urllib.request.Request(url)  # noqa: S310 - Nothing is opened.

    def header(self) -> str:
        self._jar.add_cookie_header(self._request)
        return self._request.get_header("Cookie") or ""

    def take(self, line: str) -> None:
        self._jar.extract_cookies(_Answer(line), self._request)  # type: ignore[arg-type]


class _Answer:
    """As much of a response as http.cookiejar looks at."""

    def __init__(self, line: str) -> None:
        self._headers = Message()
        self._headers["Set-Cookie"] = line

    def info(self) -> Message:
        return self._headers


class _WerkzeugJar:
    # By the methods that Flask's own session_transaction() uses.

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = urlsplit(url)

    def header(self) -> str:
        environ = {"HTTP_HOST": self._url.netloc, "wsgi.url_scheme": self._url.scheme}
        environ.update(SERVER_NAME=self._url.hostname or "", SERVER_PORT="80", PATH_INFO=self._url.path or "/")
        self._client._add_cookies_to_wsgi(environ)  # noqa: SLF001 - As Flask itself does.
        return environ.get("HTTP_COOKIE", "")

    def take(self, line: str) -> None:
        take = self._client._update_cookies_from_response  # noqa: SLF001 - As Flask itself does.
        take(self._url.hostname, self._url.path or "/", [line])


class _DjangoJar:
    def __init__(self, cookies: SimpleCookie) -> None:
        self._cookies = cookies

    def header(self) -> str:
        return "; ".join(f"{morsel.key}={morsel.coded_value}" for morsel in self._cookies.values())

    def take(self, line: str) -> None:
        self._cookies.load(line)
        for name in [name for name, morsel in self._cookies.items() if morsel["max-age"] == "0"]:
            del self._cookies[name]
