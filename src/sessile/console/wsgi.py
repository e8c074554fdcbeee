"""The console as a WSGI application, for a site to mount."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from sessile import RequestFacts, Session, Sessions
from sessile.console.mount import LARGEST_FORM, InThread, Mounted, check_rule
from sessile.wsgi import SessionMiddleware, facts_of
from sessile.wsgi import session as session_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["console"]


def console(
    sessions: Sessions,
    *,
    who: Callable[[Session, RequestFacts], str | None],
    show_data: bool = False,
    read_only: bool = False,
) -> WSGIApplication:
    """Return the operator's console for ``sessions``, to be mounted below a prefix such as ``/console``.

    ``who`` says who may enter: it gets the session and the facts of each request, and returns the operator's name,
    which events have, or None to refuse. ``show_data`` allows a look at what sessions contain; each look is an event.
    With ``read_only`` nobody ends a session here.

    A request by plain HTTP is refused unless it comes from this machine, and a form that a page of another site has
    sent always. Raises InvalidOption if ``who`` is not a function.

    ```python
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/console": console(sessions, who=administrator)})
    ```
    """
    check_rule(who)
    mounted = Mounted(InThread(sessions), show_data=show_data, read_only=read_only)

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        facts = facts_of(environ)
        found = mounted.refusal(facts)
        if found is None:
            path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
            operator = who(session_of(environ), facts)
            found = mounted.answer(facts, path, environ.get("QUERY_STRING", ""), _body(environ), operator)
        status = HTTPStatus(found.status)
        length = ("Content-Length", str(len(found.body)))
        start_response(f"{status.value} {status.phrase}", [*found.headers, length])
        return [b"" if facts.method == "HEAD" else found.body]

    return SessionMiddleware(answer, sessions)


def _body(environ: WSGIEnvironment) -> bytes:
    """Return the form, or one byte more than the largest there may be."""
    text = environ.get("CONTENT_LENGTH") or "0"
    length = int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else LARGEST_FORM + 1
    if length > LARGEST_FORM:
        return bytes(LARGEST_FORM + 1)
    body: bytes = environ["wsgi.input"].read(length)
    return body
