# The same stories as in express.js, told to sessile through its ASGI middleware. A carrier says how the token travels:
# with a second one, all scenarios can be run once more without a cookie.
"""Run scenarios with sessile."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from sessile import CookieOptions, Session, Sessions
from sessile.asgi import SessionMiddleware
from sessile.errors import SessionGone
from sessile.lifetime import LengthWarning
from sessile.stores.base import Conflict, Missing, Record, Replaced
from sessile.stores.memory import MemoryStore
from sessile.testing import FrozenClock
from tests.differential.outcome import Step, cookie_of
from tests.differential.scenarios import COOKIES, NOW, SECRETS, TRANSPORTS, VISITORS, Scenario

DAY = 86_400.0

Headers = list[tuple[bytes, bytes]]


# Stores ---------------------------------------------------------------------------------------------------------------


class Recorder(MemoryStore):
    """A memory store that remembers what was asked of it, in the words of express-session, and when it wrote."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock=clock)
        self.calls: list[list[str]] = []
        self.written: dict[str, float] = {}

    def load(self, sid: str) -> Record | None:
        self.calls.append(["get", sid])
        return super().load(sid)

    def create(self, sid: str, payload: bytes, ttl: float) -> bool:
        self.calls.append(["set", sid])
        self.written[sid] = self._clock()
        return super().create(sid, payload, ttl)

    def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Replaced | Conflict | Missing:
        self.calls.append(["set", sid])
        answer = super().replace(sid, payload, ttl, expected)
        if isinstance(answer, Replaced):
            self.written[sid] = self._clock()
        return answer

    def touch(self, sid: str, ttl: float) -> bool:
        self.calls.append(["touch", sid])
        self.written[sid] = self._clock()
        return super().touch(sid, ttl)

    def delete(self, sid: str) -> bool:
        self.calls.append(["destroy", sid])
        return super().delete(sid)

    def put(self, sid: str, payload: bytes, ttl: float) -> None:
        """Be found with a record that was written now."""
        super().create(sid, payload, ttl)
        self.written[sid] = self._clock()

    def rewrite(self, sid: str) -> None:
        """Be written by another request: one key more."""
        record = super().load(sid)
        assert record is not None
        payload = json.dumps({**json.loads(record.payload), "other": 1}, ensure_ascii=False, separators=(",", ":"))
        super().replace(sid, payload.encode(), record.expires_at - self._clock(), record.payload)

    def remove(self, sid: str) -> None:
        """Be emptied of a record by another request."""
        super().delete(sid)

    def records(self) -> dict[str, Any]:
        """Return what is stored: the payload, how long it lives, and for how long nobody wrote or touched it."""
        return {
            sid: {
                "data": json.loads(record.payload),
                "life": milliseconds(record.expires_at - self._clock()),
                "idle": milliseconds(self._clock() - self.written[sid]),
            }
            for sid, record in self._records.items()
            if record.expires_at > self._clock()
        }


class Waiting:
    """The five verbs of ``store``, each of which keeps the caller waiting for a turn of the loop."""

    def __init__(self, store: Recorder) -> None:
        self._store = store

    async def load(self, sid: str) -> Record | None:
        await asyncio.sleep(0)
        return self._store.load(sid)

    async def create(self, sid: str, payload: bytes, ttl: float) -> bool:
        await asyncio.sleep(0)
        return self._store.create(sid, payload, ttl)

    async def replace(self, sid: str, payload: bytes, ttl: float, expected: bytes) -> Replaced | Conflict | Missing:
        await asyncio.sleep(0)
        return self._store.replace(sid, payload, ttl, expected)

    async def touch(self, sid: str, ttl: float) -> bool:
        await asyncio.sleep(0)
        return self._store.touch(sid, ttl)

    async def delete(self, sid: str) -> bool:
        await asyncio.sleep(0)
        return self._store.delete(sid)


# Browser --------------------------------------------------------------------------------------------------------------


class Jar:
    """What the browser was given, by name, domain and path; longer paths first (RFC 6265bis 5.8.3)."""

    def __init__(self, cookies: Iterable[dict[str, Any]], clock: Callable[[], float]) -> None:
        self._clock = clock
        self._cookies: dict[tuple[str, str, str], dict[str, Any]] = {}
        for cookie in cookies:
            self._put({"secure": False, "ends": float("inf"), **cookie})

    def _put(self, cookie: dict[str, Any]) -> None:
        self._cookies[cookie["name"], cookie["domain"], cookie["path"]] = cookie

    def take(self, line: str) -> None:
        """Keep what a Set-Cookie line says."""
        given = cookie_of(line)
        attributes = given["attributes"]
        ends = float("inf")
        if "Expires" in attributes:
            ends = parsedate_to_datetime(attributes["Expires"]).timestamp()
        if "Max-Age" in attributes:
            ends = self._clock() + int(attributes["Max-Age"])
        self._put(
            {
                "name": given["name"],
                "value": given["value"],
                "domain": attributes.get("Domain", ""),
                "path": attributes.get("Path", "/"),
                "secure": "Secure" in attributes,
                "ends": ends,
            }
        )

    def header(self, secure: bool) -> str:
        """Return the Cookie header of a request."""
        sent = [
            each for each in self._cookies.values() if (secure or not each["secure"]) and each["ends"] > self._clock()
        ]
        sent.sort(key=lambda cookie: -len(cookie["path"]))
        return "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in sent)


