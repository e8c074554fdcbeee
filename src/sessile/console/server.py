# Any page in the operator's browser can send requests to this one. So a host that is not a loopback name is refused
# (DNS rebinding), and a form must come from our own page.
"""The console on this machine: a WSGI application, and a server on the loopback address."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, parse_qsl
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from sessile._wire.origins import SAFE, Origins
from sessile._wire.proxy import trust_in
from sessile.console.core import HEADERS, Answer, Asked, Console
from sessile.console.door import Door
from sessile.console.mount import LARGEST_FORM
from sessile.wsgi import facts_of

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

__all__ = ["Local", "listen"]

_OTHERS: Final = Origins()


class Local:
    """The application. One request at a time: an operator is one person, and not every store is at home in threads."""

    def __init__(self, console: Console, door: Door, who: str) -> None:
        self._console = console
        self._door = door
        self._who = who
        self._lock = threading.Lock()
        #: The Host headers that are ours. Empty until the port is known.
        self.hosts: frozenset[str] = frozenset()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        with self._lock:
            answer = self._answer(environ)
        status = HTTPStatus(answer.status)
        length = ("Content-Length", str(len(answer.body)))
        start_response(f"{status.value} {status.phrase}", [*answer.headers, length])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else answer.body]

    def _answer(self, environ: WSGIEnvironment) -> Answer:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO") or "/"
        host = environ.get("HTTP_HOST", "")
        if host not in self.hosts:
            return self._console.message(421, "Wrong host", "The console answers to the address it has printed.")
        query = dict(parse_qsl(environ.get("QUERY_STRING", ""), errors="replace"))
        if method == "GET" and path == "/enter":
            return self._enter(query.get("token", ""))
        if not self._door.is_open_to(environ.get("HTTP_COOKIE", "")):
            words = "The address works once. Start the console again for a new one."
            return self._console.message(403, "You are not let in", words)
        if method in SAFE:
            return self._console.answer(Asked(method, path, query, self._who))
        if _OTHERS.refusal(facts_of(environ), trust_in(False)):
            return self._console.message(403, "Refused", "This form was sent by a page of another site.")
        form = _form(environ)
        if form is None:
            return self._console.message(413, "Too large", "Nothing was changed.")
        return self._console.answer(Asked(method, path, query, self._who, form))

    def _enter(self, token: str) -> Answer:
        cookie = self._door.exchange(token)
        if cookie is None:
            words = "The address works once, for ten minutes. Start the console again for a new one."
            return self._console.message(403, "You are not let in", words)
        return Answer(303, b"", (("Location", "/"), ("Set-Cookie", cookie), *HEADERS))


def _form(environ: WSGIEnvironment) -> dict[str, list[str]] | None:
    text = environ.get("CONTENT_LENGTH") or "0"
    length = int(text) if text.isdecimal() and len(text) < 10 else LARGEST_FORM + 1
    if length > LARGEST_FORM:
        return None
    body: bytes = environ["wsgi.input"].read(length)
    return parse_qs(body.decode("utf-8", "replace"), errors="replace")


class _Quiet(WSGIRequestHandler):
    #: A browser that opens a connection and says nothing does not keep its thread for ever.
    timeout = 30

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the first line of a request has the token in it."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


def listen(port: int, make: Callable[[int], Local]) -> WSGIServer:
    """Return a server on the loopback address, for the application that ``make`` makes for its port."""
    server = _Server(("127.0.0.1", port), _Quiet)
    local = make(server.server_port)
    local.hosts = frozenset(f"{name}:{server.server_port}" for name in ("127.0.0.1", "localhost"))
    server.set_app(local)
    return server
