"""What requests and programs do: the bodies that are run against each other."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sessile import Lifetime, Session
from sessile.adoption import AsgiAdoption, new_id
from sessile.asgi import SessionMiddleware
from sessile.asgi import session as session_of
from sessile.stores.base import Record
from sessile.testing.explore import Call
from tests.interleavings.site import Answer, Did, Site

USER, TENANT, FORGED = "zoe", "acme", "mallory"
#: The id that the session at the start had in the library that was there before.
THEIRS = "an id of another library"
OLD = new_id(THEIRS)

#: The keys of a session at the start, and what is under them.
AT_START = {"tag": "S", "token": "once", "n": 0, "t": 0, "k": 0}

RENEWING = {"lifetime": Lifetime(renew_every=100, renewal_grace=30)}


@dataclass(frozen=True)
class Kind:
    """A kind of body."""

    #: Runs it on a site, by the letter of the body and the id of the session at the start.
    run: Callable[[Site, str, str], Coroutine[Any, Any, Answer]]
    #: Options that both bodies need.
    options: dict[str, Any] = field(default_factory=dict)
    #: The user has proved who they are in it.
    proves: bool = False
    #: It leaves nothing of the data, or of the cookie, of the session that it begins with.
    drops: bool = False
    recookies: bool = False
    #: It needs a session in which somebody is logged in.
    of_user: bool = False


KINDS: dict[str, Kind] = {}

Handler = Callable[[Session, str], Any]


def _kind(name: str, **said: Any) -> Callable[[Handler], Handler]:
    """Add a kind of request that comes by the session of the start."""

    def add(handler: Handler) -> Handler:
        async def run(site: Site, letter: str, sid: str) -> Answer:
            return await site.request(name, sid, lambda session: handler(session, letter))

        KINDS[name] = Kind(run, **said)
        return handler

    return add


def _stranger(name: str, **said: Any) -> Callable[[Handler], Handler]:
    """Add a kind of request that comes without a cookie."""

    def add(handler: Handler) -> Handler:
        async def run(site: Site, letter: str, sid: str) -> Answer:
            return await site.request(name, None, lambda session: handler(session, letter))

        KINDS[name] = Kind(run, **said)
        return handler

    return add


def _program(name: str) -> Callable[[Callable[[Site, str], Coroutine[Any, Any, Did]]], None]:
    """Add a kind of program."""

    def add(program: Callable[[Site, str], Coroutine[Any, Any, Did]]) -> None:
        async def run(site: Site, letter: str, sid: str) -> Answer:
            did = await program(site, sid)
            return site.answer(name, did=(did,))

        KINDS[name] = Kind(run)

    return add


# Requests of a visitor ------------------------------------------------------------------------------------------------


@_stranger("first write")
def first_write(session: Session, letter: str) -> None:
    session[f"w{letter}"] = 1


@_kind("write")
def write(session: Session, letter: str) -> list[Did]:
    session[f"w{letter}"] = 1
    return [("wrote", f"w{letter}", 1)]


@_kind("read")
def read(session: Session, letter: str) -> None:
    session.get("n")


@_kind("rotate, drop", drops=True, recookies=True)
def rotate_drop(session: Session, letter: str) -> None:
    session.regenerate()


@_kind("rotate, keep")
def rotate_keep(session: Session, letter: str) -> None:
    session.regenerate(keep=True)


@_kind("rotate, grace")
def rotate_grace(session: Session, letter: str) -> None:
    session.regenerate(keep=True, grace=10)


@_kind("renewal", options=RENEWING)
def renewal(session: Session, letter: str) -> None:
    session.get("n")


@_kind("log-in", proves=True, recookies=True)
def log_in(session: Session, letter: str) -> list[Did]:
    session.login(USER)
    return [("logged in", USER, None)]


@_stranger("log-in elsewhere", proves=True)
def log_in_elsewhere(session: Session, letter: str) -> list[Did]:
    session.login(USER)
    return [("logged in", USER, None)]


@_stranger("log-in at the limit", proves=True, options={"max_sessions_per_user": 1})
def log_in_at_the_limit(session: Session, letter: str) -> list[Did]:
    session.login(USER)
    return [("logged in", USER, None)]


@_kind("re-authentication", proves=True)
def reauthentication(session: Session, letter: str) -> None:
    if session.user_id is not None:
        session.reauthenticated()


@_kind("log-out")
def log_out(session: Session, letter: str) -> list[Did]:
    found = session.get("tag")
    session.logout()
    return [("ended", found or "", None)]


@_kind("destroy")
def destroy(session: Session, letter: str) -> list[Did]:
    found = session.get("tag")
    session.destroy()
    return [("ended", found or "", None)]


@_kind("incr")
async def incr(session: Session, letter: str) -> list[Did]:
    return [("added", "n", await session.aincr("n"))] if "n" in session else []


@_kind("pop_once")
async def pop_once(session: Session, letter: str) -> list[Did]:
    return [("popped", "token", await session.apop_once("token"))]


@_kind("transaction")
async def transaction(session: Session, letter: str) -> list[Did]:
    if "t" not in session:
        return []
    async with session.transaction():
        session["t"] += 1
    return [("added", "t", None)]


@_kind("lock")
async def lock(session: Session, letter: str) -> list[Did]:
    if "k" not in session:
        return []
    async with session.lock(wait=0) as fence:
        try:
            others = await Call("enter", "the block", lambda inside: (inside or 0, (inside or 0) + 1))
            session["k"] += 1
        finally:
            await Call("leave", "the block", lambda inside: (None, inside - 1 or None))
    return [("added", "k", None), ("held", "lock", fence), ("met", "lock", others)]


@_kind("flash")
def flash(session: Session, letter: str) -> list[Did]:
    session.flash(f"from {letter}")
    return [("flashed", "flash", f"from {letter}")]


@_kind("save in the middle")
async def save_in_the_middle(session: Session, letter: str) -> list[Did]:
    session[f"x{letter}"] = 1
    saved = await session.asave()
    if not saved:
        return []
    session[f"w{letter}"] = 1
    return [("saved", f"x{letter}", 1), ("wrote", f"w{letter}", 1)]


@_kind("cookie change")
def cookie_change(session: Session, letter: str) -> list[Did]:
    session.cookie.max_age = 7200.0
    return [("lives", "cookie", 7200.0)]


@_kind("index")
def index(session: Session, letter: str) -> None:
    session.index("order", 7)


@_kind("forge")
def forge(session: Session, letter: str) -> list[Did]:
    session["sessile"] = {"user": FORGED}
    return []


async def _adoption(site: Site, letter: str, sid: str) -> Answer:
    """A request with the cookie of the library that was there before, to an application that writes."""
    sent: list[Any] = []
    did: list[Did] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        session = session_of(scope)
        if session.get("tag") == "S":
            did.append(("wrote", f"w{letter}", 1))
        session[f"w{letter}"] = 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    until = datetime.fromtimestamp(site.sessions.options.clock(), UTC) + timedelta(days=7)
    middleware = SessionMiddleware(app, sessions=site.sessions)
    adopting = AsgiAdoption(middleware, site.sessions, until=until, cookie="theirs", read=lambda value: THEIRS)
    headers = [(b"cookie", b"theirs=theirs")]
    scope = {"type": "http", "method": "GET", "path": "/", "scheme": "https", "headers": headers, "query_string": b""}
    await adopting(scope, receive, send)
    if sent[0]["status"] != 200:
        return site.answer("adoption", OLD)
    values = tuple(value.decode() for name, value in sent[0]["headers"] if name == b"set-cookie")
    tag = "S" if did else None
    return site.answer("adoption", OLD, None, tag, site.told_by(values), tuple(did))


KINDS["adoption"] = Kind(_adoption)


async def _node(site: Site, letter: str, sid: str) -> Answer:
    """A handler of Node's that assigns the body of a request to its session: it writes whatever that says."""
    record: Record | None = await site.store.load(sid)
    if record is not None:
        try:
            held = json.loads(record.payload)
        except ValueError:
            return site.answer("Node forges")
        payload = json.dumps({**held, "sessile": {"user": FORGED, "auth_time": 1}}).encode()
        await site.store.replace(sid, payload, 60, record.payload)
    return site.answer("Node forges")


KINDS["Node forges"] = Kind(_node)


# Programs -------------------------------------------------------------------------------------------------------------


@_program("revoke")
async def revoke(site: Site, sid: str) -> Did:
    await site.sessions.arevoke(sid)
    return ("ended", "S", None)


@_program("revoke_user")
async def revoke_user(site: Site, sid: str) -> Did:
    await site.sessions.arevoke_user(USER)
    return ("revoked", "user", USER)


@_program("revoke_where")
async def revoke_where(site: Site, sid: str) -> Did:
    await site.sessions.arevoke_where("tenant", TENANT)
    return ("revoked", "tenant", TENANT)


async def _password_change(site: Site, letter: str, sid: str) -> Answer:
    """A request that ends all other sessions of its user, and logs them in again: how a password is changed."""

    async def change(session: Session) -> list[Did]:
        if session.user_id is None:
            return []
        await site.sessions.arevoke_user(USER, keep=session)
        session.login(USER)
        return [("revoked others", "user", USER)]

    return await site.request("password change", sid, change)


KINDS["password change"] = Kind(_password_change, proves=True, recookies=True)