class Carrier(Protocol):
    """How the token travels."""

    #: Options of ``Sessions`` that it takes.
    options: dict[str, Any]

    def request(self, jar: Jar, secure: bool) -> Headers:
        """Return the header lines with which the browser sends what ``jar`` holds."""

    def response(self, jar: Jar, headers: Headers) -> list[dict[str, Any]]:
        """Keep in ``jar`` what a response gives to the browser, and return it: name, value and attributes."""


class ByCookie:
    """In a cookie, as express-session does it."""

    options: dict[str, Any] = {}

    def request(self, jar: Jar, secure: bool) -> Headers:
        header = jar.header(secure)
        return [(b"cookie", header.encode("latin-1"))] if header else []

    def response(self, jar: Jar, headers: Headers) -> list[dict[str, Any]]:
        lines = [value.decode("latin-1") for name, value in headers if name == b"set-cookie"]
        for line in lines:
            jar.take(line)
        return [cookie_of(line) for line in lines]


class ByHeader:
    """In a header, both ways; the browser, a program now, keeps the token that it was given last."""

    options: dict[str, Any] = {"transport": "header"}

    def request(self, jar: Jar, secure: bool) -> Headers:
        token = jar.header(secure).partition("=")[2]
        return [(b"x-session-token", token.encode("latin-1"))] if token else []

    def response(self, jar: Jar, headers: Headers) -> list[dict[str, Any]]:
        tokens = [value.decode("latin-1") for name, value in headers if name == b"x-session-token"]
        for token in tokens:
            jar.take(f"connect.sid={token}; Path=/" if token else "connect.sid=; Path=/; Max-Age=0")
        return [{"value": token} for token in tokens]


# Handlers -------------------------------------------------------------------------------------------------------------


@dataclass
class Request:
    """One request, as the handler has it."""

    scope: dict[str, Any]
    store: Recorder
    clock: FrozenClock
    send: Callable[[Any], Awaitable[None]]
    saw: list[Any] = field(default_factory=list)
    head_sent: bool = False

    @property
    def session(self) -> Session:
        """The session."""
        return self.scope["session"]  # type: ignore[no-any-return]

    async def head(self) -> None:
        """Send the head of the response, if it is not sent yet."""
        if not self.head_sent:
            self.head_sent = True
            # With a length, as Express sends it: a body without one may still look, which is told to caches ahead.
            length = [(b"content-length", b"100")]
            await self.send({"type": "http.response.start", "status": 200, "headers": length})

    async def stream(self) -> None:
        """Send the head and some of the body."""
        await self.head()
        await self.send({"type": "http.response.body", "body": b"the head leaves with this", "more_body": True})

    async def end(self) -> None:
        """Send what is left of the response."""
        await self.head()
        await self.send({"type": "http.response.body", "body": b"ok"})


def _nest(request: Request) -> None:
    request.session.setdefault("cart", {"items": []})["items"].append(3)


def _revert(request: Request) -> None:
    session = request.session
    missing = "n" not in session
    before = session.get("n")
    session["n"] = "something else"
    if missing:
        del session["n"]
    else:
        session["n"] = before


def _set_same(request: Request) -> None:
    if "n" in request.session:
        request.session["n"] = int(request.session["n"])


#: What a handler can do; express.js has the same words.
VERBS: dict[str, Callable[[Request], Any]] = {
    "look": lambda request: request.session.get("n"),
    "set": lambda request: request.session.update(n=request.session.get("n", 0) + 1),
    "set same": _set_same,
    "nest": _nest,
    "revert": _revert,
    "delete": lambda request: request.session.pop("n", None),
    "delete all": lambda request: request.session.clear(),
    "save": lambda request: request.session.asave(),
    "reload": lambda request: request.session.areload(),
    "regenerate": lambda request: request.session.regenerate(),
    "destroy": lambda request: request.session.destroy(),
    "touch": lambda request: request.session.touch(),
    "null": lambda request: request.scope.update(session=None),
    "remove": lambda request: request.scope.pop("session"),
    "max age": lambda request: setattr(request.session.cookie, "max_age", 7200),
    "no max age": lambda request: setattr(request.session.cookie, "max_age", None),
    "expires": lambda request: setattr(request.session.cookie, "expires", moment(request.clock() + 7200)),
    "strict": lambda request: setattr(request.session.cookie, "same_site", "strict"),
    "script": lambda request: setattr(request.session.cookie, "http_only", False),
    "path /app": lambda request: setattr(request.session.cookie, "path", "/app"),
    "other writes": lambda request: request.store.rewrite(request.session.id),
    "other destroys": lambda request: request.store.remove(request.session.id),
    "head": Request.stream,
    "view": lambda request: request.saw.append(view(request.scope.get("session"))),
    "put an object": lambda request: request.scope.update(session={}),
    "put a cycle": lambda request: request.session.update(cycle=request.session),
    "put what JSON cannot hold": lambda request: request.session.update(n=object()),
    "put no cookie": lambda request: setattr(request.session, "cookie", None),
    "reload and wait for nothing": lambda request: request.session.areload().close(),
}


