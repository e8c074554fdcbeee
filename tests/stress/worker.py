# One process of a stress run: a few threads or one, each with an event loop and some visitors, all of whom share their
# sessions with the visitors of the other processes. What a visitor is about to ask is written down before, and what came
# of it after, in a file that outlives a SIGKILL. Times are CLOCK_MONOTONIC, which all processes of a machine share.
"""A worker: ``python -m tests.stress.worker '<Task as JSON>'``."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sessile import Lifetime, LoginRefused, Session, Sessions, StoreUnavailable
from sessile._session.watched import state_of
from sessile.asgi import SessionMiddleware
from sessile.dual import AsyncCapable
from sessile.errors import RetriesExhausted, SessionConflict, SessionGone
from sessile.events import Event, EventKind
from sessile.merge import add
from tests.asgi import Browser, Response
from tests.conftest import SECRET
from tests.stress.stores import close_store, open_store

NAME = "connect.sid"
KEYS = ("k0", "k1", "k2")

#: How often each operation is drawn, in a hundred.
MIX = {
    "read": 25,
    "write": 22,
    "save": 8,
    "incr": 16,
    "add": 8,
    "transact": 5,
    "rotate": 4,
    "renew": 3,
    "relogin": 2,
    "logout": 4,
    "probe": 3,
}

#: Of those who are logged in, in a hundred and a bit. Who revokes too often sees log-ins refused, and little else.
ACCOUNT_MIX = MIX | {"login": 3, "revoke": 1, "password": 0.5, "revoke_user": 0.5, "revoke_where": 0.5}

#: What begins a login in the place of another.
BEGINS = ("relogin", "password")

#: How many sessions an account may have at once: fewer than there are slots that log in to it.
LIMIT = 2

#: After how many seconds the next account is logged in to. For two seconds after a revocation the log-ins that come by
#: other processes are refused, so there would be none if this were long.
PERIOD = 0.5

#: The life in seconds of sessions that are left to end by themselves, and how many of a hundred are.
SHORT, SHORT_ONES = 1.0, 15


#: For how many seconds an id that was renewed is good beside the new one.
GRACE = 0.02


@dataclass(frozen=True)
class Task:
    """What a worker is to do."""

    store: str
    url: str
    #: Where histories are written and cookies are handed on.
    folder: str
    name: str
    operations: int
    threads: int = 1
    visitors: int = 4
    slots: int = 8
    timeout: float = 20.0
    #: After how many seconds a session gets a new id with whatever request comes next; 0: never.
    renew_every: float = 0.0
    #: Whether all cookies that anybody ever got are presented once more, at the end.
    final: bool = False
    #: How many of the slots are for people who log in, all of them to one account at a time.
    accounts: int = 4


@dataclass(frozen=True)
class Login:
    """One session, as the visitors know it: a cookie, whose it is, and the name of this login."""

    cookie: str
    user: str
    life: str
    max_age: float | None = None
    #: Who is logged in, and what the session is marked with.
    account: str | None = None
    where: str | None = None

    @property
    def sid(self) -> str:
        return sid_of(self.cookie)


def sid_of(cookie: str) -> str:
    return unquote(cookie)[2:].partition(".")[0]


class Pool:
    """The logins that all workers share: one a slot, each in a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, slot: int) -> Login | None:
        try:
            text = (self._folder / f"slot-{slot}").read_text()
        except FileNotFoundError:
            return None
        return Login(**json.loads(text)) if text else None

    def put(self, slot: int, login: Login | None) -> None:
        new = self._folder / f"new-{os.getpid()}-{threading.get_ident()}"
        new.write_text("" if login is None else json.dumps(asdict(login)))
        new.replace(self._folder / f"slot-{slot}")


# What a handler does. `fields` is what was written down before, `end` what will be after.


async def read(session: Session, fields: dict[str, Any], end: dict[str, Any]) -> None:
    pass


async def write(session: Session, fields: dict[str, Any], end: dict[str, Any]) -> None:
    session.update(fields["writes"])


async def save(session: Session, fields: dict[str, Any], end: dict[str, Any]) -> None:
    session.update(fields["writes"])
    end["outcome"] = "ok" if await session.asave() else "gone"


async def incr(session: Session, fields: dict[str, Any], end: dict[str, Any]) -> None:
    end["result"] = await session.aincr(fields["counts"])
    end["outcome"] = "ok"


