# Who comes from another session library has a cookie that we did not sign, and an id that we did not sign is never
# adopted. This is the one exception, and it is kept narrow:
#
#   1. It is asked for, and it ends: `until` has to be given.
#   2. Only what `sessile migrate` brought from that library is found: its sessions stand under ids of a form that ours
#      never have. So whoever knows the id of one of our sessions cannot use it here.
#   3. Once. The session gets a new id with its first visit, and the cookie that we sign; the old id is dead. So an id
#      that somebody planted in a browser is of no use to them afterwards. For a moment requests that are in flight with
#      the old cookie find the session as well, and are not told its new id.
#
# It stands outside of the middleware for sessions, and gives the request the cookie that the browser will have after
# it: so it serves every framework.
"""Let visitors who come with the cookie of another session library keep their session."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sessile import asgi, cookies, wsgi
from sessile._engine.coded import digest
from sessile._engine.manager import Sessions
from sessile._session.data import sid_of
from sessile._session.watched import state_of
from sessile.dual import AnyStore, Steps
from sessile.errors import InvalidOption, StoreUnavailable
from sessile.facts import Facts
from sessile.http import UNAVAILABLE, UNAVAILABLE_HEADERS

__all__ = ["AsgiAdoption", "WsgiAdoption", "new_id", "plain"]

#: What the id of a session of another library begins with.
OLD = "old:"

#: For how many seconds the old id leads to the session as well, for requests that are in flight.
GRACE = 60.0

#: Longer ids are none of any library that we know.
LONGEST = 512


def new_id(sid: str) -> str:
    """Return the id under which the session stands here that had the id ``sid`` in another library."""
    return OLD + digest(sid.encode("utf-8", "surrogatepass"))


def plain(value: str) -> str | None:
    """Return the id in the cookie of a library that does not sign it: the whole value."""
    return value


class _Adopted(NamedTuple):
    """What follows from an adoption."""

    #: What the request's Cookie header gets: our cookie.
    cookie: str
    #: What the response's Set-Cookie headers say.
    values: tuple[str, ...]


class _Adoption:
    """Finds the session that an old cookie names, and gives it a new id."""

    def __init__(
        self,
        app: Any,
        sessions: Sessions,
        *,
        until: datetime,
        cookie: str = "session",
        path: str = "/",
        domain: str | None = None,
        read: Callable[[str], str | None] = plain,
    ) -> None:
        if not isinstance(until, datetime) or until.utcoffset() is None:
            raise InvalidOption("until", f"{until!r} is no moment with a time zone", "Use datetime(..., tzinfo=UTC).")
        self._until = until.timestamp()
        if self._until > sessions.options.clock() + timedelta(days=366).total_seconds():
            raise InvalidOption("until", "it is more than a year from now", "Sessions do not live that long.")
        engine = self._engine = sessions.engine
        if engine.reads != b"cookie" or not hasattr(sessions.store, "load") or engine.setup.content is not None:
            raise InvalidOption("sessions", "its sessions go by no id in a cookie", 'Use transport="cookie".')
        self._app = app
        self._sessions = sessions
        self._on_error = sessions.options.on_store_error
        self._name = cookie.encode("ascii")
        self._ours = f"{sessions.options.name}="
        self._read = read
        self._farewell: tuple[str, ...] = ()
        if cookie != sessions.options.name:
            self._farewell = (cookies.serialize(cookie, "", max_age=0, expires=0, path=path, domain=domain),)

    def _claim(self, header: bytes, path: str) -> str | None:
        """Return the id of the old session that a request names and that may be adopted, or None."""
        sessions = self._sessions
        if self._name not in header or sessions.options.clock() >= self._until or not self._engine.path_matches(path):
            return None
        values = cookies.candidates(header, self._name)
        # Several of one name may come from a hostile neighbour; and who has a cookie of ours needs no other.
        if len(values) != 1 or self._engine.setup.transport.read(header).sids:
            return None
        value = values[0].decode("latin-1")
        sid = self._read(value) if 0 < len(value) <= LONGEST else None
        return new_id(sid) if sid else None

    def _adopt(self, store: AnyStore, sid: str, facts: Facts, commit: Callable[..., Any]) -> Steps[_Adopted | None]:
        session = yield from self._engine.opening.open(store, sid)
        if session is None:
            return None
        state = state_of(session)
        state.facts = facts
        values: tuple[str, ...] = ()
        if not state.sent_on:
            session.regenerate(keep=True, grace=GRACE)
            values = yield commit(session)
            if not values:
                return None  # The cookie could not travel, or another request was first and has ended it.
        # A later request with the old cookie may be anybody's: the application sees that it comes by an earlier id, and
        # gives it no other.
        given = sid if state.sent_on else sid_of(state)
        ours = "; ".join(line.partition(";")[0] for line in self._engine.setup.transport.write(given, {}, 0))
        return _Adopted(ours, (*values, *self._farewell) if values else ())

    def _with(self, adopted: _Adopted, lines: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return the headers of a response, with what follows from the adoption before what the application says."""
        given = list(lines)
        if not adopted.values:
            return given
        # What the application has made of the session since is newer.
        newer = any(name.lower() == "set-cookie" and value.startswith(self._ours) for name, value in given)
        values = self._farewell if newer else adopted.values
        rest = [line for line in given if line[0].lower() != "cache-control"]
        return [*(("set-cookie", value) for value in values), *rest, ("cache-control", "no-store")]