def view(session: Session | None) -> Any:
    """Return what a handler sees of its session."""
    if session is None:
        return None
    cookie = session.cookie
    return {
        "id": session.id,
        "data": json.loads(json.dumps(session)),
        "cookie": {
            "maxAge": milliseconds(cookie.max_age),
            "originalMaxAge": milliseconds(cookie.original_max_age),
            "expires": None if cookie.expires is None else javascript(cookie.expires),
            "path": cookie.path,
            "domain": cookie.domain,
            "httpOnly": cookie.http_only,
            "secure": cookie.secure,
            "sameSite": cookie.same_site,
            "partitioned": cookie.partitioned,
            "priority": cookie.priority,
        },
    }


def milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def javascript(at: datetime) -> str:
    rounded = at + timedelta(microseconds=500)
    return rounded.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# Stories --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """One of the ways to run sessile."""

    carrier: Carrier = field(default_factory=ByCookie)
    #: Whether the store keeps callers waiting.
    waiting: bool = False
    #: Whether handlers do nothing but what the action says, so that nothing counts as looked at which is not.
    quiet: bool = False


def sessions_for(scenario: Scenario, store: Any, clock: FrozenClock, way: Way) -> Sessions:
    """Return sessile, given the options of ``scenario``."""
    made = iter(range(1, 1000))
    options: dict[str, Any] = {snake(name): value for name, value in scenario.options.items()}
    cookie = COOKIES[scenario.cookie]
    if cookie.sessile is not None:
        given = CookieOptions(**cookie.sessile)
        options["cookie"] = (lambda facts: given) if cookie.function else given
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LengthWarning)  # Express takes a life of no time without a word.
        return Sessions(
            secret=SECRETS,
            store=store,
            clock=clock,
            genid=lambda facts: f"id-{next(made)}".ljust(32, "_"),
            proxy=TRANSPORTS[scenario.transport][0],
            **options,
            **way.carrier.options,
        )


def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


async def run(scenario: Scenario, record: str | None, way: Way) -> list[Step]:
    """Return what came of ``scenario``, whose visitor has ``record`` in the store."""
    clock = FrozenClock(NOW - VISITORS[scenario.visitor].age)
    store = Recorder(clock)
    if record is not None:
        end = json.loads(record)["cookie"].get("expires")
        ttl = DAY if end is None else datetime.fromisoformat(end).timestamp() - clock()
        for sid in VISITORS[scenario.visitor].sids:
            store.put(sid, record.encode(), ttl)
    sessions = sessions_for(scenario, Waiting(store) if way.waiting else store, clock, way)
    jar = Jar(scenario.jar, clock)
    steps = []
    for position, verbs in enumerate(scenario.steps):
        clock.now = NOW + 10 * position
        store.calls = []
        headers = [(name.encode(), value.encode()) for name, value in TRANSPORTS[scenario.transport][1].items()]
        headers += way.carrier.request(jar, scenario.secure)
        said = [verb for verb in verbs if not (way.quiet and verb == "view")]
        response, saw = await respond(sessions, scenario.path, headers, store, clock, said)
        if isinstance(response, str):
            steps.append({"end": response})
            break
        given = [(name.decode(), value.decode()) for name, value in response["headers"]]
        steps.append(
            {
                "status": response["status"],
                "cookies": way.carrier.response(jar, response["headers"]),
                "caches": [dict(given).get("vary"), dict(given).get("cache-control")],
                "calls": store.calls,
                "saw": saw,
                "records": store.records(),
            }
        )
    return steps


async def respond(
    sessions: Sessions, path: str, headers: Headers, store: Recorder, clock: FrozenClock, verbs: list[str]
) -> tuple[dict[str, Any] | str, list[Any]]:
    """Make a request. Return the head of the response, or the name of the exception, and what the handler saw."""
    head: dict[str, Any] = {}
    saw: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, store, clock, send, saw)
        if verbs and "session" not in scope:
            saw.append("no session")
        else:
            for verb in verbs:
                try:
                    answer = VERBS[verb](request)
                    if hasattr(answer, "__await__"):
                        await answer
                except SessionGone:
                    saw.append("gone")
        await request.end()

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert not head
            head.update(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path.partition("?")[0],
        "query_string": path.partition("?")[2].encode(),
        "scheme": "http",
        "headers": [(b"host", b"example.com"), *headers],
        "client": ("127.0.0.1", 50000),
    }
    try:
        await SessionMiddleware(app, sessions)(scope, receive, send)
    except Exception as error:
        return type(error).__name__, saw
    return head, saw