async def add_one(session: Session, fields: dict[str, Any], end: dict[str, Any]) -> None:
    session[fields["counts"]] = session.get(fields["counts"], 0) + 1  # type: ignore[operator]


async def transact(session: Session, fields: dict[str, Any], end: dict[str, Any]) -> None:
    async with session.transaction() as block:
        value = block.get(fields["counts"], 0) + 1  # type: ignore[operator]
        await asyncio.sleep(0)
        block[fields["counts"]] = value
        block.update(fields["writes"])
    end["result"] = value
    end["outcome"] = "ok"


async def rotate(session: Session, fields: dict[str, Any], end: dict[str, Any]) -> None:
    session.regenerate(keep=True)


async def renew(session: Session, fields: dict[str, Any], end: dict[str, Any]) -> None:
    session.regenerate(keep=True, grace=GRACE)


async def login(session: Session, fields: dict[str, Any], end: dict[str, Any]) -> None:
    enter(session, fields)
    if fields.get("max_age"):
        session.cookie.max_age = fields["max_age"]


def enter(session: Session, fields: dict[str, Any]) -> None:
    if fields.get("account"):
        session.login(fields["account"], keep=False)
        session.index("where", fields["where"])
    session["user"], session["life"] = fields["user"], fields["begins"]


async def relogin(session: Session, fields: dict[str, Any], end: dict[str, Any]) -> None:
    session.regenerate()
    enter(session, fields)


async def logout(session: Session, fields: dict[str, Any], end: dict[str, Any]) -> None:
    session.logout()


# These ask the manager of the session's site.


async def revoke(session: Session, sessions: Sessions, fields: dict[str, Any], end: dict[str, Any]) -> None:
    end["outcome"] = "ok" if await sessions.arevoke(session.id) else "gone"


async def revoke_user(session: Session, sessions: Sessions, fields: dict[str, Any], end: dict[str, Any]) -> None:
    await sessions.arevoke_user(fields["revokes"])
    end["outcome"] = "ok"


async def revoke_where(session: Session, sessions: Sessions, fields: dict[str, Any], end: dict[str, Any]) -> None:
    await sessions.arevoke_where("where", fields["revokes"])
    end["outcome"] = "ok"


async def password(session: Session, sessions: Sessions, fields: dict[str, Any], end: dict[str, Any]) -> None:
    await sessions.arevoke_user(fields["revokes"])
    enter(session, fields)


Action = Callable[[Session, dict[str, Any], dict[str, Any]], Awaitable[None]]

ACTIONS: dict[str, Action] = {
    "read": read,
    "write": write,
    "save": save,
    "incr": incr,
    "add": add_one,
    "transact": transact,
    "rotate": rotate,
    "renew": renew,
    "login": login,
    "relogin": relogin,
    "logout": logout,
}

Revocation = Callable[[Session, Sessions, dict[str, Any], dict[str, Any]], Awaitable[None]]

REVOCATIONS: dict[str, Revocation] = {
    "revoke": revoke,
    "revoke_user": revoke_user,
    "revoke_where": revoke_where,
    "password": password,
}

#: What will be written down of the request that is under way.
ENDING: ContextVar[dict[str, Any]] = ContextVar("ending")


def note(event: Event) -> None:
    """Note of a request that it was told that its revocation may be incomplete: then it promises nothing."""
    if event.name == EventKind.REVOCATION_INCOMPLETE.value:
        ENDING.get()["incomplete"] = True