class AsgiAdoption(_Adoption):
    """Wrap an ASGI application, outside of its middleware for sessions.

    ``sessions`` are those of the site, whose store ``sessile migrate`` has filled. ``until``: when this ends, with its
    time zone, at most a year from now: no later than the last of the old cookies. ``cookie`` is the name of the old
    cookie, ``path`` and ``domain`` what it was set with. ``read`` returns the id that its value carries, or None if the
    value is not one that the old library made; the default is for those that do not sign it.

    >>> from datetime import UTC, datetime, timedelta
    >>> from sessile import Sessions
    >>> sessions = Sessions(secret="a long random text that nobody else knows")
    >>> async def app(scope, receive, send): ...
    >>> adopting = AsgiAdoption(app, sessions, until=datetime.now(UTC) + timedelta(days=14))
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection."""
        sid = None
        if scope["type"] == "http":
            sid = self._claim(cookies.header_of(scope, b"cookie"), asgi.path_of(scope))
        if sid is None:
            await self._app(scope, receive, send)
            return
        try:
            adopted = await self._engine.arun(self._adopt, sid, lambda: asgi.facts_of(scope), self._engine.commit_async)
        except StoreUnavailable:
            if self._on_error == "raise":
                raise
            if self._on_error == "unavailable":
                await _refuse(send)
                return
            adopted = None
        if adopted is None:
            await self._app(scope, receive, send)
            return

        async def send_on(message: Any) -> None:
            if message["type"] == "http.response.start":
                lines = [
                    (name.decode("latin-1"), value.decode("latin-1")) for name, value in message.get("headers", ())
                ]
                found = self._with(adopted, lines)
                headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in found]
                message = {**message, "headers": headers}
            await send(message)

        cookie = (b"cookie", adopted.cookie.encode("latin-1"))
        await self._app({**scope, "headers": [*scope["headers"], cookie]}, receive, send_on)


class WsgiAdoption(_Adoption):
    """Wrap a WSGI application, outside of its middleware for sessions.

    In Flask: ``app.wsgi_app = WsgiAdoption(app.wsgi_app, sessions, until=...)``. See ``AsgiAdoption``.
    """

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve one request."""
        header = environ.get("HTTP_COOKIE", "")
        sid = self._claim(header.encode("latin-1"), wsgi.path_of(environ))
        if sid is None:
            return self._call(environ, start_response)
        try:
            adopted = self._engine.run(self._adopt, sid, lambda: wsgi.facts_of(environ), self._engine.commit_sync)
        except StoreUnavailable:
            if self._on_error == "raise":
                raise
            if self._on_error == "unavailable":
                start_response("503 Service Unavailable", list(UNAVAILABLE_HEADERS))
                return [UNAVAILABLE]
            adopted = None
        if adopted is None:
            return self._call(environ, start_response)

        def start_on(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            return start_response(status, self._with(adopted, headers), *error)

        return self._call({**environ, "HTTP_COOKIE": f"{header}; {adopted.cookie}"}, start_on)

    def _call(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body: Iterable[bytes] = self._app(environ, start_response)
        return body


async def _refuse(send: Any) -> None:
    """Answer that the store is down."""
    headers = [(name.lower().encode(), value.encode()) for name, value in UNAVAILABLE_HEADERS]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": UNAVAILABLE})