class Thread:
    """One event loop with its visitors, and its history."""

    def __init__(self, task: Task, name: str, sessions: Sessions) -> None:
        self.task = task
        self.name = name
        self.sessions = sessions
        self.chance = random.Random(name)
        self.pool = Pool(Path(task.folder))
        self.history = (Path(task.folder) / f"{name}.history").open("ab", buffering=0)
        self.number = 0
        self.left = task.operations
        #: Logins that are over, or about to end, with the moment from which on they are worth a look.
        self.graves: list[tuple[float, Login]] = []
        self.stop = Path(task.folder) / "stop"

    async def run(self) -> None:
        await asyncio.gather(*(self.visitor() for _ in range(self.task.visitors)))

    async def visitor(self) -> None:
        while self.left > 0 and not (self.left % 16 == 0 and self.stop.exists()):
            self.left -= 1
            slot = self.chance.randrange(self.task.slots)
            held = self.pool.get(slot)
            mix = MIX if slot < self.task.slots - self.task.accounts else ACCOUNT_MIX
            kind = self.chance.choices(list(mix), list(mix.values()))[0]
            if kind == "probe":
                await self.probe()
            elif held is None or kind == "login":
                await self.log_in(slot)
            elif held.max_age and self.chance.random() < 0.02:
                self.pool.put(slot, None)
                self.graves.append((time.monotonic() + held.max_age + 1.1, held))
            else:
                await self.operate(kind, slot, held)

    async def probe(self) -> None:
        """Present a cookie that should be worth nothing."""
        now = time.monotonic()
        due = [grave for grave in self.graves if grave[0] <= now]
        if due:
            grave = self.chance.choice(due)
            if grave[1].max_age:
                self.graves.remove(grave)
            await self.request("read", grave[1])

    async def log_in(self, slot: int) -> None:
        user, life = f"user{slot}", f"{self.name}-{self.number}"
        max_age = account = where = None
        if slot >= self.task.slots - self.task.accounts:
            account = f"account-{time.monotonic() // PERIOD:.0f}"
            where = f"{account}-{slot}"
        elif self.chance.randrange(100) < SHORT_ONES:
            max_age = SHORT
        entered = {"account": account, "where": where}
        end = await self.request("login", None, user=user, begins=life, max_age=max_age, **entered)
        if "cookie" in end:
            self.pool.put(slot, Login(end["cookie"], user, life, max_age, account, where))

    async def operate(self, kind: str, slot: int, held: Login) -> None:
        fields: dict[str, Any] = {}
        if kind in ("write", "save"):
            keys = self.chance.sample(KEYS, self.chance.choice((1, 1, 2)))
            fields["writes"] = {key: f"{held.user} {self.name}-{self.number}-{key}" for key in keys}
        elif kind in ("incr", "add", "transact"):
            fields["counts"] = f"by {kind}"
            if kind == "transact":
                fields["writes"] = {"by whom": f"{held.user} {self.name}-{self.number}"}
        elif kind == "renew":
            fields["grace"] = GRACE * 1e9
        elif kind in ("revoke_user", "revoke_where"):
            fields["revokes"] = held.account if kind == "revoke_user" else held.where
        if kind in ("relogin", "password"):
            fields |= {"begins": f"{self.name}-{self.number}", "account": held.account, "where": held.where}
        if kind == "password":
            fields["revokes"] = held.account
        # Some are revoked by somebody who has no session here.
        by = None if kind in ("revoke_user", "revoke_where") and self.chance.random() < 0.5 else held
        end = await self.request(kind, by, **({} if by else {"user": held.user}), **fields)
        over = (kind in ("rotate", "renew", "logout", *BEGINS, *REVOCATIONS) or "grace" in end) and end[
            "outcome"
        ] == "ok"
        if "cookie" in end:
            # A session that goes on lives for as long as before; a new one has the cookie of the options.
            max_age = None if kind in BEGINS else held.max_age
            life = fields.get("begins", held.life)
            self.pool.put(slot, Login(end["cookie"], held.user, life, max_age, held.account, held.where))
        elif (over or end["outcome"] in ("none", "gone")) and self.pool.get(slot) == held:
            self.pool.put(slot, None)
        if over:
            grace = end.get("grace", fields.get("grace", 0)) / 1e9
            self.graves = [*self.graves[-100:], (time.monotonic() + grace, held)]

    async def request(self, kind: str, held: Login | None, **more: Any) -> dict[str, Any]:
        """Make a request, write down that it was made and what came of it, and return the latter."""
        self.number += 1
        fields = {"id": f"{self.name}-{self.number}", "op": kind, "sid": held and held.sid}
        fields |= {"user": held.user, "life": held.life, "max_age": held.max_age} if held else {}
        fields |= {name: value for name, value in more.items() if value is not None}
        if self.task.renew_every:
            fields["may_renew"] = True
        end: dict[str, Any] = {"id": fields["id"]}
        kept: list[Session] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            session = scope["session"]
            kept.append(session)
            end["seen"], end["seen_at"] = dict(session) or None, time.monotonic_ns()
            if held and end["seen"] is None:
                end["outcome"] = "none"
            else:
                if self.chance.random() < 0.5:
                    await asyncio.sleep(self.chance.random() * 0.002)
                await self.act(kind, session, fields, end)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})

        jar = {NAME: held.cookie} if held else {}
        browser = Browser(SessionMiddleware(app, self.sessions), jar)
        ENDING.set(end)
        self.write({**fields, "start": time.monotonic_ns()})
        try:
            response = await browser.get()
        except (LoginRefused, RetriesExhausted, SessionConflict):
            end.setdefault("outcome", "refused")
            response = Response()
        except StoreUnavailable as error:
            end["error"] = f"{type(error.__cause__).__name__}: {error.__cause__ or error}"
            response = Response()
        # A handler that was told has been told, whatever becomes of its response.
        lost = bool(kept) and state_of(kept[0]).is_lost()
        end.setdefault("outcome", "unknown" if response.status != 200 else "gone" if lost else "ok")
        if end.pop("incomplete", False):
            end["outcome"] = "unknown"
        if jar.get(NAME) and (not held or sid_of(jar[NAME]) != held.sid):
            end["cookie"], end["new"] = jar[NAME], sid_of(jar[NAME])
            if kind not in ("login", "rotate", "renew", *BEGINS):
                end["grace"] = GRACE * 1e9
        self.write({**end, "end": time.monotonic_ns()})
        if end["outcome"] == "unknown":
            await asyncio.sleep(0.01)
        return end

    async def act(self, kind: str, session: Session, fields: dict[str, Any], end: dict[str, Any]) -> None:
        """Do what a handler does."""
        try:
            if kind in REVOCATIONS:
                await REVOCATIONS[kind](session, self.sessions, fields, end)
            else:
                await ACTIONS[kind](session, fields, end)
        except SessionGone:
            end["outcome"] = "gone"

    def write(self, line: dict[str, Any]) -> None:
        self.history.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")


def all_logins(folder: Path) -> dict[str, Login]:
    """Return each cookie that anybody ever got, as its history says."""
    found: dict[str, Login] = {}
    for path in folder.glob("*.history"):
        begun: dict[str, dict[str, Any]] = {}
        for line in path.read_bytes().split(b"\n")[:-1]:
            fields = json.loads(line)
            if "op" in fields:
                begun[fields["id"]] = fields
            elif "cookie" in fields:
                by = begun[fields["id"]]
                life = by.get("begins") or by["life"]
                max_age = None if by["op"] in BEGINS else by.get("max_age")
                found[fields["cookie"]] = Login(fields["cookie"], by["user"], life, max_age)
    return found


async def look_at_all(thread: Thread) -> None:
    """Present each cookie once more: the live, the dead, and those that should have ended by now."""
    logins = list(all_logins(Path(thread.task.folder)).values())
    thread.chance.shuffle(logins)

    async def look() -> None:
        while logins:
            login = logins.pop()
            while (await thread.request("read", login))["outcome"] == "unknown":
                pass

    await asyncio.gather(*(look() for _ in range(8)))


def run(task: Task) -> dict[str, int]:
    """Do ``task``, and return how often something happened."""
    logging.getLogger("sessile").setLevel(logging.CRITICAL)
    store = open_store(task.store, task.url, task.timeout)
    under_asyncio = store.asynchronous() if isinstance(store, AsyncCapable) else store
    lifetime = Lifetime(renew_every=task.renew_every, renewal_grace=GRACE) if task.renew_every else None
    sessions = Sessions(
        secret=SECRET,
        store=store,
        merge={"by add": add},
        on_store_error="raise",
        lifetime=lifetime,
        max_sessions_per_user=LIMIT,
        on_event=note,
    )

    async def work(thread: Thread, body: Callable[[], Awaitable[None]]) -> None:
        await body()
        await close_store(under_asyncio)

    def in_a_loop(name: str, body: Callable[[Thread], Awaitable[None]]) -> None:
        thread = Thread(task, name, sessions)
        asyncio.run(work(thread, lambda: body(thread)))
        thread.history.close()

    if task.operations:
        threads = [
            threading.Thread(target=in_a_loop, args=(f"{task.name}.{number}", Thread.run))
            for number in range(task.threads)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    if task.final:
        in_a_loop(f"{task.name}.final", look_at_all)
    return sessions.counts()


if __name__ == "__main__":
    arguments = Task(**json.loads(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(run(arguments)), flush=True)
